#include "elimination/level_schedule.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "elimination/step_schedule.hpp"

namespace sojourn {
namespace {

std::int32_t num_rows_of(const PrcComponent& c) { return c.row_end - c.row_begin; }
bool is_single(const PrcComponent& c) { return num_rows_of(c) == 1; }

/// Factors, exits and inverse pivots; of a single row the inverse pivot alone.
std::int64_t slots_of(const PrcComponent& c) {
  return is_single(c) ? 1 : c.entry_end - c.entry_begin + 2 * std::int64_t{num_rows_of(c)};
}

/// Calls visit(column) for every edge of row v that leaves its component.
template <class Visit>
void each_external(const PrcArrays& arrays, std::int32_t v, Visit&& visit) {
  for (std::int64_t g = arrays.rows[v].group_begin; g < arrays.rows[v].group_middle; ++g)
    for (std::int64_t t = arrays.groups[g].term_begin; t < arrays.groups[g].term_end; ++t)
      visit(arrays.terms[t].column);
}

/// Gives every row a slot that is free again after the last part that reads it; part p of the components ends before
/// ends[p], and its rows need theirs all at once.
std::vector<std::int32_t> assign_value_slots(const PrcArrays& arrays, std::span<const std::int32_t> ends,
                                             std::int32_t& num_slots) {
  const auto each_row = [&](std::size_t part, auto&& visit) {
    for (std::int32_t c = part > 0 ? ends[part - 1] : 0; c < ends[part]; ++c)
      for (std::int32_t v = arrays.components[c].row_begin; v < arrays.components[c].row_end; ++v) visit(v);
  };
  std::vector<std::size_t> last_use(arrays.rows.size());
  for (std::size_t part = 0; part < ends.size(); ++part) {
    each_row(part, [&](std::int32_t v) {
      last_use[v] = part;
      each_external(arrays, v, [&](std::int32_t column) { last_use[column] = part; });
    });
  }
  std::vector<std::vector<std::int32_t>> dying(ends.size());
  for (std::size_t v = 0; v < last_use.size(); ++v) dying[last_use[v]].push_back(static_cast<std::int32_t>(v));
  std::vector<std::int32_t> slot(arrays.rows.size()), open;
  num_slots = 0;
  for (std::size_t part = 0; part < ends.size(); ++part) {
    each_row(part, [&](std::int32_t v) {
      if (open.empty()) open.push_back(num_slots++);
      slot[v] = open.back();
      open.pop_back();
    });
    for (const std::int32_t v : dying[part]) open.push_back(slot[v]);
  }
  return slot;
}

void set_value_slots(PrcArrays& arrays, std::vector<std::int32_t> slots, std::int32_t num_slots) {
  arrays.value_slot = std::move(slots);
  arrays.num_value_slots = num_slots;
  for (PrcTerm& term : arrays.terms) term.slot = arrays.value_slot[term.column];
  for (PrcTerm& term : arrays.arrival_terms) term.slot = arrays.value_slot[term.column];
  for (std::size_t e = 0; e < arrays.entry_slot.size(); ++e)
    arrays.entry_slot[e] = arrays.value_slot[arrays.entry_column[e]];
}

/// Who wrote a number last and who has read it since, while tasks are listed in the order in which they could run.
class Ledger {
 public:
  explicit Ledger(std::size_t num_numbers) : numbers_(num_numbers) {}

  void begin_task(double cost) {
    graph_.cost.push_back(cost);
    own_.clear();
  }
  void cost(double cost) { graph_.cost.back() = cost; }
  void read(std::int64_t number) {
    Number& at = numbers_[static_cast<std::size_t>(number)];
    wait_for(at.writer);
    if (at.last_reader >= 0 && reads_[at.last_reader].task == task()) return;
    reads_.push_back({task(), at.last_reader});
    at.last_reader = static_cast<std::int32_t>(reads_.size() - 1);
  }
  void write(std::int64_t number) {
    Number& at = numbers_[static_cast<std::size_t>(number)];
    wait_for(at.writer);
    for (std::int32_t read = at.last_reader; read >= 0; read = reads_[read].before) wait_for(reads_[read].task);
    at = {task(), -1};
  }
  void end_task() {
    std::sort(own_.begin(), own_.end());
    own_.erase(std::unique(own_.begin(), own_.end()), own_.end());
    graph_.before.insert(graph_.before.end(), own_.begin(), own_.end());
    graph_.begin.push_back(static_cast<std::int64_t>(graph_.before.size()));
  }
  [[nodiscard]] TaskGraph take() { return std::move(graph_); }

