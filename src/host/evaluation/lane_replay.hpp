#pragma once

#include <algorithm>
#include <cstdint>
#include <new>
#include <numeric>
#include <span>
#include <vector>

#include "elimination/prc_arrays.hpp"
#include "evaluation/lane_pack.hpp"
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
    values_ = static_cast<T*>(::operator new(size * sizeof(T), std::align_val_t(64)));
    size_ = size;
  }
  T* data() { return values_; }
  const T* data() const { return values_; }
  T& operator[](std::size_t i) { return values_[i]; }
  const T& operator[](std::size_t i) const { return values_[i]; }

 private:
  void release() {
    if (values_ != nullptr) ::operator delete(values_, std::align_val_t(64));
    values_ = nullptr;
    size_ = 0;
  }
  T* values_ = nullptr;
  std::size_t size_ = 0;
};

/// Room for a solution with its differences.
template <class Real>
class SolutionArrays {
 public:
  explicit SolutionArrays(std::size_t num_rows) : x_(num_rows), shifted_(num_rows), local_(num_rows) {}
  Differences<Real*> view() { return {x_.data(), shifted_.data(), local_.data()}; }
  Differences<const Real*> view() const { return {x_.data(), shifted_.data(), local_.data()}; }

 private:
  PackArray<Real> x_, shifted_, local_;
};

template <class Real>
Differences<const Real*> read_only(const Differences<Real*>& solution) {
  return {solution.x, solution.shifted, solution.local};
}

/// Replay of one block of lanes, each lane a parameter vector, with all factors kept: any number of solves and
/// transposed solves may follow. One object per thread.
template <int W>
class LaneReplay {
 public:
  using Lanes = Pack<W>;

  explicit LaneReplay(const Prc& prc)
      : prc_(prc.arrays().view()),
        rate_(1 + prc_.num_rates + prc_.num_forms),
        entry_(prc.arrays().entry_column.size()),
        exit_(prc_.num_rows),
        inverse_(prc_.num_rows) {}

  [[nodiscard]] const PrcView& prc() const { return prc_; }
  [[nodiscard]] std::int32_t num_rows() const { return prc_.num_rows; }
  [[nodiscard]] std::int32_t num_extended_rates() const { return 1 + prc_.num_rates + prc_.num_forms; }

  /// Loads rows [first, first + W) of phi [K, num_rates]; lanes past K repeat the last row.
  void load(MatrixView<const double> phi, std::size_t first) {
    PackArray<Lanes> gathered(std::max(1, prc_.num_rates));
    for (int lane = 0; lane < W; ++lane) {
      const std::size_t k = std::min(first + lane, phi.num_rows() - 1);
      for (std::int32_t r = 0; r < prc_.num_rates; ++r) gathered[r].lane(lane) = phi(k, r);
    }
    extend_rates(prc_, gathered.data(), rate_.data());
  }

  /// Factors every component; `kill(row)` is an extra exit rate per lane.
  template <class Kill>
  void factor(Kill&& kill) {
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      const PrcComponent& component = prc_.components[c];
      factor_component<Lanes>(prc_, component, rate_.data(), kill, entry_.data() + component.entry_begin,
                              exit_.data() + component.row_begin, inverse_.data() + component.row_begin,
                              IgnorePivots{});
    }
  }
  void factor() {
    factor([](std::int32_t) { return Lanes(0.0); });
  }

  /// The same pair for one component alone, its factors overwriting those of the component before: the form that keeps
  /// the fewest slots alive where no transposed solve follows.
  void factor_in_place(const PrcComponent& component) {
    factor_component<Lanes>(
        prc_, component, rate_.data(), [](std::int32_t) { return Lanes(0.0); }, entry_.data(), exit_.data(),
        inverse_.data(), IgnorePivots{});
  }
  template <class Rhs>
  void solve_in_place(const PrcComponent& component, Rhs&& rhs, Lanes* x, const std::int32_t* slot) const {
    solve_component<Lanes>(prc_, component, rate_.data(), entry_.data(), inverse_.data(), rhs, x, slot);
  }

  /// x = A^-1 rhs with its differences; `kill` as given to `factor`.
  template <class Rhs, class Kill>
  void solve(Rhs&& rhs, Kill&& kill, Differences<Lanes*> solution) const {
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      const PrcComponent& component = prc_.components[c];
      solve_differences_component<Lanes>(prc_, component, rate_.data(), entry_.data() + component.entry_begin,
                                         exit_.data() + component.row_begin, inverse_.data() + component.row_begin, rhs,
                                         kill, solution);
    }
  }
  template <class Rhs>
  void solve(Rhs&& rhs, Differences<Lanes*> solution) const {
    solve(
        rhs, [](std::int32_t) { return Lanes(0.0); }, solution);
  }

  /// In place y [rows] = A^-T y.
  void transposed_solve(Lanes* y) const {
    for (std::int32_t c = prc_.num_components - 1; c >= 0; --c) {
      const PrcComponent& component = prc_.components[c];
      transposed_solve_component<Lanes>(prc_, component, rate_.data(), entry_.data() + component.entry_begin,
                                        inverse_.data() + component.row_begin, y);
    }
  }

  /// y = A^-T alpha.
  void transposed_solve_alpha(Lanes* y) const {
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

  /// gradient [extended rates] += sum over edges of y_i coefficient (x_j - x_i); x is `absorbing` at absorption.
  void add_gradient(const Lanes* y, Differences<const Lanes*> solution, double absorbing, Lanes* gradient) const {
    for (std::int32_t c = 0; c < prc_.num_components; ++c) {
      add_component_gradient<Lanes>(prc_, prc_.components[c], solution, absorbing, y, gradient);
    }
  }

  /// Weight of a row into absorbing states.
  [[nodiscard]] Lanes absorbing_weight(std::int32_t v) const {
    Lanes sum(0.0);
    const PrcRow& row = prc_.rows[v];
    for (std::int64_t g = row.group_begin; g < row.group_middle; ++g) {
      add_product(sum, prc_.groups[g].absorbing, rate_[prc_.groups[g].rate]);
    }
    return sum;
  }

 private:
  PrcView prc_;
  PackArray<Lanes> rate_, entry_, exit_, inverse_;
};

/// Lanes of the wide and of the narrow replay; the narrow one serves a few parameter vectors.
inline constexpr int kWideLanes = 8 * kVectorDoubles;
inline constexpr int kNarrowLanes = kVectorDoubles;

}  // namespace sojourn
