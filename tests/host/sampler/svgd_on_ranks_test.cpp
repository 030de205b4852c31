#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <mutex>
#include <thread>

#include "comm/thread_group.hpp"
#include "common/random.hpp"
#include "host/sampler/calibration.hpp"
#include "host/sampler/host_loop_svgd.hpp"
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
  const std::int64_t share = kNumParticles / kNumRanks;
  for (std::size_t rank = 1; rank < rows.size(); ++rank) EXPECT_EQ(rows[rank], share * (options.num_iterations + 1));
  EXPECT_EQ(rows[0], share * (options.num_iterations + 2)) << "once more at the end, to time them alone";
}

/// A target that waits as long as it is told for each row, so that what one rank would need is known.
class SlowTarget final : public Target {
 public:
  SlowTarget(const Target& target, double seconds) : target_(target), seconds_(seconds) {}
  [[nodiscard]] std::int32_t dimension() const override { return target_.dimension(); }
  void evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                std::vector<std::string>& status) const override {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds_ * static_cast<double>(z.num_rows())));
    target_.evaluate(z, log_density, score, status);
  }
  void sample_prior(std::uint64_t seed, MatrixView<double> z) const override { target_.sample_prior(seed, z); }

 private:
  const Target& target_;
  double seconds_;
};

/// Lower bounds alone, as sleeps take no less than they are told and a busy machine makes everything longer.
TEST(SvgdOnRanks, KnowsWhatOneRankWouldTake) {
  const auto target = testing::log_gamma(3, 1);
  constexpr double kSecondsPerRow = 2e-4;
  SvgdOptions options = short_run(30);
  options.start = StartKind::kPrior;
  options.num_iterations = 10;
  std::mutex mutex;
  std::vector<RankEfficiency> found;
  run_thread_ranks(3, [&](Communicator& comm) {
    const SlowTarget slow(target, kSecondsPerRow);
    const SvgdResult result = svgd(slow, options, comm);
    const std::lock_guard lock(mutex);
    found.push_back(result.on_ranks);
  });
  for (const RankEfficiency& one : found) {
    EXPECT_GE(one.seconds_alone, 30 * kSecondsPerRow);
    EXPECT_GE(one.seconds_iteration, 10 * kSecondsPerRow);
    EXPECT_EQ(one.efficiency, one.seconds_alone / (3 * one.seconds_iteration));
    EXPECT_EQ(one.seconds_alone, found[0].seconds_alone) << "all ranks say the same";
  }
  EXPECT_EQ(svgd(target, options).on_ranks.seconds_iteration, 0) << "one rank has nothing to compare with";
  run_thread_ranks(2, [&](Communicator& comm) {
    const auto stop = [](const SvgdProgress& now) { return now.iteration < 2; };
    SvgdOptions own = options;
    own.num_iterations = 1'000'000;
    const SvgdControl control{.progress = stop, .report_every = 1};
    EXPECT_EQ(svgd(target, own, comm, control).on_ranks.seconds_iteration, 0) << "stopped";
  });
}