 private:
  struct Number {
    std::int32_t writer = -1, last_reader = -1;
  };
  struct Read {
    std::int32_t task, before;
  };

  [[nodiscard]] std::int32_t task() const { return graph_.num_tasks() - 1; }
  void wait_for(std::int32_t other) {
    if (other >= 0 && other != task() && (own_.empty() || own_.back() != other)) own_.push_back(other);
  }

  TaskGraph graph_{{}, {0}, {}};
  std::vector<Number> numbers_;
  std::vector<Read> reads_;
  std::vector<std::int32_t> own_;
};

class Maker {
 public:
  Maker(const PrcArrays& arrays, const LevelOptions& options) : arrays_(arrays) { made_.options = options; }

  LevelSchedule make() {
    cut_into_waves();
    list_columns();
    std::vector<std::int32_t> ends;
    for (const LevelWave& wave : made_.waves) ends.push_back(wave.component_end);
    made_.value_slot = assign_value_slots(arrays_, ends, made_.num_value_slots);
    made_.factor_run = made_.solve_run = made_.visit_run = {0};
    made_.sum_run = {0};
    for (LevelWave& wave : made_.waves) {
      deal_factors(wave);
      deal_solves(wave);
      deal_visits(wave);
      list_sums(wave);
      wave.start_begin = static_cast<std::int32_t>(made_.starts.size());
      each_row(wave, [&](std::int32_t, std::int32_t v) {
        if (arrays_.alpha[v] != 0) made_.starts.push_back(v);
      });
      wave.start_end = static_cast<std::int32_t>(made_.starts.size());
    }
    return std::move(made_);
  }

 private:
  template <class Visit>
  void each_row(const LevelWave& wave, Visit&& visit) const {
    for (std::int32_t c = wave.component_begin; c < wave.component_end; ++c)
      for (std::int32_t v = arrays_.components[c].row_begin; v < arrays_.components[c].row_end; ++v) visit(c, v);
  }

  void cut_into_waves() {
    const auto num_components = static_cast<std::int32_t>(arrays_.components.size());
    made_.local_begin.resize(arrays_.components.size());
    std::int64_t used = 0;
    for (std::int32_t c = 0; c < num_components; ++c) {
      const std::int64_t slots = slots_of(arrays_.components[c]);
      if (c == 0 || used + slots > made_.options.factor_slots) {
        made_.waves.push_back({});
        made_.waves.back().component_begin = c;
        used = 0;
      }
      made_.local_begin[c] = used;
      made_.waves.back().component_end = c + 1;
      used += slots;
      made_.num_factor_slots = std::max(made_.num_factor_slots, used);
    }
  }

  void list_columns() {
    const std::size_t num_rows = arrays_.rows.size();
    made_.column_begin.assign(num_rows + 1, 0);
    made_.column_middle.assign(num_rows, 0);
    for (std::size_t v = 0; v < num_rows; ++v) {
      const PrcRow& row = arrays_.rows[v];
      for (std::int64_t e = row.entry_begin; e < row.entry_end; ++e) ++made_.column_begin[arrays_.entry_column[e] + 1];
      for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) ++made_.column_middle[arrays_.entry_column[e]];
    }
    for (std::size_t v = 0; v < num_rows; ++v) {
      made_.column_begin[v + 1] += made_.column_begin[v];
      made_.column_middle[v] += made_.column_begin[v];
    }
    made_.column_entries.resize(static_cast<std::size_t>(made_.column_begin.back()));
    std::vector<std::int64_t> upper = made_.column_begin, lower = made_.column_begin;
    for (const PrcComponent& c : arrays_.components) {
      for (std::int32_t v = c.row_begin; v < c.row_end; ++v) {
        const PrcRow& row = arrays_.rows[v];
        // Rows ascend here: the last of a column's rows behind it comes first in its list.
        for (std::int64_t e = row.entry_begin; e < row.entry_middle; ++e)
          made_.column_entries[--lower[arrays_.entry_column[e] + 1]] = {static_cast<std::uint32_t>(e - c.entry_begin),
                                                                        v};
        for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e)
          made_.column_entries[upper[arrays_.entry_column[e]]++] = {static_cast<std::uint32_t>(e - c.entry_begin), v};
      }
    }
  }

