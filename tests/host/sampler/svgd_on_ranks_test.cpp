#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <mutex>

#include "comm/thread_group.hpp"
#include "host/sampler/calibration.hpp"
#include "sampler/sharded_target.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

constexpr int kRankCounts[] = {1, 2, 3, 4, 7};

SvgdOptions short_run(std::int64_t num_particles) {
  SvgdOptions options;
  options.num_particles = num_particles;
  options.num_iterations = 25;
  options.num_threads = 1;
  return options;
}

void expect_same_bits(const SvgdResult& one, const SvgdResult& other) {
  EXPECT_EQ(one.particles.values(), other.particles.values());
  EXPECT_EQ(one.log_density, other.log_density);
  EXPECT_EQ(one.score.values(), other.score.values());
  EXPECT_EQ(one.trace_step, other.trace_step);
  EXPECT_EQ(one.map, other.map);
  ASSERT_EQ(one.diagnostics.size(), other.diagnostics.size());
  for (std::size_t k = 0; k < one.diagnostics.size(); ++k)
    EXPECT_EQ(one.diagnostics[k].value, other.diagnostics[k].value) << one.diagnostics[k].name;
}

TEST(RankRows, CoverEverythingInWholeUnits) {
  for (const std::int64_t count : {0, 1, 15, 16, 17, 37, 333}) {
    for (const std::int64_t unit : {1, 16}) {
      for (int num_ranks = 1; num_ranks < 9; ++num_ranks) {
        std::int64_t next = 0;
        for (int rank = 0; rank < num_ranks; ++rank) {
          const RankRows rows = rows_of_rank(count, unit, rank, num_ranks);
          EXPECT_EQ(rows.begin, next);
          EXPECT_GE(rows.end, rows.begin);
          EXPECT_TRUE(rows.end == count || rows.end % unit == 0);
          next = rows.end;
        }
        EXPECT_EQ(next, count);
      }
    }
  }
}

TEST(SvgdOnRanks, GivesTheBitsOfOneProcessOnEveryRank) {
  const auto target = testing::sheared_gaussian(2, 0.5, {1.0, 0.2});
  // More ranks than lane blocks, counts that no number of ranks divides, and enough for several blocks each.
  for (const std::int64_t num_particles : {5, 37, 333}) {
    for (const StartKind start : {StartKind::kLaplace, StartKind::kPrior}) {
      SvgdOptions options = short_run(num_particles);
      options.start = start;
      const SvgdResult one = svgd(target, options);
      for (const int num_ranks : kRankCounts) {
        SCOPED_TRACE(std::to_string(num_particles) + " particles on " + std::to_string(num_ranks) + " ranks");
        std::mutex mutex;
        int num_done = 0;
        run_thread_ranks(num_ranks, [&](Communicator& comm) {
          const SvgdResult many = svgd(target, options, comm);
          const std::lock_guard lock(mutex);
          expect_same_bits(one, many);
          ++num_done;
        });
        EXPECT_EQ(num_done, num_ranks);
      }
    }
  }
}

/// Evaluations are shared out: no rank does the others' work.
TEST(SvgdOnRanks, SharesTheEvaluationsOut) {
  constexpr int kNumRanks = 4;
  constexpr std::int64_t kNumParticles = 64;
  std::vector<std::int64_t> rows(kNumRanks, 0);
  SvgdOptions options = short_run(kNumParticles);
  options.start = StartKind::kPrior;
  run_thread_ranks(kNumRanks, [&](Communicator& comm) {
    std::int64_t& own = rows[static_cast<std::size_t>(comm.rank())];
    const testing::AnalyticTarget target(1, [&own](std::span<const double> z, std::span<double> score) {
      ++own;
      score[0] = -z[0];
      return -z[0] * z[0] / 2;
    });
    svgd(target, options, comm);
  });
  for (const std::int64_t own : rows) EXPECT_EQ(own, rows[0]);
  EXPECT_EQ(rows[0], kNumParticles / kNumRanks * (options.num_iterations + 1));
}

/// A particle that cannot be evaluated is the same error everywhere, with the text of the rank that met it.
TEST(SvgdOnRanks, AParticleErrorIsTheSameOnEveryRank) {
  const testing::AnalyticTarget target(1, [](std::span<const double> z, std::span<double> score) {
    score[0] = 40;
    return std::log(1 - z[0]);
  });
  SvgdOptions options = short_run(20);
  options.start = StartKind::kGiven;
  options.given = Matrix<double>(20, 1);
  for (std::size_t i = 0; i < 20; ++i) options.given(i, 0) = -0.01 * static_cast<double>(i);
  options.learning_rate = 1e3;
  std::string alone;
  try {
    svgd(target, options);
    FAIL() << "no particle left the support";
  } catch (const ParticleError& error) {
    alone = error.what();
  }
  std::mutex mutex;
  int num_errors = 0;
  run_thread_ranks(3, [&](Communicator& comm) {
    try {
      svgd(target, options, comm);
      ADD_FAILURE() << "went on";
    } catch (const ParticleError& error) {
      const std::lock_guard lock(mutex);
      EXPECT_EQ(std::string(error.what()), alone);
      ++num_errors;
    }
  });
  EXPECT_EQ(num_errors, 3);
}

TEST(SvgdOnRanks, ATargetThatThrowsOnOneRankEndsAll) {
  std::mutex mutex;
  int num_errors = 0;
  run_thread_ranks(3, [&](Communicator& comm) {
    const testing::AnalyticTarget target(1, [&](std::span<const double> z, std::span<double> score) {
      if (comm.rank() == 1 && z[0] > -100) throw IoError("disk is gone");
      score[0] = -z[0];
      return -z[0] * z[0] / 2;
    });
    try {
      svgd(target, short_run(30), comm);
      ADD_FAILURE() << "went on without rank 1";
    } catch (const CommError& error) {
      EXPECT_EQ(std::string(error.what()), "rank 1: disk is gone");
      const std::lock_guard lock(mutex);
      ++num_errors;
    }
  });
  EXPECT_EQ(num_errors, 3);
}

/// One rank's wish to stop ends all after the same iteration, and what they return is the same.
TEST(SvgdOnRanks, AnyRankMayStopTheRun) {
  const auto target = testing::log_gamma(3, 1);
  SvgdOptions options = short_run(40);
  options.num_iterations = 1'000'000;
  std::mutex mutex;
  std::vector<SvgdResult> results;
  run_thread_ranks(3, [&](Communicator& comm) {
    SvgdProgressFunction progress;
    if (comm.rank() == 2) progress = [](const SvgdProgress& now) { return now.iteration < 3; };
    SvgdResult result = svgd(target, options, comm, progress);
    const std::lock_guard lock(mutex);
    results.push_back(std::move(result));
  });
  ASSERT_EQ(results.size(), 3u);
  for (const SvgdResult& result : results) {
    EXPECT_TRUE(result.interrupted);
    EXPECT_GE(result.iterations_done, 3);
    expect_same_bits(results[0], result);
  }
}

}  // namespace
}  // namespace sojourn
