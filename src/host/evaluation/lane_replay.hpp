#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>
#include <numeric>
#include <span>
#include <type_traits>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "common/prc_differences.hpp"
#include "elimination/prc_arrays.hpp"
#include "evaluation/difference_program.hpp"
#include "evaluation/lane_pack.hpp"
#include "evaluation/lane_widths.hpp"
#include "sojourn/matrix_view.hpp"

namespace sojourn {

/// Array of packs on cache-line boundaries.
template <class T>
class PackArray {
 public:
  PackArray() = default;
  explicit PackArray(std::size_t size) { resize(size); }
  ~PackArray() { release(); }
  PackArray(PackArray&& other) noexcept : values_(other.values_), size_(other.size_) {
    other.values_ = nullptr;
    other.size_ = 0;
  }
  PackArray& operator=(PackArray&& other) noexcept {
    std::swap(values_, other.values_);
    std::swap(size_, other.size_);
    return *this;
  }
  /// Contents are lost when the size grows.
  void resize(std::size_t size) {
    if (size <= size_) return;
    release();
    values_ = static_cast<T*>(::operator new(size * sizeof(T), std::align_val_t(kAlignment)));
#ifdef __linux__
    // Gathers over many megabytes otherwise miss the translation of addresses; a refusal does no harm.
    constexpr std::size_t kHugePage = 2 << 20;
    const std::size_t begin = (reinterpret_cast<std::uintptr_t>(values_) + kHugePage - 1) / kHugePage * kHugePage;
    const std::size_t end = reinterpret_cast<std::uintptr_t>(values_ + size) / kHugePage * kHugePage;
    if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
    size_ = size;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  T* begin() { return values_; }
  T* end() { return values_ + size_; }
  T* data() { return values_; }
  const T* data() const { return values_; }
  T& operator[](std::size_t i) { return values_[i]; }
  const T& operator[](std::size_t i) const { return values_[i]; }

 private:
  void release() {
    if (values_ != nullptr) ::operator delete(values_, std::align_val_t(kAlignment));
    values_ = nullptr;
    size_ = 0;
  }
  static constexpr std::size_t kAlignment = 64;
  T* values_ = nullptr;
  std::size_t size_ = 0;
};

/// Room for a solution with the slopes of its differences.
template <class Real>
class SolutionArrays {
 public:
  explicit SolutionArrays(const PrcArrays& prc)
      : x_(prc.rows.size()), shifted_(prc.rows.size()), slope_(prc.groups.size()) {}
  Differences<Real*> view() { return {x_.data(), shifted_.data(), slope_.data()}; }

 private:
  PackArray<Real> x_, shifted_, slope_;
};

/// Room for the differences of one component at a time, and for their sizes.
template <class Real>
class RiseArrays {
 public:
  explicit RiseArrays(const DifferenceProgram& program) : program_(&program), rise_(program.most_pairs()) {}
  ComponentRises<Real*> view() { return {program_->view(), rise_.data()}; }
  /// With the sizes of slopes in `slope` [groups].
  DifferenceSizes<Real*> sizes(Real* slope) {
    sizes_.resize(program_->most_pairs());
    shifted_.resize(program_->most_rows());
    return {slope, sizes_.data(), shifted_.data()};
  }

 private:
  const DifferenceProgram* program_;
  PackArray<Real> rise_, sizes_, shifted_;
};

/// Replay of one block of lanes, each lane a parameter vector, with all factors kept: any number of solves and
/// transposed solves may follow. One object per thread.
template <int W, class Scalar = double>
class LaneReplay {
 public:
  using Lanes = Pack<W, Scalar>;

  explicit LaneReplay(const Prc& prc)
      : prc_(prc.arrays().view()),
        num_entries_(prc.arrays().entry_column.size()),
        rate_(1 + prc_.num_rates + prc_.num_forms),
        inverse_rate_(1 + prc_.num_rates + prc_.num_forms),
        entry_(num_entries_),
        exit_(prc_.num_rows),
        inverse_(prc_.num_rows) {}

  [[nodiscard]] const PrcView& prc() const { return prc_; }
  [[nodiscard]] std::int32_t num_rows() const { return prc_.num_rows; }
  [[nodiscard]] std::int32_t num_extended_rates() const { return 1 + prc_.num_rates + prc_.num_forms; }