  template <class Task>
  static double append(const TaskGraph& graph, const std::vector<Task>& tasks, const LevelOptions& options,
                       std::vector<std::int32_t>& run, std::vector<Task>& all, std::int32_t& step_begin,
                       std::int32_t& step_end) {
    const StepSchedule steps = deal_out(graph, options.num_streams, LevelCosts::kBarrier);
    const std::int32_t first = run.back();
    step_begin = static_cast<std::int32_t>(run.size() - 1) / options.num_streams;
    for (const std::int32_t task : steps.order) all.push_back(tasks[task]);
    for (std::size_t r = 1; r < steps.run.size(); ++r) run.push_back(first + steps.run[r]);
    step_end = step_begin + steps.num_steps();
    return steps.cost;
  }

  /// Pairs a task should have at least, where its row has more.
  static constexpr std::int64_t kFewestPairs = 16;

  void deal_factors(LevelWave& wave) {
    std::int64_t slots = 0;
    for (std::int32_t c = wave.component_begin; c < wave.component_end; ++c)
      slots = std::max(slots, made_.local_begin[c] + slots_of(arrays_.components[c]));
    Ledger ledger(static_cast<std::size_t>(slots));
    std::vector<LevelFactor> tasks;
    for (std::int32_t c = wave.component_begin; c < wave.component_end; ++c) {
      if (is_single(arrays_.components[c])) {
        const std::int32_t v = arrays_.components[c].row_begin;
        tasks.push_back({0, 0, 0, c, v, 1});
        ledger.begin_task(LevelCosts::kTask + groups_of(v));
        ledger.write(made_.local_begin[c]);
        ledger.end_task();
      } else {
        list_factor_tasks(c, ledger, tasks);
      }
    }
    made_.factor_cost += append(ledger.take(), tasks, made_.options, made_.factor_run, made_.factors, wave.factor_begin,
                                wave.factor_end);
  }

  [[nodiscard]] double groups_of(std::int32_t v) const {
    return static_cast<double>(arrays_.rows[v].group_middle - arrays_.rows[v].group_begin);
  }

