// A communicator that fails at each of its calls in turn, under a whole run of several ranks: every rank ends, one of
// them with the fault and the others naming it, and the last state that was handed out resumes to the same bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <thread>

#include "comm/thread_group.hpp"
#include "comm/wrapped_communicator.hpp"
#include "host/sampler/calibration.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;

constexpr int kNumRanks = 3;

SvgdOptions short_run() {
  SvgdOptions options;
  options.num_particles = 35;  // three blocks of 16 on three ranks, the last of them not full
  options.num_iterations = 4;
  options.start = StartKind::kPrior;
  options.num_threads = 1;
  return options;
}

/// What became of a run of which one rank's communicator has a fault.
struct Outcome {
  std::vector<std::string> errors = std::vector<std::string>(kNumRanks);  ///< "" where a rank came to its end
  std::optional<SvgdState> last;                                          ///< handed out to rank 0
  std::int64_t num_calls = 0;                                             ///< that the faulty rank came through
};

Outcome run_with_fault(const Target& target, int faulty_rank, std::int64_t sequence,
                       const std::function<void()>& fault) {
  Outcome outcome;
  const auto run = [&](Communicator& comm) {
    const auto rank = static_cast<std::size_t>(comm.rank());
    const auto faulty = make_faulty_communicator(
        make_logged_communicator(comm.duplicate(),
                                 [&](const std::string& line) {
                                   if (comm.rank() == faulty_rank && line.find("| done") != line.npos)
                                     ++outcome.num_calls;
                                 }),
        comm.rank() == faulty_rank ? sequence : 0, fault);
    SvgdControl control{.report_every = 1};
    control.wants_state = [&](std::int64_t) { return rank == 0; };
    control.take_state = [&](const SvgdState& state) {
      if (rank == 0) outcome.last = state;
    };
    try {
      svgd(target, short_run(), *faulty, control);
    } catch (const CommError& error) {
      outcome.errors[rank] = error.what();
      throw;
    }
  };
  if (sequence == 0) {
    run_thread_ranks(kNumRanks, run);
  } else {
    EXPECT_THROW(run_thread_ranks(kNumRanks, run), CommError);
  }
  return outcome;
}

TEST(FaultsOnRanks, AnErrorAtAnyCallEndsAllRanksAndLosesNothing) {
  const auto target = testing::sheared_gaussian(2, 0.5, {1.0, 0.2});
  const SvgdResult whole = svgd(target, short_run());
  for (int faulty_rank = 0; faulty_rank < kNumRanks; ++faulty_rank) {
    const std::int64_t num_calls = run_with_fault(target, faulty_rank, 0, [] {}).num_calls;
    // A few calls an iteration, so that the test is about something.
    ASSERT_GT(num_calls, 4 * short_run().num_iterations);
    std::int64_t num_resumed = 0;
    for (std::int64_t sequence = 1; sequence <= num_calls; ++sequence) {
      SCOPED_TRACE("call " + std::to_string(sequence) + " of rank " + std::to_string(faulty_rank));
      const Outcome outcome =
          run_with_fault(target, faulty_rank, sequence, [] { throw CommError("the cable was pulled"); });
      EXPECT_EQ(outcome.num_calls, sequence - 1);
      for (int rank = 0; rank < kNumRanks; ++rank) {
        const std::string& error = outcome.errors[static_cast<std::size_t>(rank)];
        if (rank == faulty_rank)
          EXPECT_EQ(error, "the cable was pulled");
        else
          EXPECT_EQ(error, "rank " + std::to_string(faulty_rank) + " has ended");
      }
      if (!outcome.last) continue;
      ++num_resumed;
      const SvgdResult resumed = svgd(target, short_run(), SvgdControl{.resume = &*outcome.last});
      EXPECT_EQ(resumed.particles.values(), whole.particles.values());
      EXPECT_EQ(resumed.trace_step, whole.trace_step);
    }
    EXPECT_GT(num_resumed, num_calls / 2);
  }
}

/// A rank that is late at one call changes nothing but the time.
TEST(FaultsOnRanks, ALateRankIsWaitedFor) {
  const auto target = testing::sheared_gaussian(2, 0.5, {1.0, 0.2});
  const SvgdResult whole = svgd(target, short_run());
  const std::int64_t num_calls = run_with_fault(target, 1, 0, [] {}).num_calls;
  for (std::int64_t sequence = 1; sequence <= num_calls; sequence += 3) {
    std::mutex mutex;
    run_thread_ranks(kNumRanks, [&](Communicator& comm) {
      const auto late = make_faulty_communicator(comm.duplicate(), comm.rank() == 1 ? sequence : 0,
                                                 [] { std::this_thread::sleep_for(std::chrono::milliseconds(2)); });
      const SvgdResult result = svgd(target, short_run(), *late);
      const std::lock_guard lock(mutex);
      EXPECT_EQ(result.particles.values(), whole.particles.values()) << "late at call " << sequence;
    });
  }
}

}  // namespace
}  // namespace sojourn
