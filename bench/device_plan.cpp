#include "device_plan.hpp"

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "cli/bench_cases.hpp"
#include "device/evaluation/mapping.hpp"
#include "evaluation/moment_lane_shape.hpp"
#include "evaluation/transform_lane_shape.hpp"
#include "sojourn/families.hpp"
#include "sojourn/prc.hpp"

namespace sojourn::bench {
namespace {

struct Program {
  std::string name;
  PrcArrays arrays;
  std::int32_t own_value_slots;
};

std::vector<Program> make_programs() {
  const std::int32_t six[] = {3, 3}, ten[] = {5, 5}, twenty[] = {10, 10};
  std::vector<Program> programs;
  const auto add = [&](std::string name, const Model& model) {
    const PrcArrays own = eliminate(model.graph).arrays();
    programs.push_back({std::move(name), by_level(own), own.num_value_slots});
  };
  add("coalescent_blocks_20", coalescent_blocks(20));
  add("two_deme_blocks_6", structured_coalescent_blocks(six));
  add("two_deme_blocks_10", structured_coalescent_blocks(ten));
  add("two_deme_blocks_20", structured_coalescent_blocks(twenty));
  return programs;
}

void print_schedule(const Program& program, std::int32_t streams, std::int64_t components) {
  const PrcArrays& arrays = program.arrays;
  const PrcComponentBounds bounds = arrays.component_bounds();
  const std::int64_t largest = bounds.most_entries + 2 * std::int64_t{bounds.most_rows};
  const LevelOptions one{1, components * largest, 1}, options{streams, components * largest, 8};
  const LevelSchedule alone = make_level_schedule(arrays, one), dealt = make_level_schedule(arrays, options);
  const auto kind = [&](const std::vector<std::int32_t>& run, double longest, double all) {
    const auto steps = static_cast<double>(run.size() - 1) / streams;
    std::printf(" %.0f | %.1f | %.1f |", steps, run.back() / steps, all / longest);
  };
  std::printf("| %s | %lld | %zu | %lld |", program.name.c_str(), static_cast<long long>(components),
              dealt.waves.size(), static_cast<long long>(dealt.num_factor_slots));
  kind(dealt.factor_run, dealt.factor_cost, alone.factor_cost);
  kind(dealt.solve_run, dealt.solve_cost, alone.solve_cost);
  kind(dealt.visit_run, dealt.visit_cost, alone.visit_cost);
  std::printf(" %.1f |\n", alone.sum_cost / dealt.sum_cost);
}

void print_mapping(const Program& program, const char* what, const Mapping& threads, const Mapping& levels,
                   const Mapping& chosen) {
  std::printf("| %s | %s | %s | %.3g ms | %s | %.3g ms | %s |\n", program.name.c_str(), what,
              threads.to_string().c_str(), 1e-3 * threads.microseconds, levels.to_string().c_str(),
              1e-3 * levels.microseconds, chosen.by_levels ? "levels" : "threads");
}

/// A grid of 100 x 100 by fronts (decision 0039).
void print_fronts() {
  const Prc prc = eliminate(cli::grid_walk(100).graph);
  const PrcArrays arrays = by_level(prc.arrays());
  const FrontCount alone = count_fronts(arrays, 1, 1), tiles = count_fronts(arrays, 2, 2);
  std::printf(
      "\ngrid_100x100 by fronts: %.3g M multiply-adds of %.3g M in factors; numbers a multiply-add %.2f, in tiles of "
      "2 x 2 %.2f\n\n| what | lanes | predicted | one thread's way | what moves |\n|---|---|---|---|---|\n",
      1e-6 * alone.multiply_adds, 1e-6 * static_cast<double>(arrays.cost.factor_multiply_adds),
      alone.numbers / alone.multiply_adds, tiles.numbers / tiles.multiply_adds);
  const auto print = [&](const char* what, const LaneWork& work, const Mapping& mapping, std::int64_t lanes) {
    // Of many lanes what moves is all that counts, of one the way of its thread.
    const auto at = [&](std::int64_t count) { return 1e-3 * predict_microseconds(arrays, work, mapping, count, {}); };
    std::printf("| %s | %lld | %.3g ms | %.3g ms | %.3g ms |\n", what, static_cast<long long>(lanes), at(lanes), at(1),
                at(kManyLanes) * static_cast<double>(lanes) / kManyLanes);
  };
  for (const bool gradient : {false, true}) {
    const MomentLaneShape shape = moment_lane_shape(arrays, 1, gradient);
    const Mapping mapping = map_moments(arrays, shape, kManyLanes, {});
    for (const std::int64_t lanes : {1000, 10'000})
      print(gradient ? "mean with gradient" : "mean", work_of(arrays.view(), shape), mapping, lanes);
  }
  for (const bool gradient : {false, true}) {
    const TransformLaneShape shape = transform_lane_shape(arrays, true, false, gradient);
    const Mapping mapping = map_transforms(arrays, shape, kManyLanes, {});
    for (const std::int64_t lanes : {48'000, 480'000})
      print(gradient ? "transforms with gradient" : "transforms", work_of(arrays.view(), shape), mapping, lanes);
  }
}

}  // namespace

void print_device_plans() {
  const std::vector<Program> programs = make_programs();
  std::printf(
      "| program | rows | components | levels | value slots by levels, as eliminated |\n|---|---|---|---|---|\n");
  for (const Program& program : programs)
    std::printf("| %s | %zu | %zu | %lld | %d, %d |\n", program.name.c_str(), program.arrays.rows.size(),
                program.arrays.components.size(), static_cast<long long>(program.arrays.cost.num_levels),
                program.arrays.num_value_slots, program.own_value_slots);

  constexpr std::int32_t kStreams = 8;
  std::printf(
      "\n%d streams: steps | tasks a step | faster than one stream\n\n| program | largest components at a time | waves "
      "|"
      " factor slots | factors | | | solve | | | transposed | | | edges |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
      kStreams);
  for (const Program& program : programs)
    for (const std::int64_t components : {1, 4}) print_schedule(program, kStreams, components);

  constexpr std::int64_t kParticles = 10'000, kNodes = 48;
  std::printf(
      "\n| program | what | threads | predicted | levels | predicted | chosen |\n|---|---|---|---|---|---|---|\n");
  for (const Program& program : programs) {
    for (const bool gradient : {false, true}) {
      const auto mapping = [&](MappingChoice choice) {
        return map_moments(program.arrays, moment_lane_shape(program.arrays, 1, gradient), kParticles, {}, choice);
      };
      print_mapping(program, gradient ? "mean with gradient, 10,000 lanes" : "mean, 10,000 lanes",
                    mapping(MappingChoice::kThreads), mapping(MappingChoice::kLevels), mapping(MappingChoice::kAuto));
    }
    for (const bool gradient : {false, true}) {
      const auto mapping = [&](MappingChoice choice) {
        return map_transforms(program.arrays, transform_lane_shape(program.arrays, true, false, gradient),
                              kParticles * kNodes, {}, choice);
      };
      print_mapping(program, gradient ? "transforms with gradient, 480,000 lanes" : "transforms, 480,000 lanes",
                    mapping(MappingChoice::kThreads), mapping(MappingChoice::kLevels), mapping(MappingChoice::kAuto));
    }
  }
  print_fronts();
}

}  // namespace sojourn::bench