  /// Loads rows `row_of_lane(0..W-1)` of phi [K, num_rates].
  template <class RowOfLane>
  void load_rows(MatrixView<const double> phi, RowOfLane&& row_of_lane) {
    PackArray<Pack<W, double>> gathered(std::max(1, prc_.num_rates));
    for (int lane = 0; lane < W; ++lane) {
      const std::size_t k = row_of_lane(lane);
      for (std::int32_t r = 0; r < prc_.num_rates; ++r) gathered[r].lane(lane) = phi(k, r);
    }
    extend_rates(prc_, gathered.data(), rate_.data());
    for (std::int32_t r = 0; r < num_extended_rates(); ++r) inverse_rate_[r] = reciprocal(rate_[r]);
  }
  /// Loads rows [first, first + W); lanes past K repeat the last row.
  void load(MatrixView<const double> phi, std::size_t first) {
    load_rows(phi, [&](int lane) { return std::min(first + lane, phi.num_rows() - 1); });
  }

  /// Prepares solves with an extra exit rate `kill(row)` per lane.
  template <class Kill>
  void factor(Kill&& kill) {
    first_kept_ = 0;
    kept_are_there_ = true;
    for (std::int32_t c = 0; c < prc_.num_components; ++c) factor_component_at(prc_.components[c], kill, true);
  }
  /// Prepares solves without one: the first sweep factors each component where it is used. The factors of the last
  /// components, with which a sweep back begins, are kept as far as they stay in the core's cache; the others are
  /// computed again on each sweep: arithmetic is cheaper than the trip to memory, and the bits are the same.
  void factor() {
    first_kept_ = prc_.num_components;
    std::size_t bytes = 0;
    while (first_kept_ > 0) {
      const PrcComponent& component = prc_.components[first_kept_ - 1];
      bytes += static_cast<std::size_t>(component.entry_end - component.entry_begin) * sizeof(Lanes);
      if (bytes > kFactorCacheBytes) break;
      --first_kept_;
    }
    kept_are_there_ = false;
    in_place_ = nullptr;
  }

  /// Visits the components, successors first (or last): body(component, entry, exit, inverse) with their factors.
  template <class Body>
  void forward(Body&& body) {
    for (std::int32_t c = 0; c < prc_.num_components; ++c) visit(c, body);
    kept_are_there_ = true;
  }
  template <class Body>
  void backward(Body&& body) {
    for (std::int32_t c = prc_.num_components - 1; c >= 0; --c) visit(c, body);
    kept_are_there_ = true;
  }

  /// The same for one component alone, its factors overwriting those of the component before: the form that keeps the
  /// fewest slots alive where no transposed solve follows.
  void factor_in_place(const PrcComponent& component) {
    factor_component_at(component, NoKill{}, false);
    in_place_ = &component;
  }
  template <class Rhs>
  void solve_in_place(const PrcComponent& component, Rhs&& rhs, Lanes* x) const {
    solve_part<ValueSlots>(component, entry_.data(), inverse_.data(), rhs, x);
  }

  /// One component's part of x = A^-1 rhs with its differences, its factors as `forward` hands them out. `sizes`:
  /// those of the rises, or NoDifferenceSizes.
  template <class Rhs, class Kill, class Sizes>
  void solve_part(const PrcComponent& component, const Lanes* entry, const Lanes* exit, const Lanes* inverse, Rhs&& rhs,
                  Kill&& kill, double absorbing, Differences<Lanes*> solution, const ComponentRises<Lanes*>& rises,
                  const Sizes& sizes) const {
    solve_differences_component<Lanes>(prc_, component, rate_.data(), entry, exit, inverse, rhs, kill, absorbing,
                                       solution, rises, sizes);
  }
  /// The solution alone.
  template <class Slots = OwnSlots, class Rhs>
  void solve_part(const PrcComponent& component, const Lanes* entry, const Lanes* inverse, Rhs&& rhs, Lanes* x) const {
    solve_component<Slots, Lanes>(prc_, component, rate(), entry, inverse, rhs, x);
  }
  /// One component's part of y = A^-T y, its factors as `backward` hands them out. `done(v, y_v)` is called for each
  /// row.
  template <class RowDone = IgnoreRows>
  void transposed_solve_part(const PrcComponent& component, const Lanes* entry, const Lanes* inverse, Lanes* y,
                             RowDone&& done = {}) const {
    transposed_solve_component<Lanes>(prc_, component, rate(), entry, inverse, y, done);
  }

  /// x = A^-1 rhs with its differences; `kill` as given to `factor`, x is `absorbing` at absorption.
  template <class Rhs, class Kill, class Sizes = NoDifferenceSizes>
  void solve(Rhs&& rhs, Kill&& kill, double absorbing, Differences<Lanes*> solution,
             const ComponentRises<Lanes*>& rises, const Sizes& sizes = {}) {
    forward([&](const PrcComponent& component, const Lanes* entry, const Lanes* exit, const Lanes* inverse) {
      solve_part(component, entry, exit, inverse, rhs, kill, absorbing, solution, rises, sizes);
    });
  }
  template <class Rhs>
  void solve(Rhs&& rhs, Differences<Lanes*> solution, const ComponentRises<Lanes*>& rises) {
    solve(rhs, NoKill{}, 0.0, solution, rises);
  }

