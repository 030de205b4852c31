#include <gtest/gtest.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <vector>

#include "sojourn/families.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {
namespace {

/// Bytes that the program has asked for and not given back; 0 where the library does not tell.
double allocated() {
#ifdef __GLIBC__
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
#else
  return 0;
#endif
}

std::vector<double> spread_times(int count) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) times.push_back(0.05 + 3.0 * ((i * 7919) % count) / count);
  return times;
}

struct Held {
  double made, evaluated;  ///< allocated by making a posterior, and by its first evaluation with gradient
  PosteriorBytes counted;
};

Held held_by(int samples, int num_times, DataCompression compression) {
  Model model = coalescent_blocks(samples);
  const std::vector<double> reward = model.graph.unit_reward();
  Observations data = exact_observations(spread_times(num_times), TimeKind::kContinuous, "made up");
  const Prc prc = eliminate(model.graph);
  const double before = allocated();
  EvaluatorOptions options;
  options.num_threads = 1;
  const Posterior posterior(model, std::move(data), {{"theta", Prior(PriorFamily::kLognormal, 0, 1)}}, {}, reward,
                            options, compression, {.prc = prc, .data_are_possible = true, .held = {}});
  const double made = allocated() - before;
  Matrix<double> z(1, 1), score(1, 1);
  std::vector<double> value(1);
  std::vector<std::string> status;
  Matrix<double> theta(1, 1, 1.0);
  posterior.log_likelihood(theta.view(), value, score.view(), status);
  return {made, allocated() - before - made, posterior.bytes()};
}

/// The observations were there before, but are counted; the program is shared with the one that was made before.
TEST(PosteriorBytes, AreWhatIsAllocated) {
  if (allocated() == 0) GTEST_SKIP() << "the allocator does not tell what it holds";
  for (const DataCompression compression : {DataCompression::kOff, DataCompression::kAuto}) {
    for (const int samples : {8, 20}) {
      const Held held = held_by(samples, 4000, compression);
      const double items = static_cast<double>(sizeof(Observation) + 8) * 4000;
      const auto tables = static_cast<double>(held.counted.graph + held.counted.data) - items;
      EXPECT_NEAR(held.made / tables, 1, 0.15)
          << samples << " samples, " << to_string(compression) << ": " << held.made;
      // What is filled is counted; arrays for derivatives by the shift and for the other transform stay untouched, and
      // are half of what is allocated at most.
      const auto workspace = static_cast<double>(held.counted.workspace);
      EXPECT_GT(held.evaluated, 0.9 * workspace) << samples << " samples, " << to_string(compression);
      EXPECT_LT(held.evaluated, 2.3 * workspace) << samples << " samples, " << to_string(compression);
    }
  }
}

TEST(PosteriorBytes, GrowWithWhatThereIs) {
  const PosteriorBytes small = held_by(8, 500, DataCompression::kOff).counted;
  const PosteriorBytes more_data = held_by(8, 5000, DataCompression::kOff).counted;
  const PosteriorBytes more_states = held_by(20, 500, DataCompression::kOff).counted;
  EXPECT_NEAR(static_cast<double>(more_data.data) / static_cast<double>(small.data), 10, 1.5);
  EXPECT_EQ(more_data.program, small.program);
  EXPECT_GT(more_states.program, 10 * small.program);
  EXPECT_GT(more_states.workspace, 2 * small.workspace);
  EXPECT_LT(more_states.curve, more_states.workspace);
}

}  // namespace
}  // namespace sojourn
