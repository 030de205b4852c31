#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <mutex>

#include "comm/thread_group.hpp"
#include "host/sampler/calibration.hpp"
#include "sampler/direction_sums.hpp"
#include "sampler/svgd_fields.hpp"
#include "sampler/svgd_run.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;

/// Two correlated coordinates, of which the first cannot be evaluated on narrow stripes: now and then a particle steps
/// onto one, so that its step is shortened.
testing::AnalyticTarget striped() {
  return testing::AnalyticTarget(2, [](std::span<const double> z, std::span<double> score) {
    const double e = z[1] - 0.5 * z[0];
    score[0] = -z[0] + 0.5 * e;
    score[1] = -e;
    const double place = 10 * z[0] - std::floor(10 * z[0]);
    return place > 0.96 && place < 0.98 ? std::nan("") : -0.5 * (z[0] * z[0] + e * e);
  });
}

/// Long enough for a metric that is kept (iterations 21 to 29) and refreshed again (30).
SvgdOptions short_run() {
  SvgdOptions options;
  options.num_particles = 21;
  options.num_iterations = 34;
  options.learning_rate = 0.2;
  options.history_every = 4;
  options.num_threads = 1;
  return options;
}

/// The states after every iteration of a whole run, the start's first.
std::vector<SvgdState> states_of(const Target& target, const SvgdOptions& options, SvgdResult& whole) {
  std::vector<SvgdState> states;
  whole = svgd(target, options,
               SvgdControl{.report_every = 1,
                           .wants_state = [](std::int64_t) { return true; },
                           .take_state = [&](const SvgdState& state) { states.push_back(state); }});
  return states;
}

/// Whether everything of two results is the same, bit by bit, but for the time it took.
bool same_bits(const SvgdResult& one, const SvgdResult& other) {
  bool same = one.particles.values() == other.particles.values() && one.log_density == other.log_density &&
              one.score.values() == other.score.values() && one.history.size() == other.history.size() &&
              one.trace_mean_log_density == other.trace_mean_log_density && one.trace_step == other.trace_step &&
              one.map == other.map && one.laplace_covariance.values() == other.laplace_covariance.values() &&
              one.diagnostics.size() == other.diagnostics.size() && one.iterations_done == other.iterations_done &&
              one.interrupted == other.interrupted;
  for (std::size_t k = 0; same && k < one.history.size(); ++k)
    same = one.history[k].iteration == other.history[k].iteration &&
           one.history[k].particles.values() == other.history[k].particles.values();
  for (std::size_t k = 0; same && k < one.diagnostics.size(); ++k)
    same = one.diagnostics[k].name == other.diagnostics[k].name &&
           one.diagnostics[k].value == other.diagnostics[k].value &&
           one.diagnostics[k].verdict == other.diagnostics[k].verdict &&
           one.diagnostics[k].explanation == other.diagnostics[k].explanation;
  return same;
}

std::vector<std::pair<std::string, SvgdOptions>> kinds_of_runs() {
  std::vector<std::pair<std::string, SvgdOptions>> kinds(5, {"adam", short_run()});
  kinds[1].first = "gradient";
  kinds[1].second.optimizer = Optimizer::kGradient;
  kinds[2].first = "plain metric, rbf";
  kinds[2].second.whiten = false;
  kinds[2].second.kernel = Kernel::kRbf;
  kinds[3].first = "prior, warmup, fixed bandwidth";
  kinds[3].second.start = StartKind::kPrior;
  kinds[3].second.schedule = ScheduleKind::kWarmup;
  kinds[3].second.bandwidth_rule = BandwidthRule::kFixed;
  kinds[4].first = "given";
  kinds[4].second.start = StartKind::kGiven;
  kinds[4].second.given = Matrix<double>(21, 2);
  for (std::size_t i = 0; i < 21; ++i) {
    kinds[4].second.given(i, 0) = std::sin(static_cast<double>(i));
    kinds[4].second.given(i, 1) = std::cos(3.0 * static_cast<double>(i));
  }
  return kinds;
}

TEST(SvgdResume, AfterAnyIterationGivesTheBitsOfAWholeRun) {
  const auto target = striped();
  for (auto& [name, options] : kinds_of_runs()) {
    SvgdResult whole;
    const std::vector<SvgdState> states = states_of(target, options, whole);
    ASSERT_EQ(states.size(), 35u) << name;
    // Steps were shortened, so that this part of the state is at work too.
    EXPECT_GT(states.back().facts.num_rejected_steps, 0) << name;
    for (std::size_t k = 0; k < states.size(); ++k) {
      options.num_threads = 1 + static_cast<int>(k % 3);
      EXPECT_EQ(states[k].iteration, static_cast<std::int64_t>(k));
      EXPECT_TRUE(same_bits(svgd(target, options, SvgdControl{.resume = &states[k]}), whole)) << name << ", " << k;
    }
  }
}

