// Iterations that stay on the devices of several ranks: threads as ranks, each with a host loop in a device's place
// whose steps are done later and in order, and every route of rows between them. Wanted are the bits of one rank.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "comm/thread_group.hpp"
#include "device/comm/rank_stream.hpp"
#include "host/sampler/host_loop_svgd.hpp"
#include "host/sampler/resident_cases.hpp"

namespace sojourn {
namespace {

using fake_nccl::Fabric;
using fake_nccl::FakeMemory;
using fake_nccl::Fault;
using testing::fifty_iterations;
using ::testing::HasSubstr;
using testing::ResidentCase;

enum class Route { kNccl, kMpi, kHost };
constexpr Route kRoutes[] = {Route::kNccl, Route::kMpi, Route::kHost};
constexpr int kRankCounts[] = {2, 3, 4, 7};

/// How ranks run, and what goes wrong.
struct How {
  int num_ranks = 1;
  Route route = Route::kNccl;
  Fault fault = {};
  int failing_rank = -1;
  std::int64_t failing_step = 0;  ///< of that rank's device, from 1
  std::int64_t report_every = 0, stop_at = 0;
  const SvgdState* resume = nullptr;
  int rank_without_device = -1;
  int rank_that_knows_the_line = -1;  ///< has evaluated more particles than others
  double spoil_mixed = 0;
  int spoiled_rank = 0;
};

struct Ran {
  std::vector<SvgdResult> results;  ///< of each rank
  std::vector<DeviceReport> reports;
  std::vector<CompressionReport> compressions;
  std::vector<double> error_bounds;           ///< of each rank, the largest of any law's
  std::vector<std::string> errors;            ///< of each rank; empty where it went on
  std::vector<std::string> ended_by;          ///< what `end_all` was told
  SvgdState last;                             ///< that rank 0 saw
  std::int64_t num_calls = 0, num_steps = 0;  ///< of rank 0: of NCCL, of its device
  bool was_killed = false;
};

Posterior posterior_of(const ResidentCase& one) {
  EvaluatorOptions evaluator;
  evaluator.num_threads = 1;
  return {one.model, one.data, one.priors, {}, one.model.graph.unit_reward(), evaluator};
}

Ran run_ranks(const ResidentCase& one, const SvgdOptions& options, const How& how) {
  const auto count = static_cast<std::size_t>(how.num_ranks);
  Ran ran;
  ran.results.resize(count);
  ran.reports.resize(count);
  ran.compressions.resize(count);
  ran.error_bounds.resize(count);
  ran.errors.resize(count);
  std::mutex mutex;
  Fabric fabric(how.num_ranks, how.fault);
  const auto body = [&](Communicator& threads) {
    const auto own = static_cast<std::size_t>(threads.rank());
    testing::TakesDeviceMemory ranks(threads.duplicate());
    const auto load = [&] {
      // Missing on one rank alone.
      if (how.route != Route::kNccl && threads.rank() == how.num_ranks - 1)
        throw CommError("NCCL cannot be opened: not here");
      return fabric.table(threads.rank());
    };
    testing::RankStream stream(fabric, threads.rank(), load, [&](std::int64_t step) {
      if (threads.rank() == how.failing_rank && step == how.failing_step)
        throw DeviceError("step " + std::to_string(step) + " cannot be launched");
    });
    const auto device = std::make_shared<testing::HostLoopDevice>(1e12, &stream);
    if (threads.rank() == how.spoiled_rank) device->spoil_mixed = how.spoil_mixed;
    testing::HostLoopSvgd directions;
    try {
      Posterior posterior = posterior_of(one);
      const bool has_device = threads.rank() != how.rank_without_device;
      if (has_device) posterior.use_device(device);
      if (threads.rank() == how.rank_that_knows_the_line) {
        Matrix<double> places(81, 1), score(81, 1);
        for (std::size_t i = 0; i < 81; ++i) places(i, 0) = -4 + 0.1 * static_cast<double>(i);
        std::vector<double> log_density(81);
        std::vector<std::string> status(81);
        posterior.evaluate(places.view(), log_density, score.view(), status);
      }
      SvgdControl control{
          .report_every = how.report_every, .resume = how.resume, .device = has_device ? &directions : nullptr};
      control.messages.cuda_aware_mpi = how.route == Route::kMpi ? "1" : "0";
      control.messages.grace = std::chrono::duration<double>(how.fault.kind == Fault::kAsyncQuiet ? 0.05 : 20);
      control.messages.end_all = [&](const std::string& text) {
        {
          const std::lock_guard lock(mutex);
          ran.ended_by.push_back(text);
        }
        fabric.kill();
      };
      control.progress = [&](const SvgdProgress& now) { return how.stop_at == 0 || now.iteration < how.stop_at; };
      control.wants_state = [&](std::int64_t) { return threads.rank() == 0; };
      control.take_state = [&](const SvgdState& state) {
        if (threads.rank() == 0) ran.last = state;
      };
      control.finish = control.take_state;
      ran.results[own] = svgd(posterior, options, static_cast<Communicator&>(ranks), control);
      ran.reports[own] = posterior.device_report();
      ran.compressions[own] = posterior.compression();
      ran.error_bounds[own] = posterior.route_counts().worst_error_bound;
    } catch (const Error& error) {
      const std::lock_guard lock(mutex);
      ran.errors[own] = error.what();
    }
    if (own == 0) ran.num_steps = stream.num_steps;
  };
  try {
    run_thread_ranks(how.num_ranks, body);
  } catch (const fake_nccl::Killed&) {
    ran.was_killed = true;
  }
  ran.num_calls = fabric.num_calls(0);
  return ran;
}

/// The same on one rank, whose steps are done at once.
Ran run_alone(const ResidentCase& one, const SvgdOptions& options) {
  Ran ran;
  Posterior posterior = posterior_of(one);
  posterior.use_device(std::make_shared<testing::HostLoopDevice>());
  testing::HostLoopSvgd directions;
  ran.results.push_back(svgd(posterior, options, SvgdControl{.device = &directions}));
  ran.reports.push_back(posterior.device_report());
  ran.compressions.push_back(posterior.compression());
  return ran;
}

void expect_same_bits(const SvgdResult& got, const SvgdResult& wanted) {
  EXPECT_EQ(got.particles.values(), wanted.particles.values());
  EXPECT_EQ(got.score.values(), wanted.score.values());
  EXPECT_EQ(got.log_density, wanted.log_density);
  EXPECT_EQ(got.trace_mean_log_density, wanted.trace_mean_log_density);
  EXPECT_EQ(got.trace_step, wanted.trace_step);
  ASSERT_EQ(got.history.size(), wanted.history.size());
  for (std::size_t k = 0; k < got.history.size(); ++k)
    EXPECT_EQ(got.history[k].particles.values(), wanted.history[k].particles.values());
}

/// On every rank of every count by every route, or by one of them.
void expect_bits_of_one(const ResidentCase& one, const SvgdOptions& options, bool by_all_routes = false) {
  const Ran alone = run_alone(one, options);
  const DeviceIterations& wanted = alone.results[0].on_device;
  ASSERT_EQ(wanted.num_resident, options.num_iterations);
  int turn = 0;
  for (const int num_ranks : kRankCounts) {
    for (const Route route : kRoutes) {
      if (!by_all_routes && static_cast<int>(route) != turn++ % 3) continue;
      SCOPED_TRACE(std::to_string(num_ranks) + " ranks, route " + std::to_string(static_cast<int>(route)));
      const Ran ran = run_ranks(one, options, {.num_ranks = num_ranks, .route = route});
      std::int64_t num_served = 0;
      for (std::size_t rank = 0; rank < ran.results.size(); ++rank) {
        ASSERT_EQ(ran.errors[rank], "");
        expect_same_bits(ran.results[rank], alone.results[0]);
        const DeviceIterations& there = ran.results[rank].on_device;
        EXPECT_EQ(there.num_resident, wanted.num_resident);
        EXPECT_EQ(there.num_halts, wanted.num_halts);
        EXPECT_EQ(there.why_not_resident, "");
        EXPECT_EQ(there.messages, route == Route::kNccl  ? "NCCL 2.28.9"
                                  : route == Route::kMpi ? "CUDA-aware MPI"
                                                         : "the host's memory (rank " + std::to_string(num_ranks - 1) +
                                                               ": NCCL cannot be opened: not here)");
        // Which rows are looked at depends on turns, and these on time.
        EXPECT_EQ(ran.results[rank].direction_check.num_checks > 0, options.precision == DirectionPrecision::kMixed);
        EXPECT_EQ(ran.results[rank].direction_check.worst_error, ran.results[0].direction_check.worst_error);
        EXPECT_LT(ran.results[rank].direction_check.worst_error, 5e-7);
        num_served += ran.reports[rank].num_served + ran.reports[rank].num_on_cpu();
      }
      EXPECT_EQ(ran.num_calls > 0, route == Route::kNccl);
      // Nobody evaluates what another rank does. On a line all ranks make all cells.
      if (one.model.parameters.size() > 1) {
        EXPECT_EQ(num_served, alone.reports[0].num_served + alone.reports[0].num_on_cpu());
      }
    }
  }
}

/// Divisible and not, fewer particles than ranks, a block of directions and several.
TEST(CloudOnRanks, GivesTheBitsOfOneRank) {
  const ResidentCase one = testing::two_demes();
  for (const std::int64_t num_particles : {5, 40, 133}) {
    SCOPED_TRACE(num_particles);
    SvgdOptions options = fifty_iterations(num_particles);
    options.num_iterations = 8;
    options.history_every = 3;
    if (num_particles == 133) options.start = StartKind::kLaplace;
    expect_bits_of_one(one, options, num_particles == 40);
  }
  SvgdOptions options = fifty_iterations(70);
  options.num_iterations = 8;
  options.kernel = Kernel::kRbf;
  options.optimizer = Optimizer::kGradient;
  options.whiten = false;
  expect_bits_of_one(one, options);
}

/// Which particles are left open, and whether they stay so, is on all ranks what one of them alone finds.
TEST(CloudOnRanks, HaltsTogether) {
  SvgdOptions options = fifty_iterations(15);
  options.num_iterations = 6;
  expect_bits_of_one(testing::triangle_of_pairs(), options, true);
  const ResidentCase narrow = testing::narrow_support();
  options.learning_rate = 0.6;
  options.schedule = ScheduleKind::kConstant;
  options.num_particles = 30;
  options.num_iterations = 25;
  expect_bits_of_one(narrow, options);
  EXPECT_GT(run_alone(narrow, options).results[0].on_device.num_halts, 0);
}

/// One particle starts where its first step leaves the support, the others far from that.
TEST(CloudOnRanks, HaltsForAParticleOfOneRankAlone) {
  const ResidentCase narrow = testing::narrow_support();
  for (const std::size_t odd : {std::size_t{0}, std::size_t{10}, std::size_t{20}}) {
    SvgdOptions options = fifty_iterations(21);
    options.num_iterations = 4;
    options.start = StartKind::kGiven;
    options.learning_rate = 0.3;
    options.schedule = ScheduleKind::kConstant;
    options.given = Matrix<double>(21, 2);
    for (std::size_t i = 0; i < 21; ++i) {
      options.given(i, 0) = 3 + 0.03 * static_cast<double>(i);
      options.given(i, 1) = -1 + 0.1 * std::sin(static_cast<double>(i));
    }
    EXPECT_EQ(run_alone(narrow, options).results[0].on_device.num_halts, 0);
    options.given(odd, 1) = options.given(odd, 0) - 1e-4;
    EXPECT_GT(run_alone(narrow, options).results[0].on_device.num_halts, 0);
    expect_bits_of_one(narrow, options);
  }
}

TEST(CloudOnRanks, OneFreeParameter) {
  for (const ResidentCase& one : testing::on_a_line()) {
    // A prior start far from the data, so that particles of some ranks come to cells that are not made yet.
    SvgdOptions options = fifty_iterations(37);
    options.learning_rate = 0.3;
    expect_bits_of_one(one, options);
    const Ran alone = run_alone(one, options), ran = run_ranks(one, options, {.num_ranks = 3});
    std::int64_t num_answers = 0;
    for (const CompressionReport& report : ran.compressions) num_answers += report.num_line_answers;
    EXPECT_EQ(num_answers, alone.compressions[0].num_line_answers);
    // One rank has all cells already: it tries again with those that make new ones.
    for (const int rank : {0, 2}) {
      const Ran uneven = run_ranks(one, options, {.num_ranks = 3, .rank_that_knows_the_line = rank});
      for (std::size_t r = 0; r < 3; ++r) {
        EXPECT_EQ(uneven.errors[r], "");
        EXPECT_EQ(uneven.results[r].particles.values(), alone.results[0].particles.values());
      }
    }
  }
}

TEST(CloudOnRanks, MixedPrecision) {
  const ResidentCase one = testing::two_demes();
  SvgdOptions options = fifty_iterations(70);
  options.num_iterations = 8;
  options.precision = DirectionPrecision::kMixed;
  expect_bits_of_one(one, options);
  options.num_iterations = 60;
  // The first row of one rank's directions is wrong: the first check looks at the first block, the next at the second.
  for (const int rank : {0, 1}) {
    const Ran ran =
        run_ranks(one, options, {.num_ranks = 3, .report_every = 1, .spoil_mixed = 1e-2, .spoiled_rank = rank});
    for (const std::string& error : ran.errors) EXPECT_THAT(error, HasSubstr("mixed precision"));
  }
}

TEST(CloudOnRanks, ResumesOnAnotherNumberOfRanks) {
  for (const ResidentCase& one : {testing::two_demes(), testing::on_a_line()[1]}) {
    SvgdOptions options = fifty_iterations(41);
    options.num_iterations = 20;
    const SvgdResult whole = run_alone(one, options).results[0];
    SvgdState state;
    int before = 4;
    for (const int num_ranks : {1, 3, 7, 2}) {
      const std::int64_t stop = state.iteration + 4;
      const How how{.num_ranks = num_ranks,
                    .route = kRoutes[before % 3],
                    .report_every = 4,
                    .stop_at = stop,
                    .resume = state.iteration > 0 ? &state : nullptr};
      const Ran part = run_ranks(one, options, how);
      ASSERT_EQ(part.errors[0], "");
      EXPECT_TRUE(part.results[0].interrupted);
      state = part.last;
      ASSERT_EQ(state.iteration, stop);
      before = num_ranks;
    }
    const Ran rest = run_ranks(one, options, {.num_ranks = 4, .report_every = 4, .resume = &state});
    // Without a start, which each rank looks at for itself, all know the bounds of all particles.
    const Ran rest_alone = run_ranks(one, options, {.report_every = 4, .resume = &state});
    EXPECT_EQ(rest.error_bounds, std::vector<double>(4, rest_alone.error_bounds[0]));
    for (const CompressionReport& report : rest.compressions)
      EXPECT_EQ(report.worst_error, rest_alone.compressions[0].worst_error);
    for (const SvgdResult& result : rest.results) {
      EXPECT_EQ(result.particles.values(), whole.particles.values());
      EXPECT_EQ(result.log_density, whole.log_density);
      EXPECT_EQ(result.trace_step, whole.trace_step);
    }
  }
}

ResidentCase small_case() {
  return {cases::two_stages(),
          {{"a", Prior(PriorFamily::kLognormal, 0, 0.5)}, {"b", Prior(PriorFamily::kLognormal, 0, 0.5)}},
          testing::drawn_times(12)};
}
SvgdOptions small_options() {
  SvgdOptions options = fifty_iterations(7);
  options.num_iterations = 4;
  return options;
}

/// An error of NCCL at each call in turn: one message on all ranks, nobody hangs, and what was seen before is whole.
TEST(CloudOnRanks, AnErrorOfNcclAtAnyCallEndsAllRanks) {
  const ResidentCase one = small_case();
  const SvgdOptions options = small_options();
  const SvgdResult whole = run_alone(one, options).results[0];
  const std::int64_t num_calls = run_ranks(one, options, {.num_ranks = 3, .report_every = 1}).num_calls;
  // Id, start; of two exchanges an iteration at most three broadcasts in a group. 7 rows of directions are one block.
  ASSERT_EQ(num_calls, 2 + 4 * (3 + 5));
  std::int64_t last_kept = 0;
  for (const Fault::Kind kind : {Fault::kStatus, Fault::kAsync}) {
    for (std::int64_t call = 3; call <= num_calls; ++call) {
      const int rank = static_cast<int>(call % 3);
      if (rank > 0 && call == num_calls) continue;  // asks for no id
      SCOPED_TRACE("kind " + std::to_string(kind) + ", call " + std::to_string(call) + " of rank " +
                   std::to_string(rank));
      const Ran ran = run_ranks(one, options, {.num_ranks = 3, .fault = {kind, rank, call}, .report_every = 1});
      EXPECT_FALSE(ran.was_killed);
      EXPECT_TRUE(ran.ended_by.empty());
      for (const std::string& error : ran.errors) {
        EXPECT_EQ(error, ran.errors[0]);
        EXPECT_THAT(error, HasSubstr("nccl"));
      }
      EXPECT_EQ(ran.errors[0].rfind("rank " + std::to_string(rank) + ": ", 0), 0u) << ran.errors[0];
      // The state of the last report, as checkpoints keep it, goes on to the same end.
      EXPECT_GE(ran.last.iteration, (call - 3) / 8);
      last_kept = std::max(last_kept, ran.last.iteration);
      if (call % 5 != 0 || ran.last.particles.empty()) continue;
      const Ran rest = run_ranks(one, options, {.num_ranks = 2, .resume = &ran.last});
      EXPECT_EQ(rest.results[1].particles.values(), whole.particles.values());
    }
  }
  EXPECT_EQ(last_kept, 3);
}

/// Where NCCL fails on one rank without telling the others, they are ended, with the words of the one that knows.
TEST(CloudOnRanks, RanksThatAreNotToldAreEnded) {
  const Ran ran = run_ranks(small_case(), small_options(), {.num_ranks = 3, .fault = {Fault::kAsyncQuiet, 2, 11}});
  EXPECT_TRUE(ran.was_killed);
  ASSERT_EQ(ran.ended_by.size(), 1u);
  EXPECT_EQ(ran.ended_by[0].rfind("rank 2: call ", 0), 0u) << ran.ended_by[0];
}

/// A device that fails at any step, by any route.
TEST(CloudOnRanks, AFailureOfADeviceAtAnyStepEndsAllRanks) {
  const ResidentCase one = small_case();
  const SvgdOptions options = small_options();
  for (const Route route : kRoutes) {
    const std::int64_t num_steps = run_ranks(one, options, {.num_ranks = 3, .route = route}).num_steps;
    ASSERT_GT(num_steps, 100);
    for (std::int64_t step = 1; step <= num_steps; step += 11) {
      SCOPED_TRACE("route " + std::to_string(static_cast<int>(route)) + ", step " + std::to_string(step));
      const Ran ran =
          run_ranks(one, options, {.num_ranks = 3, .route = route, .failing_rank = 0, .failing_step = step});
      EXPECT_FALSE(ran.was_killed);
      EXPECT_TRUE(ran.ended_by.empty());
      for (const std::string& error : ran.errors)
        EXPECT_EQ(error, "rank 0: step " + std::to_string(step) + " cannot be launched");
    }
  }
}

TEST(CloudOnRanks, AStateThatIsNotThePosteriorsEndsAllRanks) {
  const ResidentCase one = testing::two_demes();
  const SvgdOptions options = fifty_iterations();
  for (const Route route : kRoutes) {
    SvgdState state = run_ranks(one, options, {.report_every = 5, .stop_at = 10}).last;
    ASSERT_EQ(state.iteration, 10);
    state.score(39, 1) += 1;  // the last rank's
    const Ran ran = run_ranks(one, options, {.num_ranks = 3, .route = route, .resume = &state});
    for (const std::string& error : ran.errors)
      EXPECT_THAT(error, HasSubstr("rank 2: host loop: the score of particle 39"));
  }
}

TEST(CloudOnRanks, ARankWithoutADeviceKeepsAllOnTheHost) {
  const ResidentCase one = testing::two_demes();
  SvgdOptions options = fifty_iterations();
  options.num_iterations = 3;
  const Ran ran = run_ranks(one, options, {.num_ranks = 3, .rank_without_device = 1});
  for (std::size_t rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(ran.errors[rank], "");
    EXPECT_EQ(ran.results[rank].on_device.num_resident, 0);
    EXPECT_EQ(ran.results[rank].on_device.messages, "");
    EXPECT_EQ(ran.results[rank].on_device.why_not_resident, rank == 1 ? "" : "rank 1 has no device");
  }
}

TEST(RankExchange, SaysWhatItTravelsBy) {
  run_thread_ranks(2, [](Communicator& ranks) {
    Fabric fabric(2);
    const auto open = [&](const std::string& cuda_aware_mpi) {
      return open_rank_exchange(
                 ranks, {.cuda_aware_mpi = cuda_aware_mpi}, [&] { return std::make_unique<FakeMemory>(ranks.rank()); },
                 []() -> nccl::Table { throw CommError("no NCCL"); })
          ->name();
    };
    EXPECT_EQ(open(""), "the host's memory (rank 0: no NCCL)");
    for (const char* const bad : {"1", "yes"}) {
      try {
        open(bad);
        ADD_FAILURE();
      } catch (const CommError& error) {
        EXPECT_THAT(error.what(), HasSubstr("rank 0: SOJOURN_CUDA_AWARE_MPI="));
      }
    }
  });
}

}  // namespace
}  // namespace sojourn
