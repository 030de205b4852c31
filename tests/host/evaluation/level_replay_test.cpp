// The level mapping's thread body, run by a host loop: streams and lanes of a step in shuffled order over memory full
// of NaN. It must give the bits of the one thread a lane that `MomentLane` and `TransformLane` are.
#include "common/level_replay.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "elimination/level_schedule.hpp"
#include "evaluation/moment_lane_shape.hpp"
#include "evaluation/transform_lane_shape.hpp"
#include "host/evaluation/dense_chain.hpp"
#include "host/evaluation/shuffled_streams.hpp"
#include "sojourn/families.hpp"
#include "sojourn/prc.hpp"

namespace sojourn {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Named {
  std::string name;
  StateGraph graph;
};

/// Components of one state and of several that lead to each other, parallel and one after another, some by forms of
/// rates, several starts, a state of a single rate.
StateGraph random_graph(std::int32_t num_components, std::int32_t largest, unsigned seed) {
  StateGraphBuilder builder(TimeKind::kContinuous, 4);
  std::mt19937 random(seed);
  const auto below = [&](std::int32_t n) { return static_cast<std::int32_t>(random() % static_cast<unsigned>(n)); };
  std::vector<std::int32_t> first{0};
  for (std::int32_t c = 0; c < num_components; ++c) first.push_back(first.back() + 1 + below(largest));
  const std::int32_t absorbing = first.back();
  builder.ensure_states(absorbing + 1);
  const auto connect = [&](std::int32_t from, std::int32_t to) {
    const RateTerm term{below(3), 0.5 + 0.1 * below(9)};
    const RateTerm form[] = {{2, 1.0}, {3, -0.2}};
    if (below(6) == 0) {
      builder.add_edge(from, to, 0.1 * (1 + below(3)), form);
    } else {
      builder.add_edge(from, to, below(8) == 0 ? 0.2 : 0.0, {&term, 1});
    }
  };
  for (std::int32_t c = 0; c < num_components; ++c) {
    const std::int32_t begin = first[c], size = first[c + 1] - begin;
    std::vector<char> done(static_cast<std::size_t>(size) * (absorbing + 1), 0);
    const auto once = [&](std::int32_t from, std::int32_t to) {
      char& was = done[static_cast<std::size_t>(from - begin) * (absorbing + 1) + to];
      if (from != to && was == 0) connect(from, to);
      was = 1;
    };
    for (std::int32_t i = 0; i < size; ++i) {
      if (size > 1) once(begin + i, begin + (i + 1) % size);
      for (std::int32_t k = below(4); size > 2 && k > 0; --k) once(begin + i, begin + below(size));
      if (i > 0 && below(2) == 0) continue;
      const std::int32_t left = absorbing - first[c + 1];
      for (std::int32_t k = 1 + below(3); k > 0; --k)
        once(begin + i, left > 0 && below(4) > 0 ? first[c + 1] + below(left) : absorbing);
    }
  }
  builder.add_initial(0, 0.7);
  builder.add_initial(absorbing / 2, 0.3);
  return std::move(builder).build();
}

/// A component whose states all lead to each other, too small for fronts.
std::vector<Named> chains() {
  const std::int32_t two_demes[] = {3, 2};
  std::vector<Named> all;
  all.push_back({"coalescent", coalescent_blocks(9).graph});
  all.push_back({"two demes", structured_coalescent_blocks(two_demes).graph});
  all.push_back({"coxian", coxian(5).graph});
  all.push_back({"line", hypoexponential(12).graph});
  all.push_back({"birth and death", birth_death(12, 1, false).graph});
  all.push_back({"dense", testing::dense_chain(9)});
  all.push_back({"random, small components", random_graph(40, 3, 1)});
  all.push_back({"random, large components", random_graph(9, 17, 2)});
  for (const Named& one : all) EXPECT_FALSE(eliminate(one.graph).arrays().component_bounds().has_fronts) << one.name;
  return all;
}

struct Way {
  std::int32_t num_streams;
  std::int64_t factor_slots;
  Place place;
};
constexpr Way kWays[] = {{1, 0, Place::kShared},
                         {2, 0, Place::kGlobal},
                         {3, 60, Place::kSharedFactors},
                         {8, 200, Place::kShared},
                         {8, 1 << 20, Place::kSharedFactors},
                         {32, 1 << 20, Place::kGlobal}};

struct Numbers {
  std::vector<double> all;
  std::vector<unsigned char> in_doubt;
  bool operator==(const Numbers& other) const {
    return in_doubt == other.in_doubt && std::equal(all.begin(), all.end(), other.all.begin(), other.all.end());
  }
  [[nodiscard]] bool finite() const {
    return std::all_of(all.begin(), all.end(), [](double value) { return std::isfinite(value); });
  }
};

/// Program, shape and arrays of one question about moments, whose slots are `Number`s.
template <int kOrder, class Number = double>
struct Moments {
  PrcArrays arrays;
  MomentLaneShape shape;
  std::vector<double> reward, phi;
  std::int64_t num_lanes;