TEST(SvgdResume, OnAnyNumberOfRanks) {
  const auto target = striped();
  const SvgdOptions options = short_run();
  SvgdResult whole;
  const std::vector<SvgdState> states = states_of(target, options, whole);
  // Stopped on three ranks, and by one of them alone.
  SvgdState stopped;
  run_thread_ranks(3, [&](Communicator& comm) {
    SvgdControl control{.report_every = 1};
    control.progress = [&](const SvgdProgress& now) { return comm.rank() != 1 || now.iteration < 22; };
    control.finish = [&](const SvgdState& state) {
      if (comm.rank() == 1) stopped = state;
    };
    EXPECT_EQ(svgd(target, options, comm, control).iterations_done, 22);
  });
  EXPECT_TRUE(same_bits(svgd(target, options, SvgdControl{.resume = &stopped}), whole));
  for (const int num_ranks : {1, 2, 3}) {
    for (const std::size_t k : {0, 7, 22, 33, 34}) {
      std::mutex mutex;
      run_thread_ranks(num_ranks, [&](Communicator& comm) {
        const SvgdResult resumed = svgd(target, options, comm, SvgdControl{.resume = &states[k]});
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(same_bits(resumed, whole)) << num_ranks << " ranks, iteration " << k;
      });
    }
  }
}

TEST(SvgdResume, RanksWithDifferentStatesAreTold) {
  const auto target = striped();
  const SvgdOptions options = short_run();
  SvgdResult whole;
  const std::vector<SvgdState> states = states_of(target, options, whole);
  run_thread_ranks(2, [&](Communicator& comm) {
    SvgdState own = states[5];
    own.first_moment(1, 3) += comm.rank() == 1 ? 1e-12 : 0;
    EXPECT_THROW(svgd(target, options, comm, SvgdControl{.resume = &own}), CommError);
  });
}

TEST(SvgdResume, AFinishedRunGoesOnAsALongerOne) {
  const auto target = striped();
  SvgdOptions options = short_run();
  options.num_iterations = 22;  // the last frame of its history is one that a longer run does not have
  SvgdResult shorter;
  const std::vector<SvgdState> states = states_of(target, options, shorter);
  EXPECT_EQ(shorter.history.back().iteration, 22);
  options.num_iterations = 34;
  const SvgdResult whole = svgd(target, options);
  EXPECT_TRUE(same_bits(svgd(target, options, SvgdControl{.resume = &states.back()}), whole));
  options.num_iterations = 21;
  try {
    svgd(target, options, SvgdControl{.resume = &states.back()});
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("it has done 22 iterations, more than the 21 asked for"));
  }
}

TEST(SvgdResume, AStateWithoutParticlesIsAStart) {
  const auto target = striped();
  SvgdState nothing;
  nothing.seconds_total = 1000;
  const SvgdResult resumed = svgd(target, short_run(), SvgdControl{.resume = &nothing});
  EXPECT_TRUE(same_bits(resumed, svgd(target, short_run())));
  EXPECT_GT(resumed.seconds_total, 1000);
}

TEST(SvgdResume, SecondsAreThoseOfAllParts) {
  const auto target = striped();
  SvgdResult whole;
  SvgdState state = states_of(target, short_run(), whole)[10];
  state.seconds_start = 100;
  state.seconds_scores = 200;
  state.seconds_kernel = 300;
  state.seconds_total = 600;
  const SvgdResult resumed = svgd(target, short_run(), SvgdControl{.resume = &state});
  EXPECT_EQ(resumed.seconds_start, 100);
  EXPECT_GT(resumed.seconds_scores, 200);
  EXPECT_GT(resumed.seconds_kernel, 300);
  EXPECT_GT(resumed.seconds_total, 600);
}

