#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "common/prc_view.hpp"

/// Programs and shapes of given sizes, without anything inside.
namespace sojourn::testing {

/// Shared memory of a block on compute capability 9.0.
inline constexpr std::size_t kHopper = 227 * 1024;

inline PrcView program(std::int32_t num_rows) {
  PrcView prc{};
  prc.num_rates = 3;
  prc.num_rows = num_rows;
  return prc;
}

template <class Shape>
Shape lane_shape(std::int32_t num_value_slots, std::int64_t most_entries, bool gradient = false) {
  Shape shape;
  shape.num_value_slots = num_value_slots;
  shape.most_entries = most_entries;
  shape.most_rows = most_entries > 0 ? 4 : 1;
  shape.gradient = gradient;
  return shape;
}

/// `plan(prc, shape, limit)` for shapes of all sizes.
template <class MakeShape, class Plan>
void expect_within_shared_memory(MakeShape&& make_shape, Plan&& make_plan) {
  for (const std::size_t limit : {48u * 1024, 99u * 1024, 163u * 1024, 227u * 1024}) {
    for (std::int64_t entries = 0; entries < 2000; entries += 37) {
      for (const bool gradient : {false, true}) {
        const auto plan = make_plan(program(100), make_shape(90, entries, gradient), limit);
        EXPECT_LE(plan.shared_bytes, limit);
        EXPECT_GE(plan.lanes_per_block, 32);
        EXPECT_EQ(plan.lanes_per_block % 32, 0);
      }
    }
  }
}

}  // namespace sojourn::testing