/// A target of terms that no order but one sums to the same bits; counts the terms it was asked for.
class Terms final : public PartedTarget {
 public:
  explicit Terms(std::int64_t num_parts) : num_parts_(num_parts) {}
  [[nodiscard]] std::int32_t dimension() const override { return 2; }
  [[nodiscard]] std::int64_t num_parts() const override { return num_parts_; }
  [[nodiscard]] std::int64_t part_shares() const override { return handed_out; }
  void evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                std::vector<std::string>& status) const override {
    Matrix<double> terms(z.num_rows() * static_cast<std::size_t>(num_parts_), score.empty() ? 1 : 3);
    std::vector<std::string> part_status;
    evaluate_parts(z, 0, num_parts_, terms.view(), part_status);
    join_parts(z, terms.view(), part_status, log_density, score, status);
  }
  void evaluate_parts(MatrixView<const double> z, std::int64_t first, std::int64_t last, MatrixView<double> terms,
                      std::vector<std::string>& status) const override {
    const auto parts = static_cast<std::size_t>(last - first);
    status.assign(z.num_rows() * parts, {});
    for (std::size_t k = 0; k < terms.num_rows(); ++k, ++num_terms) {
      const auto part = static_cast<double>(first + static_cast<std::int64_t>(k % parts));
      const double place = 0.1 * std::sin(part), weight = std::exp(-part) / 2;
      const std::span<const double> x = z.row(k / parts);
      terms(k, 0) = -weight * ((x[0] - place) * (x[0] - place) + x[1] * x[1]);
      if (terms.num_cols() > 1) {
        terms(k, 1) = -2 * weight * (x[0] - place);
        terms(k, 2) = -2 * weight * x[1];
      }
      if (std::abs(x[0]) > reach) status[k] = "part " + std::to_string(static_cast<int>(part)) + " ends here";
    }
  }
  void join_parts(MatrixView<const double> z, MatrixView<const double> terms, std::span<const std::string> part_status,
                  std::span<double> log_density, MatrixView<double> score,
                  std::vector<std::string>& status) const override {
    for (std::size_t i = 0; i < z.num_rows(); ++i) {
      double sums[3] = {};
      for (std::size_t k = i * static_cast<std::size_t>(num_parts_); k < (i + 1) * static_cast<std::size_t>(num_parts_);
           ++k) {
        for (std::size_t c = 0; c < terms.num_cols(); ++c) sums[c] += terms(k, c);
        if (status[i].empty()) status[i] = part_status[k];
      }
      log_density[i] = status[i].empty() ? sums[0] : std::numeric_limits<double>::quiet_NaN();
      for (std::size_t c = 0; c < score.num_cols(); ++c) score(i, c) = sums[1 + c];
    }
  }
  void sample_prior(std::uint64_t seed, MatrixView<double> z) const override {
    for (std::size_t i = 0; i < z.num_rows(); ++i) {
      PhiloxStream random(seed, 1, i);
      for (double& x : z.row(i)) x = random.next_normal();
    }
  }
  double reach = 1e300;
  std::int64_t handed_out = 0;
  mutable std::atomic<std::int64_t> num_terms{0};

 private:
  std::int64_t num_parts_;
};

/// Any mesh of ranks gives the bits of one process: parts are fixed and summed in their order, whoever evaluated them.
TEST(SvgdOnRanks, GivesTheBitsOfOneProcessOnEveryMesh) {
  for (const std::int64_t num_parts : {1, 5, 8}) {
    for (const std::int64_t num_particles : {2, 19}) {
      const Terms target(num_parts);
      SvgdOptions options = short_run(num_particles);
      options.num_iterations = 12;
      const SvgdResult one = svgd(target, options);
      for (const auto& [num_ranks, shares] :
           {std::pair{2, 2}, {3, 3}, {4, 0}, {4, 1}, {4, 2}, {4, 4}, {6, 2}, {6, 3}, {7, 0}, {7, 7}}) {
        SCOPED_TRACE(std::to_string(num_ranks) + " ranks, " + std::to_string(shares) + " part shares");
        std::mutex mutex;
        run_thread_ranks(num_ranks, [&, shares = shares](Communicator& comm) {
          const SvgdResult many = svgd(target, options, comm, SvgdControl{.num_part_shares = shares});
          const std::lock_guard lock(mutex);
          expect_same_bits(one, many);
          if (shares > 0 && num_parts > 1) {
            EXPECT_EQ(many.on_ranks.part_shares, shares);
          }
          EXPECT_EQ(many.on_ranks.particle_shares * many.on_ranks.part_shares, comm.size());
        });
      }
    }
  }
}

TEST(SvgdOnRanks, AMeshOfPartsMovesNoParticlesOnDevices) {
  run_thread_ranks(2, [&](Communicator& comm) {
    const Terms target(5);
    testing::HostLoopSvgd directions;
    SvgdOptions options = short_run(6);
    options.num_iterations = 3;
    const DeviceIterations there =
        svgd(target, options, comm, SvgdControl{.num_part_shares = 2, .device = &directions}).on_device;
    EXPECT_EQ(there.num_resident, 0);
    EXPECT_EQ(there.why_not_resident, "ranks share out the observations of each particle");
    EXPECT_EQ(there.messages, "");
  });
}