TEST(SvgdResume, ProgressCountsFromTheStateAndMayStopAtOnce) {
  const auto target = striped();
  SvgdResult whole;
  const std::vector<SvgdState> states = states_of(target, short_run(), whole);
  std::vector<std::int64_t> reported;
  SvgdControl control{.report_every = 1, .resume = &states[30]};
  control.progress = [&](const SvgdProgress& now) {
    reported.push_back(now.iteration);
    EXPECT_TRUE(std::isfinite(now.mean_log_density) && std::isfinite(now.largest_step));
    return true;
  };
  svgd(target, short_run(), control);
  EXPECT_EQ(reported, (std::vector<std::int64_t>{30, 31, 32, 33, 34}));
  control.progress = [](const SvgdProgress&) { return false; };
  const SvgdResult stopped = svgd(target, short_run(), control);
  EXPECT_TRUE(stopped.interrupted);
  EXPECT_EQ(stopped.iterations_done, 30);
  EXPECT_EQ(stopped.particles.values(), states[30].particles.values());
}

// Mutations: what is wrong in one part of a state must show.
void spoil(double& value) { value = value * 1.001 + 1e-3; }
void spoil(std::int64_t& value) { ++value; }
void spoil(std::string& value) { value += "x"; }
void spoil(std::vector<double>& values) {
  if (!values.empty()) spoil(values.back());
}
void spoil(std::vector<std::int64_t>& values) { values.back() += 4; }
void spoil(Matrix<double>& matrix) { spoil(matrix.values()); }
void spoil(std::vector<HistoryFrame>& frames) { spoil(frames.back().particles); }

TEST(SvgdResume, EveryPartOfTheStateMatters) {
  const auto target = striped();
  const SvgdOptions options = short_run();
  SvgdResult whole;
  const std::vector<SvgdState> states = states_of(target, options, whole);
  std::size_t num_parts = 0;
  visit_state(states[23], [&](const std::string& name, const auto&) {
    // After iteration 23 the metric is kept for a while; of a state at the end, what the result shows is left. One or
    // the other shows every part; the held counts are the next test's.
    if (name.starts_with("seconds") || name == "held") return;
    bool noticed = false;
    for (const std::size_t k : {23, 34}) {
      SvgdState wrong = states[k];
      visit_state(wrong, [&](const std::string& other, auto& value) {
        if (other == name) spoil(value);
      });
      try {
        noticed = noticed || !same_bits(svgd(target, options, SvgdControl{.resume = &wrong}), whole);
      } catch (const UsageError&) {
        noticed = true;
      }
    }
    EXPECT_TRUE(noticed) << name;
    ++num_parts;
  });
  EXPECT_EQ(num_parts, 21u);
}

TEST(SvgdResume, HeldCountsGoOn) {
  // The last particle stands on the only point of its neighbourhood that can be evaluated: it is held five times.
  const testing::AnalyticTarget island(1, [](std::span<const double> z, std::span<double> score) {
    score[0] = -z[0];
    return z[0] < 3 || z[0] == 5 ? -0.5 * z[0] * z[0] : std::nan("");
  });
  SvgdOptions options = short_run();
  options.num_particles = 8;
  options.start = StartKind::kGiven;
  options.given = Matrix<double>(8, 1);
  for (std::size_t i = 0; i < 7; ++i) options.given(i, 0) = 0.3 * static_cast<double>(i) - 1;
  options.given(7, 0) = 5;
  std::vector<SvgdState> states;
  const auto end_of = [&](const SvgdState* from) -> std::int64_t {
    SvgdControl control{.report_every = 1, .resume = from};
    control.wants_state = [&](std::int64_t) { return from == nullptr; };
    control.take_state = [&](const SvgdState& state) { states.push_back(state); };
    try {
      svgd(island, options, control);
      return -1;
    } catch (const ParticleError& error) {
      EXPECT_EQ(error.particle, 7);
      return error.iteration;
    }
  };
  EXPECT_EQ(end_of(nullptr), 4);
  ASSERT_EQ(states.size(), 5u);
  for (const SvgdState& state : states) EXPECT_EQ(end_of(&state), 4);
  SvgdState wrong = states[2];
  EXPECT_EQ(wrong.held[7], 2);
  wrong.held[7] = 0;
  EXPECT_EQ(end_of(&wrong), 6);
}

