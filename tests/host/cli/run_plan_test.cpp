#include "cli/run_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sojourn::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A run whose evaluations take so many seconds each, on one thread.
RunPlan fake(double seconds_per_evaluation, std::int64_t particles = 1024, std::int64_t ranks = 1) {
  RunPlan plan;
  plan.num_particles = particles;
  plan.num_iterations = 100;
  plan.seconds_per_evaluation = seconds_per_evaluation;
  plan.seconds_scores = seconds_per_evaluation * 100 * static_cast<double>(particles);
  plan.seconds_total = plan.seconds_scores;
  plan.num_ranks = ranks;
  return plan;
}

TEST(RunPlan, IterationsOnRanks) {
  const RunPlan plan = fake(1e-3, 10);
  EXPECT_DOUBLE_EQ(iteration_seconds(plan, 1), 1e-2);
  // The largest block of ten particles on four ranks has three; two doublings, ten rows of a log density and twice one
  // coordinate.
  EXPECT_DOUBLE_EQ(iteration_seconds(plan, 4), 3e-3 + 2e-4 + 8 * 10 * 3 / 1e9);
  // More ranks than particles gain nothing.
  EXPECT_GT(iteration_seconds(plan, 32), iteration_seconds(plan, 16));
}

TEST(RunPlan, RanksAreAdvisedWhereALikelihoodTakesMilliseconds) {
  const RankAdvice brief = advise_ranks(fake(1e-5));
  EXPECT_EQ(brief.ranks, 1);
  EXPECT_THAT(brief.text, HasSubstr("too short for more ranks to matter"));
  EXPECT_EQ(brief.profile, "debug");
  RunPlan long_and_cheap = fake(1e-7);
  long_and_cheap.num_iterations = 10'000'000;
  long_and_cheap.seconds_total = long_and_cheap.seconds_scores = 1e-7 * 1024 * 1e7;
  const RankAdvice cheap = advise_ranks(long_and_cheap);
  EXPECT_EQ(cheap.ranks, 1);
  EXPECT_THAT(cheap.text, HasSubstr("more ranks would wait for each other"));
  const RankAdvice middling = advise_ranks(fake(1e-3));
  EXPECT_GT(middling.ranks, 1);
  EXPECT_THAT(middling.text, HasSubstr("threads of one machine serve"));
  const RankAdvice dear = advise_ranks(fake(5e-3));
  EXPECT_GT(dear.ranks, 100);
  EXPECT_THAT(dear.text, HasSubstr("one likelihood takes 5 ms of a core: up to"));
  EXPECT_EQ(dear.profile, "medium");
  EXPECT_GE(dear.efficiency, 0.9);
  EXPECT_LT(dear.seconds_total, fake(5e-3).seconds_total / 100);
  // The dearer, the more.
  std::int64_t before = 0;
  for (const double seconds : {1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1}) {
    const RankAdvice advice = advise_ranks(fake(seconds));
    EXPECT_GE(advice.ranks, before);
    EXPECT_LE(advice.ranks, 1024);
    before = advice.ranks;
  }
  // Time on all threads of a rank counts for each of them.
  RunPlan threads = fake(1e-3);
  threads.num_threads = 8;
  EXPECT_THAT(advise_ranks(threads).text, HasSubstr("one likelihood takes 8 ms of a core"));
}

TEST(RunPlan, RanksThatWereStarted) {
  EXPECT_THAT(advise_ranks(fake(1e-2, 1024, 4)).warnings, IsEmpty());
  EXPECT_THAT(advise_ranks(fake(1e-2, 3, 8)).warnings,
              ElementsAre(HasSubstr("5 of 8 ranks have none of the 3 particles; start at most 3")));
  EXPECT_THAT(advise_ranks(fake(1e-3, 1024, 1000)).warnings, ElementsAre(HasSubstr("1000 ranks are predicted to be")));
  const std::string text = plan_text(fake(1e-2, 3, 8));
  EXPECT_THAT(text, HasSubstr("warning: 5 of 8 ranks"));
  EXPECT_THAT(text, HasSubstr("on these 8 ranks"));
  EXPECT_THAT(plan_json(fake(1e-2, 3, 8)), HasSubstr("\"ranks\": 8"));
}

}  // namespace
}  // namespace sojourn::cli