/// Every term is evaluated once, by one rank.
TEST(SvgdOnRanks, AMeshSharesTheTermsOut) {
  std::vector<std::int64_t> counts(6);
  constexpr std::size_t kRows = 10;
  run_thread_ranks(6, [&](Communicator& comm) {
    const Terms target(7);
    const ShardedTarget sharded(target, comm, kRows, 3);
    EXPECT_EQ(sharded.mesh().row_shares, 2);
    Matrix<double> z(kRows, 2, 0.5), score(kRows, 2);
    std::vector<double> log_density(kRows);
    std::vector<std::string> status(kRows);
    sharded.evaluate(z.view(), log_density, score.view(), status);
    counts[static_cast<std::size_t>(comm.rank())] = target.num_terms;
  });
  // 5 rows each; 7 parts in shares of 2, 2 and 3.
  EXPECT_EQ(counts, (std::vector<std::int64_t>{10, 10, 15, 10, 10, 15}));
}

/// Parts that are handed out decide how ranks stand, whatever would be the least work.
TEST(SvgdOnRanks, StandAsTheirPartsWereHandedOut) {
  run_thread_ranks(6, [&](Communicator& comm) {
    Terms target(7);
    target.handed_out = 3;
    EXPECT_EQ(ShardedTarget(target, comm, 1000).mesh().part_shares, 3);
    EXPECT_EQ(ShardedTarget(target, comm, 1000, 3).mesh().row_shares, 2);
    EXPECT_THROW(ShardedTarget(target, comm, 1000, 2), UsageError);
    target.handed_out = 4;
    EXPECT_THROW(ShardedTarget(target, comm, 1000), UsageError);
  });
}

/// A term that cannot be evaluated has its text on every rank, that of the first part.
TEST(SvgdOnRanks, AMeshSharesTheTexts) {
  run_thread_ranks(4, [&](Communicator& comm) {
    Terms target(5);
    target.reach = 1;
    const ShardedTarget sharded(target, comm, 3, 2);
    Matrix<double> z(3, 2, 0.5);
    z(1, 0) = 2;
    std::vector<double> log_density(3);
    std::vector<std::string> status(3);
    sharded.evaluate(z.view(), log_density, {}, status);
    EXPECT_EQ(status, (std::vector<std::string>{"", "part 0 ends here", ""}));
    EXPECT_TRUE(std::isnan(log_density[1]));
    EXPECT_FALSE(std::isnan(log_density[2]));
  });
}

TEST(RankMesh, IsTheOneWithTheLeastOnTheBusiestRank) {
  const auto mesh = [](std::int64_t rows, std::int64_t parts, int ranks, std::int64_t shares = 0) {
    const RankMesh found = choose_mesh(rows, parts, ranks, shares);
    return std::pair(found.row_shares, found.part_shares);
  };
  using Shares = std::pair<std::int64_t, std::int64_t>;
  EXPECT_EQ(mesh(1000, 60, 8), Shares(8, 1)) << "particles are enough";
  EXPECT_EQ(mesh(100, 1, 64), Shares(64, 1)) << "nothing else to share";
  EXPECT_EQ(mesh(100, 1, 64, 2), Shares(64, 1)) << "whatever is asked for";
  EXPECT_EQ(mesh(4, 60, 16), Shares(4, 4));
  EXPECT_EQ(mesh(1, 60, 7), Shares(1, 7));
  // Whole particles leave 56 of 256 ranks idle, and the others have 60 parts each; here all have 25 x 2.
  EXPECT_EQ(mesh(200, 60, 256), Shares(8, 32));
  EXPECT_EQ(mesh(1000, 60, 8, 2), Shares(4, 2));
  EXPECT_EQ(mesh(1000, 60, 8, 8), Shares(1, 8));
  for (const std::int64_t bad : {std::int64_t{3}, std::int64_t{16}, std::int64_t{-1}}) {
    try {
      choose_mesh(1000, 60, 8, bad);
      ADD_FAILURE() << bad;
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("give a divisor of 8"));
    }
  }
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