TEST(SvgdResume, AStateOfAnotherRunIsRefused) {
  const auto target = striped();
  const SvgdOptions options = short_run();
  SvgdResult whole;
  const std::vector<SvgdState> states = states_of(target, options, whole);
  const std::vector<std::pair<const char*, std::function<void(SvgdState&)>>> cases{
      {"particles are [20, 2], not [21, 2]", [](SvgdState& s) { s.particles = Matrix<double>(20, 2); }},
      {"log densities", [](SvgdState& s) { s.log_density[3] = std::nan(""); }},
      {"scores", [](SvgdState& s) { s.score = Matrix<double>(2, 21); }},
      {"metric", [](SvgdState& s) { s.metric_factor(1, 1) = 0; }},
      {"metric", [](SvgdState& s) { s.metric_centre.clear(); }},
      {"sds", [](SvgdState& s) { s.sd.clear(); }},
      {"bandwidth", [](SvgdState& s) { s.inverse_h2 = -1; }},
      {"held", [](SvgdState& s) { s.held.pop_back(); }},
      {"moments", [](SvgdState& s) { s.second_moment = Matrix<double>(); }},
      {"traces", [](SvgdState& s) { s.trace_step.pop_back(); }},
      {"traces", [](SvgdState& s) { s.iteration = 11; }},
      {"mode of its start", [](SvgdState& s) { s.map.push_back(1); }},
      {"particles are not finite", [](SvgdState& s) { s.particles(0, 0) = HUGE_VAL; }},
      {"frame of its history", [](SvgdState& s) { s.history[1].iteration = 5; }},
      {"frames", [](SvgdState& s) { s.history.clear(); }},
      {"no particles", [](SvgdState& s) { s.particles = Matrix<double>(); }},
  };
  for (const auto& [words, wrong] : cases) {
    SvgdState state = states[10];
    EXPECT_EQ(fault_of(state, options, 2), "");
    wrong(state);
    EXPECT_THAT(fault_of(state, options, 2), HasSubstr(words));
    EXPECT_THROW(svgd(target, options, SvgdControl{.resume = &state}), UsageError) << words;
  }
}

/// A run whose iterations take long by its clock stops inside one, at whatever part: it ends in the state before that
/// iteration, and goes on to the same bits.
TEST(SvgdResume, StoppedInsideASlowIteration) {
  const testing::AnalyticTarget fast = striped();
  for (const Optimizer optimizer : {Optimizer::kAdam, Optimizer::kGradient}) {
    SvgdOptions options = short_run();
    options.optimizer = optimizer;
    options.num_iterations = 12;
    SvgdResult whole;
    const std::vector<SvgdState> states = states_of(fast, options, whole);
    std::int64_t num_inside = 0;
    for (const std::int64_t evaluations : {60, 130, 171, 240}) {
      // Half a second a row by the clock, which is all that tells the time.
      double now = 0;
      std::int64_t rows = 0;
      const testing::AnalyticTarget slow(2, [&](std::span<const double> z, std::span<double> score) {
        now += 0.5;
        ++rows;
        std::vector<std::string> status(1);
        double value = 0;
        fast.evaluate({z.data(), 1, 2}, {&value, 1}, {score.data(), 1, 2}, status);
        return value;
      });
      SvgdState last;
      const SvgdControl control{
          .progress = [&](const SvgdProgress&) { return rows < evaluations; },
          .finish = [&](const SvgdState& state) { last = state; },
          .resume = &states[0],
      };
      const auto clock = [&] { return now; };
      DirectionSums sums(nullptr, options, 2);
      const auto direction = [&](const ParticleBlock& u, const ParticleBlock& s, double inverse_h2,
                                 ParticleBlock& phi) { sums.sum(u, s, inverse_h2, 0, u.count, phi); };
      const SvgdResult stopped = run_svgd(slow, options, control, direction, clock);
      EXPECT_TRUE(stopped.interrupted);
      EXPECT_LE(rows, evaluations + 3);  // a question each second
      num_inside += rows % options.num_particles != 0 ? 1 : 0;
      const SvgdState& before = states[static_cast<std::size_t>(last.iteration)];
      EXPECT_EQ(last.particles.values(), before.particles.values());
      EXPECT_EQ(last.first_moment.values(), before.first_moment.values());
      EXPECT_EQ(last.second_moment.values(), before.second_moment.values());
      EXPECT_EQ(last.metric_factor.values(), before.metric_factor.values());
      EXPECT_EQ(last.metric_centre, before.metric_centre);
      EXPECT_EQ(last.sd, before.sd);
      EXPECT_EQ(last.inverse_h2, before.inverse_h2);
      EXPECT_EQ(last.held, before.held);
      EXPECT_EQ(last.facts.num_steps, before.facts.num_steps);
      EXPECT_EQ(last.facts.num_rejected_steps, before.facts.num_rejected_steps);
      const SvgdResult resumed = svgd(fast, options, SvgdControl{.resume = &last});
      EXPECT_TRUE(same_bits(resumed, whole)) << "stopped after " << rows << " rows";
    }
    EXPECT_GT(num_inside, 2);
  }
}

}  // namespace
}  // namespace sojourn