  Moments(const StateGraph& graph, bool gradient, std::int32_t num_partials)
      : arrays(by_level(eliminate(graph).arrays())) {
    shape = moment_lane_shape(arrays, kOrder, gradient, std::is_same_v<Number, WatchedSingle>);
    shape.num_partials = num_partials;
    reward = arrays.by_row(graph.unit_reward());
    for (std::size_t v = 0; v < reward.size(); v += 5) reward[v] = 0.5 * static_cast<double>(v % 3);
    const Matrix<double> rates = scattered(std::vector<double>(arrays.num_rates, 0.7), 7, 0.3, 5);
    num_lanes = static_cast<std::int64_t>(rates.num_rows());
    for (std::size_t r = 0; r < rates.num_cols(); ++r)
      for (std::size_t l = 0; l < rates.num_rows(); ++l) phi.push_back(rates(l, r));
  }

  template <class Run>
  Numbers answer(Run&& run) const {
    Numbers numbers;
    const std::size_t values = kOrder * num_lanes;
    numbers.all.assign(values + (shape.gradient ? values * arrays.num_rates : 0), kNan);
    numbers.in_doubt.assign(shape.gradient ? num_lanes : 0, 2);
    run(MomentLaneOutput{numbers.all.data(), numbers.all.data() + values, numbers.in_doubt.data()});
    return numbers;
  }

  [[nodiscard]] Numbers by_thread() const {
    const PrcView view = arrays.view();
    const MomentLaneSlots slots = shape.slots(view);
    return answer([&](const MomentLaneOutput& output) {
      for_each_lane_shuffled(num_lanes, slots.total(), slots.rate + slots.factor, Place::kShared, Number(kNan), 1,
                             [&](std::int64_t lane, auto local, auto solution) {
                               moment_lane<kOrder, false>(view, shape, reward.data(), phi.data(), num_lanes, lane,
                                                          local, solution, output);
                             });
    });
  }

  [[nodiscard]] Numbers by_levels(const LevelSchedule& schedule, Place place, unsigned seed) const {
    const PrcArrays slotted = with_value_slots(arrays, schedule);
    const PrcView view = slotted.view();
    const LevelView levels = schedule.view();
    MomentLaneShape own = shape;
    own.num_value_slots = schedule.num_value_slots;
    const MomentLaneSlots slots = own.slots(view);
    using Thread = MomentLevels<kOrder, Strided<Number>, Strided<Number>>;
    return answer([&](const MomentLaneOutput& output) {
      for_each_level_block(
          num_lanes, levels.num_streams, slots.rate + schedule.num_factor_slots, slots.solution, place, Number(kNan),
          seed,
          [&](std::int64_t lane, std::int32_t stream, Strided<Number> local, Strided<Number> solution) {
            return Thread(view, levels, own, reward.data(), phi.data(), num_lanes, lane, stream, local, solution,
                          output);
          },
          [&](ShuffledBlock<Thread>& block) { Thread::run(block, levels, own); });
    });
  }
};

template <int kOrder, class Number = double>
void compare_moments(const Named& chain, std::int32_t num_partials) {
  for (const bool gradient : {false, true}) {
    if (gradient && std::is_same_v<Number, WatchedSingle>) continue;
    const Moments<kOrder, Number> moments(chain.graph, gradient, num_partials);
    const Numbers wanted = moments.by_thread();
    EXPECT_TRUE(wanted.finite()) << chain.name;
    unsigned seed = 3;
    for (const Way& way : kWays) {
      const LevelSchedule schedule =
          make_level_schedule(moments.arrays, {way.num_streams, way.factor_slots, num_partials});
      EXPECT_EQ(moments.by_levels(schedule, way.place, ++seed), wanted)
          << chain.name << ", order " << kOrder << ", gradient " << gradient << ", streams " << way.num_streams;
    }
  }
}

struct Transforms {
  PrcArrays arrays;
  TransformLaneShape shape;
  std::vector<double> reward, rate, inverse_rate;
  std::int64_t num_particles = 5, num_lanes;
  std::vector<LaneComplex> nodes{LaneComplex(3.0, 0.0), LaneComplex(0.3, 6.0), LaneComplex(-0.4, 2.5)};
  std::vector<std::int32_t> window{0, 0, 0};
  std::vector<double> tilts;

