#pragma once

#include <algorithm>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include "device/evaluation/program_layout.hpp"
#include "elimination/level_schedule.hpp"

namespace sojourn {

/// Whether two programs lie in a device's memory, and order states, by the same bytes.
inline bool same_program(const PrcArrays& a, const PrcArrays& b) {
  const auto same = [](const auto& x, const auto& y) {
    using Value = typename std::decay_t<decltype(x)>::value_type;
    static_assert(std::is_trivially_copyable_v<Value>);
    return x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(Value)) == 0);
  };
  return a.num_rates == b.num_rates && a.num_value_slots == b.num_value_slots && same(a.forms, b.forms) &&
         same(a.form_terms, b.form_terms) && same(a.components, b.components) && same(a.rows, b.rows) &&
         same(a.groups, b.groups) && same(a.terms, b.terms) && same(a.arrivals, b.arrivals) &&
         same(a.arrival_terms, b.arrival_terms) && same(a.entry_column, b.entry_column) &&
         same(a.entry_slot, b.entry_slot) && same(a.sums, b.sums) && same(a.pairs, b.pairs) &&
         same(a.fronts, b.fronts) && same(a.front_slots, b.front_slots) && same(a.value_slot, b.value_slot) &&
         same(a.state_of_row, b.state_of_row) && same(a.row_of_state, b.row_of_state) && same(a.alpha, b.alpha);
}

/// Programs in a device's memory: each is there once, for as long as a level or an evaluator of moments has it.
/// `Program` is made of arrays by level and has them in `arrays()`. Safe for several threads.
template <class Program>
class SharedPrograms {
 public:
  /// Cost: the arrays are sorted and compared with those of as many rates and rows; one upload where they are new.
  /// @throws what `Program` throws.
  std::shared_ptr<const Program> find(const PrcArrays& given) {
    PrcArrays sorted = by_level(given);
    const std::scoped_lock lock(mutex_);
    std::erase_if(programs_, [](const std::weak_ptr<const Program>& program) { return program.expired(); });
    for (const std::weak_ptr<const Program>& program : programs_)
      if (std::shared_ptr<const Program> there = program.lock(); there && same_program(there->arrays(), sorted))
        return there;
    auto made = std::make_shared<const Program>(std::move(sorted));
    programs_.push_back(made);
    return made;
  }

 private:
  std::mutex mutex_;
  std::list<std::weak_ptr<const Program>> programs_;
};

}  // namespace sojourn