  void list_factor_tasks(std::int32_t c, Ledger& ledger, std::vector<LevelFactor>& tasks) {
    const PrcComponent& component = arrays_.components[c];
    const std::int64_t base = component.entry_begin, entries = made_.local_begin[c];
    const std::int64_t exits = entries + component.entry_end - base - component.row_begin;
    const std::int64_t inverses = exits + num_rows_of(component);
    tasks.push_back({component.direct_begin, component.sum_begin, 0, c, -1, 0});
    ledger.begin_task(LevelCosts::kTask + static_cast<double>(component.sum_begin - component.direct_begin));
    for (std::int64_t s = component.direct_begin; s < component.sum_begin; ++s)
      ledger.write(entries + arrays_.sums[s].slot);
    ledger.end_task();
    std::int64_t sum = component.sum_begin, pair = component.pair_begin;
    for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
      const PrcRow& row = arrays_.rows[v];
      do {
        LevelFactor task{sum, sum, pair, c, v, 0};
        ledger.begin_task(LevelCosts::kTask);
        double cost = LevelCosts::kTask;
        std::int64_t num_pairs = 0;
        for (; task.sum_end < row.sum_end && num_pairs < kFewestPairs; ++task.sum_end) {
          const PrcSum& part = arrays_.sums[task.sum_end];
          if (part.rate < 0) ledger.read(entries + part.slot);
          for (std::uint32_t p = 0; p < part.num_pairs; ++p, ++pair) {
            ledger.read(entries + arrays_.pairs[pair].a);
            ledger.read(entries + arrays_.pairs[pair].b);
          }
          ledger.write(entries + part.slot);
          num_pairs += part.num_pairs;
          cost += 1 + static_cast<double>(part.num_pairs);
        }
        sum = task.sum_end;
        task.finishes = sum == row.sum_end ? 1 : 0;
        if (task.finishes != 0) {
          for (std::int64_t e = row.entry_begin; e < row.entry_middle; ++e) {
            ledger.read(entries + e - base);
            ledger.read(exits + arrays_.entry_column[e]);
          }
          for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) ledger.write(entries + e - base);
          ledger.write(exits + v);
          ledger.write(inverses + v);
          cost += groups_of(v) + static_cast<double>(row.entry_end - row.entry_begin);
        }
        ledger.cost(cost);
        ledger.end_task();
        tasks.push_back(task);
      } while (sum < row.sum_end);
    }
  }

  [[nodiscard]] double terms_of(std::int64_t group_begin, std::int64_t group_end,
                                const std::vector<PrcGroup>& groups) const {
    double count = 0;
    for (std::int64_t g = group_begin; g < group_end; ++g)
      count += 1 + static_cast<double>(groups[g].term_end - groups[g].term_begin);
    return count;
  }

  void deal_solves(LevelWave& wave) {
    Ledger ledger(arrays_.rows.size());
    std::vector<LevelRow> tasks;
    const auto begin = [&](std::int32_t c, std::int32_t v, bool second, double items) {
      tasks.push_back({c, v, second ? 1 : 0});
      ledger.begin_task(LevelCosts::kTask + items);
    };
    for (std::int32_t c = wave.component_begin; c < wave.component_end; ++c) {
      const PrcComponent& component = arrays_.components[c];
      for (std::int32_t v = component.row_begin; v < component.row_end; ++v) {
        const PrcRow& row = arrays_.rows[v];
        begin(c, v, false,
              terms_of(row.group_begin, row.group_middle, arrays_.groups) +
                  static_cast<double>(row.entry_middle - row.entry_begin));
        each_external(arrays_, v, [&](std::int32_t column) { ledger.read(column); });
        for (std::int64_t e = row.entry_begin; e < row.entry_middle; ++e) ledger.read(arrays_.entry_column[e]);
        ledger.write(v);
        ledger.end_task();
      }
      for (std::int32_t v = component.row_end - 2; v >= component.row_begin; --v) {
        const PrcRow& row = arrays_.rows[v];
        if (row.entry_middle == row.entry_end) continue;
        begin(c, v, true, static_cast<double>(row.entry_end - row.entry_middle));
        for (std::int64_t e = row.entry_middle; e < row.entry_end; ++e) ledger.read(arrays_.entry_column[e]);
        ledger.write(v);
        ledger.end_task();
      }
    }
    made_.solve_cost +=
        append(ledger.take(), tasks, made_.options, made_.solve_run, made_.solves, wave.solve_begin, wave.solve_end);
  }

  void deal_visits(LevelWave& wave) {
    Ledger ledger(arrays_.rows.size());
    std::vector<LevelRow> tasks;
    const auto list = [&](std::int32_t c, std::int32_t v, bool second, std::int64_t first, std::int64_t last) {
      const PrcRow& row = arrays_.rows[v];
      tasks.push_back({c, v, second ? 1 : 0});
      ledger.begin_task(LevelCosts::kTask + static_cast<double>(last - first) +
                        (second ? 0 : terms_of(row.arrival_begin, row.arrival_end, arrays_.arrivals)));
      for (std::int64_t g = row.arrival_begin; !second && g < row.arrival_end; ++g)
        for (std::int64_t t = arrays_.arrivals[g].term_begin; t < arrays_.arrivals[g].term_end; ++t)
          ledger.read(arrays_.arrival_terms[t].column);
      for (std::int64_t k = first; k < last; ++k) ledger.read(made_.column_entries[k].row);
      ledger.write(v);
      ledger.end_task();
    };
    for (std::int32_t c = wave.component_end - 1; c >= wave.component_begin; --c) {
      const PrcComponent& component = arrays_.components[c];
      for (std::int32_t v = component.row_begin; v < component.row_end; ++v)
        list(c, v, false, made_.column_begin[v], made_.column_middle[v]);
      for (std::int32_t v = component.row_end - 1; v >= component.row_begin && !is_single(component); --v)
        list(c, v, true, made_.column_middle[v], made_.column_begin[v + 1]);
    }
    made_.visit_cost +=
        append(ledger.take(), tasks, made_.options, made_.visit_run, made_.visits, wave.visit_begin, wave.visit_end);
  }

  /// In the order in which one thread adds: components from the last, rows from the first.
  void list_sums(const LevelWave& wave) {
    const std::int32_t num_partials = made_.options.num_partials;
    std::vector<std::vector<LevelRow>> by_partial(num_partials);
    std::vector<double> cost(made_.options.num_streams, 0);
    for (std::int32_t c = wave.component_end - 1; c >= wave.component_begin; --c) {
      for (std::int32_t v = arrays_.components[c].row_begin; v < arrays_.components[c].row_end; ++v) {
        const std::int32_t p = v % num_partials;
        by_partial[p].push_back({c, v, 0});
        cost[p % made_.options.num_streams] +=
            LevelCosts::kTask + terms_of(arrays_.rows[v].group_begin, arrays_.rows[v].group_end, arrays_.groups);
      }
    }
    for (const std::vector<LevelRow>& rows : by_partial) {
      made_.sum_rows.insert(made_.sum_rows.end(), rows.begin(), rows.end());
      made_.sum_run.push_back(static_cast<std::int32_t>(made_.sum_rows.size()));
    }
    made_.sum_cost += *std::max_element(cost.begin(), cost.end()) + LevelCosts::kBarrier;
  }

  const PrcArrays& arrays_;
  LevelSchedule made_;
};

}  // namespace