  Transforms(const StateGraph& graph, bool density, bool survival, bool gradient, std::int32_t num_partials)
      : arrays(by_level(eliminate(graph).arrays())),
        shape(transform_lane_shape(arrays, density, survival, gradient)),
        reward(arrays.by_row(graph.unit_reward())),
        tilts(num_particles, 0.0) {
    shape.num_partials = num_partials;
    num_lanes = num_particles * static_cast<std::int64_t>(nodes.size());
    for (std::size_t v = 0; v < reward.size(); v += 3) reward[v] *= 2.5;
    const Matrix<double> phi = scattered(std::vector<double>(arrays.num_rates, 0.7), num_particles, 0.3, 5);
    const PrcView view = arrays.view();
    const std::int64_t num_extended = 1 + view.num_rates + view.num_forms;
    rate.resize(num_extended * num_particles);
    for (std::int64_t i = 0; i < num_particles; ++i)
      extend_rates(view, phi.row(i).data(), Strided<double>{rate.data() + i, num_particles});
    for (const double value : rate) inverse_rate.push_back(reciprocal(value));
  }

  template <class Run>
  Numbers answer(Run&& run) const {
    const LaneComplex nothing(kNan, kNan);
    const std::size_t num_values = shape.num_transforms() * num_lanes,
                      num_slopes = shape.gradient ? num_values * arrays.num_rates : 0;
    std::vector<LaneComplex> values(num_values, nothing), gradients(num_slopes, nothing);
    std::vector<double> sizes(num_slopes, kNan);
    run(TransformLaneOutput{values.data(), gradients.data(), sizes.data()});
    Numbers numbers{sizes, {}};
    for (const std::vector<LaneComplex>* part : {&values, &gradients})
      for (const LaneComplex& value : *part) numbers.all.insert(numbers.all.end(), {value.re, value.im});
    return numbers;
  }
  [[nodiscard]] LaneNodes lane_nodes() const { return {nodes.data(), window.data(), tilts.data()}; }

  [[nodiscard]] Numbers by_thread() const {
    const PrcView view = arrays.view();
    const TransformLaneSlots slots = shape.slots(view);
    return answer([&](const TransformLaneOutput& output) {
      for_each_lane_shuffled(num_lanes, slots.total(), slots.factor, Place::kShared, LaneComplex(kNan, kNan), 1,
                             [&](std::int64_t lane, auto factor, auto solution) {
                               transform_lane<false>(view, shape, reward.data(), {rate.data(), inverse_rate.data()},
                                                     lane_nodes(), num_particles, num_lanes, lane, factor, solution,
                                                     output);
                             });
    });
  }

