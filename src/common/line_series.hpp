#pragma once

#include <cmath>
#include <cstdint>

#include "common/host_device.hpp"

/// A function of one number and its derivative as Chebyshev series on cells of the line, for host and device. Every
/// product is added with one rounding on either side, so that both give the same bits.
namespace sojourn::line_series {

inline constexpr int kNumNodes = 20;
/// A whole cell may be halved so many times.
inline constexpr int kMostHalvings = 3;

enum class State : std::int32_t {
  kServes,
  kHalved,  ///< its halves are to be asked
  kRough,   ///< no answer here
};

/// Number `place` from the origin, of the whole cells' width halved so many times.
struct Cell {
  std::int32_t halvings;
  State state;
  std::int64_t place;
  double value[kNumNodes], slope[kNumNodes];  ///< coefficients, where it serves
};

/// By halvings, then by place.
SOJOURN_HD inline bool before(std::int32_t halvings, std::int64_t place, std::int32_t other_halvings,
                              std::int64_t other_place) {
  return halvings < other_halvings || (halvings == other_halvings && place < other_place);
}

/// Cells in order.
struct Table {
  double width;
  std::int64_t num_cells;
  const Cell* cells;
};

/// Place of z, in cells of the line.
SOJOURN_HD inline double scaled(double width, double z, int halvings) {
  return z / width * static_cast<double>(1 << halvings);
}
SOJOURN_HD inline std::int64_t place_of(double width, double z, int halvings) {
  return static_cast<std::int64_t>(std::floor(scaled(width, z, halvings)));
}

/// Whether z is a number near enough to have a place.
SOJOURN_HD inline bool has_place(double width, double z) { return std::abs(z / width) < 1e15; }

/// The first cell that is not before.
SOJOURN_HD inline std::int64_t lower_bound(const Table& table, std::int32_t halvings, std::int64_t place) {
  std::int64_t first = 0, count = table.num_cells;
  while (count > 0) {
    const std::int64_t half = count / 2;
    const Cell& middle = table.cells[first + half];
    if (before(middle.halvings, middle.place, halvings, place)) {
      first += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return first;
}
SOJOURN_HD inline const Cell* find(const Table& table, std::int32_t halvings, std::int64_t place) {
  const std::int64_t at = lower_bound(table, halvings, place);
  if (at == table.num_cells || table.cells[at].halvings != halvings || table.cells[at].place != place) return nullptr;
  return table.cells + at;
}

/// What is known at a place. A cell that nobody asked for yet has not been made.
enum class Answer : std::int32_t { kGiven, kNotMade, kRough };

/// Clenshaw's sums of both series at z. Cost: a search and 80 multiply-adds.
SOJOURN_HD inline Answer at(const Table& table, double z, double& value, double& slope) {
  if (!has_place(table.width, z)) return Answer::kRough;
  for (std::int32_t halvings = 0; halvings <= kMostHalvings; ++halvings) {
    const std::int64_t place = place_of(table.width, z, halvings);
    const Cell* const cell = find(table, halvings, place);
    if (cell == nullptr) return Answer::kNotMade;
    if (cell->state == State::kHalved) continue;
    if (cell->state == State::kRough) return Answer::kRough;
    double x = 2 * (scaled(table.width, z, halvings) - static_cast<double>(place)) - 1;
    x = x < -1 ? -1 : x > 1 ? 1 : x;
    double v1 = 0, v2 = 0, s1 = 0, s2 = 0;
    for (int k = kNumNodes - 1; k > 0; --k) {
      const double v = std::fma(2 * x, v1, cell->value[k] - v2), s = std::fma(2 * x, s1, cell->slope[k] - s2);
      v2 = v1;
      v1 = v;
      s2 = s1;
      s1 = s;
    }
    value = std::fma(x, v1, cell->value[0] - v2);
    slope = std::fma(x, s1, cell->slope[0] - s2);
    return Answer::kGiven;
  }
  return Answer::kRough;
}

}  // namespace sojourn::line_series