LevelView LevelSchedule::view() const {
  LevelView view{};
  view.num_streams = options.num_streams;
  view.num_waves = static_cast<std::int32_t>(waves.size());
  view.num_partials = options.num_partials;
  each_array(view, [](auto& pointer, const auto& array) { pointer = array.data(); });
  return view;
}

std::int32_t gradient_partials(const PrcArrays& arrays) {
  constexpr std::size_t kManyRows = 256;
  constexpr std::int32_t kPartials = 8;
  return arrays.rows.size() >= kManyRows ? kPartials : 1;
}

PrcArrays by_level(PrcArrays arrays) {
  const std::size_t num_components = arrays.components.size();
  std::vector<std::size_t> component_of_row(arrays.rows.size()), order(num_components);
  std::vector<std::int32_t> level(num_components, 0);
  for (std::size_t c = 0; c < num_components; ++c) {
    for (std::int32_t v = arrays.components[c].row_begin; v < arrays.components[c].row_end; ++v) {
      component_of_row[v] = c;
      each_external(arrays, v,
                    [&](std::int32_t column) { level[c] = std::max(level[c], level[component_of_row[column]] + 1); });
    }
  }
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return level[a] < level[b]; });
  const std::vector<PrcComponent> components = arrays.components;
  for (std::size_t c = 0; c < num_components; ++c) arrays.components[c] = components[order[c]];
  std::vector<std::int32_t> ends(num_components);
  std::iota(ends.begin(), ends.end(), 1);
  std::int32_t num_slots = 0;
  std::vector<std::int32_t> slots = assign_value_slots(arrays, ends, num_slots);
  set_value_slots(arrays, std::move(slots), num_slots);
  return arrays;
}

LevelSchedule make_level_schedule(const PrcArrays& arrays, const LevelOptions& options) {
  return Maker(arrays, options).make();
}

PrcArrays with_value_slots(PrcArrays arrays, const LevelSchedule& schedule) {
  set_value_slots(arrays, schedule.value_slot, schedule.num_value_slots);
  return arrays;
}

}  // namespace sojourn