  [[nodiscard]] Numbers by_levels(const LevelSchedule& schedule, Place place, unsigned seed) const {
    const PrcArrays slotted = with_value_slots(arrays, schedule);
    const PrcView view = slotted.view();
    const LevelView levels = schedule.view();
    TransformLaneShape own = shape;
    own.num_value_slots = schedule.num_value_slots;
    using Thread = TransformLevels<Strided<LaneComplex>, Strided<LaneComplex>>;
    return answer([&](const TransformLaneOutput& output) {
      for_each_level_block(
          num_lanes, levels.num_streams, schedule.num_factor_slots, own.slots(view).solution, place,
          LaneComplex(kNan, kNan), seed,
          [&](std::int64_t lane, std::int32_t stream, Strided<LaneComplex> factor, Strided<LaneComplex> solution) {
            return Thread(view, levels, own, reward.data(), {rate.data(), inverse_rate.data()}, lane_nodes(),
                          num_particles, num_lanes, lane, stream, factor, solution, output);
          },
          [&](ShuffledBlock<Thread>& block) { Thread::run(block, levels, own); });
    });
  }
};

TEST(LevelReplay, MomentsHaveTheBitsOfOneThread) {
  for (const Named& chain : chains()) {
    compare_moments<1>(chain, 1);
    compare_moments<2>(chain, 8);
    compare_moments<4>(chain, 3);
    compare_moments<1, WatchedSingle>(chain, 1);
    compare_moments<2, WatchedSingle>(chain, 1);
  }
}

TEST(LevelReplay, TransformsHaveTheBitsOfOneThread) {
  for (const Named& chain : chains()) {
    for (const auto& [density, survival, gradient] :
         {std::array{true, false, false}, {false, true, true}, {true, true, true}}) {
      const Transforms transforms(chain.graph, density, survival, gradient, 8);
      const Numbers wanted = transforms.by_thread();
      EXPECT_TRUE(wanted.finite()) << chain.name;
      unsigned seed = 3;
      for (const Way& way : kWays) {
        const LevelSchedule schedule = make_level_schedule(transforms.arrays, {way.num_streams, way.factor_slots, 8});
        EXPECT_EQ(transforms.by_levels(schedule, way.place, ++seed), wanted)
            << chain.name << ", density " << density << ", survival " << survival << ", streams " << way.num_streams;
      }
    }
  }
}

/// A number whose reads and writes are listed. The rows' bodies take it for a double.
struct Access {
  const void* array;
  std::int64_t slot;
  bool writes;
  auto operator<=>(const Access&) const = default;
};
class Watched {
 public:
  Watched(double& value, std::vector<Access>& log, const void* array, std::int64_t slot)
      : value_(value), log_(log), array_(array), slot_(slot) {}
  operator double() const {
    log_.push_back({array_, slot_, false});
    return value_;
  }
  Watched& operator=(double value) {
    log_.push_back({array_, slot_, true});
    value_ = value;
    return *this;
  }
  Watched& operator=(const Watched& other) { return *this = static_cast<double>(other); }