  /// In place y [rows] = A^-T y.
  void transposed_solve(Lanes* y) {
    backward([&](const PrcComponent& component, const Lanes* entry, const Lanes*, const Lanes* inverse) {
      transposed_solve_part(component, entry, inverse, y);
    });
  }

  /// y = A^-T alpha.
  void transposed_solve_alpha(Lanes* y) {
    for (std::int32_t v = 0; v < prc_.num_rows; ++v) y[v] = Lanes(prc_.alpha[v]);
    transposed_solve(y);
  }

  [[nodiscard]] Lanes dot_alpha(const Lanes* x) const {
    Lanes sum(0.0);
    for (std::int32_t v = 0; v < prc_.num_rows; ++v) {
      if (prc_.alpha[v] != 0) add_product(sum, prc_.alpha[v], x[v]);
    }
    return sum;
  }

  [[nodiscard]] const Lanes* rate() const { return rate_.data(); }
  /// Reciprocals of the extended rates.
  [[nodiscard]] const Lanes* inverse_rate() const { return inverse_rate_.data(); }

  /// gradient [extended rates] += the gradient of the pair (y, solution), by the solution's slopes (or, for its size,
  /// by the sizes of these).
  void add_gradient(const Lanes* y, const Lanes* slope, Lanes* gradient) const {
    sojourn::add_gradient<Lanes>(prc_, slope, y, gradient);
  }

  /// Weight of a row into absorbing states.
  [[nodiscard]] Lanes absorbing_weight(std::int32_t v) const {
    return sojourn::absorbing_weight<Lanes>(prc_, prc_.rows[v], rate());
  }

 private:
  struct NoKill {
    Lanes operator()(std::int32_t) const { return Lanes(0.0); }
  };

  /// About the L2 of a core: beyond it arithmetic is cheaper than the trip.
  static constexpr std::size_t kFactorCacheBytes = 768 << 10;

  template <class Kill>
  SOJOURN_FORCE_INLINE void factor_component_at(const PrcComponent& component, Kill&& kill, bool own_place) {
    const std::int64_t entry = own_place ? component.entry_begin : 0;
    const std::int32_t row = own_place ? component.row_begin : 0;
    if constexpr (std::is_same_v<std::remove_cvref_t<Kill>, NoKill>) {
      if (component.row_end - component.row_begin == 1) {
        inverse_[row] = factor_single_row<Lanes>(prc_, prc_.rows[component.row_begin], rate(), inverse_rate());
        return;
      }
    }
    factor_component<Lanes>(prc_, component, rate_.data(), kill, entry_.data() + entry, exit_.data() + row,
                            inverse_.data() + row, IgnorePivots{});
  }
  template <class Body>
  void visit(std::int32_t c, Body&& body) {
    const PrcComponent& component = prc_.components[c];
    const bool kept = c >= first_kept_;
    if (kept && !kept_are_there_) factor_component_at(component, NoKill{}, true);
    // A sweep begins with the component that the one before it ended with.
    if (!kept && in_place_ != &component) factor_in_place(component);
    const std::int64_t entry = kept ? component.entry_begin : 0;
    const std::int32_t row = kept ? component.row_begin : 0;
    body(component, static_cast<const Lanes*>(entry_.data() + entry), static_cast<const Lanes*>(exit_.data() + row),
         static_cast<const Lanes*>(inverse_.data() + row));
  }

  PrcView prc_;
  std::size_t num_entries_;
  std::int32_t first_kept_ = 0;  ///< component from which on factors have places of their own
  bool kept_are_there_ = false;
  const PrcComponent* in_place_ = nullptr;  ///< whose factors stand at the front of the arrays
  PackArray<Lanes> rate_, inverse_rate_, entry_, exit_, inverse_;
};

template <class Scalar>
inline constexpr int kWideLanesOf = lane_widths(kVectorLanes<Scalar>).wide;
template <class Scalar>
inline constexpr int kNarrowLanesOf = lane_widths(kVectorLanes<Scalar>).narrow;
inline constexpr int kWideLanes = kWideLanesOf<double>;
inline constexpr int kNarrowLanes = kNarrowLanesOf<double>;
inline constexpr int kGradientLanes = lane_widths(kVectorDoubles).differences;
inline constexpr int kProductLanes = lane_widths(kVectorDoubles).products;
inline constexpr int kFrontLanes = lane_widths(kVectorDoubles).fronts;

}  // namespace sojourn