 private:
  double& value_;
  std::vector<Access>& log_;
  const void* array_;
  std::int64_t slot_;
};
void add_product(Watched acc, double a, double b) { acc = acc + a * b; }

struct WatchedArray {
  std::vector<double>* values;
  std::vector<Access>* log;
  std::int64_t first = 0;
  Watched operator[](std::int64_t slot) const {
    return {values->at(static_cast<std::size_t>(first + slot)), *log, values, first + slot};
  }
  [[nodiscard]] WatchedArray from(std::int64_t slot) const { return {values, log, first + slot}; }
};

/// Walks every read and write that the streams make: in a step nothing that one stream writes is another's. Returns how
/// often that is not so.
std::size_t num_conflicts(const PrcArrays& arrays, const LevelSchedule& schedule) {
  const PrcArrays slotted = with_value_slots(arrays, schedule);
  const PrcView view = slotted.view();
  const LevelView levels = schedule.view();
  const std::vector<double> rate(1 + view.num_rates + view.num_forms, 0.7);
  std::vector<double> factors(schedule.num_factor_slots, 1.0), own(view.num_rows, 1.0), wide(view.num_rows, 1.0);
  std::vector<Access> log;
  const WatchedArray factor{&factors, &log}, x{&own, &log}, y{&wide, &log};
  std::size_t conflicts = 0;
  const auto walk = [&](std::int32_t begin, std::int32_t end, auto&& work) {
    for (std::int32_t step = begin; step < end; ++step) {
      std::map<std::pair<const void*, std::int64_t>, std::pair<std::set<std::int32_t>, std::set<std::int32_t>>> users;
      for (std::int32_t stream = 0; stream < levels.num_streams; ++stream) {
        log.clear();
        work(LevelTasks<double, WatchedArray>(view, levels, stream, factor), step);
        for (const Access& access : log) {
          auto& [readers, writers] = users[{access.array, access.slot}];
          (access.writes ? writers : readers).insert(stream);
        }
      }
      for (const auto& [number, who] : users) {
        const std::set<std::int32_t>&readers = who.first, &writers = who.second;
        const bool others_read =
            std::any_of(readers.begin(), readers.end(), [&](std::int32_t stream) { return !writers.contains(stream); });
        conflicts += writers.size() > 1 || (!writers.empty() && others_read) ? 1 : 0;
      }
    }
  };
  const auto nothing = [](std::int32_t) { return 0.0; };
  const auto one = [](std::int32_t) { return 1.0; };
  using Tasks = LevelTasks<double, WatchedArray>;
  for (const LevelWave& wave : schedule.waves) {
    walk(wave.factor_begin, wave.factor_end,
         [&](const Tasks& tasks, std::int32_t step) { tasks.factor(step, rate, nothing, one); });
    walk(wave.solve_begin, wave.solve_end,
         [&](const Tasks& tasks, std::int32_t step) { tasks.solve<OwnSlots>(step, rate, one, x); });
    walk(wave.solve_begin, wave.solve_end,
         [&](const Tasks& tasks, std::int32_t step) { tasks.solve<ValueSlots>(step, rate, one, y); });
    walk(wave.visit_begin, wave.visit_end,
         [&](const Tasks& tasks, std::int32_t step) { tasks.visit(step, rate, one, y); });
  }
  return conflicts;
}

TEST(LevelReplay, NoStreamTouchesWhatAnotherWritesInAStep) {
  for (const Named& chain : chains()) {
    const PrcArrays arrays = by_level(eliminate(chain.graph).arrays());
    for (const Way& way : kWays) {
      const LevelSchedule schedule = make_level_schedule(arrays, {way.num_streams, way.factor_slots, 8});
      EXPECT_EQ(num_conflicts(arrays, schedule), 0U) << chain.name << ", streams " << way.num_streams;
    }
  }
}

/// A task dealt out one step too early reads what is not there yet, or what another one is just writing. It may as well
/// follow what it waits for in the same run, or not have been waiting.
TEST(LevelReplay, SeesATaskThatComesTooEarly) {
  const Moments<1> moments(random_graph(9, 17, 2), true, 8);
  const Numbers wanted = moments.by_thread();
  std::size_t num_early = 0, num_seen = 0, num_tried = 0;
  const auto move_forward = [&](std::vector<std::int32_t> LevelSchedule::*run, std::int32_t step) {
    constexpr std::int32_t kStreams = 4;
    LevelSchedule schedule = make_level_schedule(moments.arrays, {kStreams, 1 << 20, 8});
    std::vector<std::int32_t>& runs = schedule.*run;
    // The last stream of the step before takes the first task of the first stream.
    const auto first = static_cast<std::size_t>(step * kStreams);
    if (first + 1 >= runs.size() || runs[first] == runs[first + 1]) return;
    ++runs[first];
    ++num_tried;
    const bool early = num_conflicts(moments.arrays, schedule) > 0;
    bool differs = false;
    for (unsigned seed = 0; seed < 6 && !differs; ++seed)
      differs = !(moments.by_levels(schedule, Place::kShared, seed) == wanted);
    num_early += early ? 1 : 0;
    num_seen += differs ? 1 : 0;
    EXPECT_FALSE(differs && !early) << "step " << step;
  };
  for (std::int32_t step = 1; step < 40; ++step) {
    move_forward(&LevelSchedule::factor_run, step);
    move_forward(&LevelSchedule::solve_run, step);
    move_forward(&LevelSchedule::visit_run, step);
  }
  EXPECT_GT(num_early, 20U);
  // Threads of six orders meet most of them.
  EXPECT_GT(num_seen, num_early / 2);
  EXPECT_GT(num_early, num_tried / 2);
}

}  // namespace
}  // namespace sojourn
