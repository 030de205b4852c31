#include "evaluation/replays_held.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "evaluation/difference_program.hpp"
#include "evaluation/moment_replay.hpp"
#include "host/elimination/grid_graph.hpp"
#include "host/resident_memory.hpp"
#include "sojourn/elimination.hpp"
#include "sojourn/families.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SOJOURN_SANITIZED 1
#endif

namespace sojourn {
namespace {

/// What `work` adds to resident memory at its height, in a process of its own. Below 0: cannot be told here.
template <class Work>
double height_of(Work&& work) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    double height = -1;
    if (forget_past()) {
      const double before = resident_memory("VmRSS:");
      work();
      if (before > 0) height = resident_memory("VmHWM:") - before;
    }
    const bool told = write(ends[1], &height, sizeof height) == sizeof height;
    _exit(told ? 0 : 1);
  }
  double height = -1;
  int status = 0;
  if (child < 0 || read(ends[0], &height, sizeof height) != sizeof height) height = -1;
  if (child > 0) waitpid(child, &status, 0);
  close(ends[0]);
  close(ends[1]);
  return height;
}

StateGraph grid(std::int32_t side, TimeKind time_kind) {
  return grid_graph(side, time_kind, [](std::int32_t) { return 0.2; });
}

/// Rings of `size` states that go one way, one after the other: fill is far from symmetric.
StateGraph rings(std::int32_t num_rings, std::int32_t size) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(num_rings * size + 1);
  const RateTerm round{0, 1.0}, on{1, 1.0};
  for (std::int32_t s = 0; s < num_rings * size; ++s) {
    const std::int32_t ring = s / size, place = s % size;
    builder.add_edge(s, ring * size + (place + 1) % size, 0, {&round, 1});
    if (place % 7 == 3) builder.add_edge(s, ring * size + (place * 5 + 2) % size, 0, {&round, 1});
    if (place == 0) builder.add_edge(s, (ring + 1) * size, 0, {&on, 1});
  }
  builder.add_initial(0, 1);
  return std::move(builder).build();
}

struct Case {
  const char* name;
  StateGraph (*make)();
  double rate;  ///< of all edges, but for the queue's arrivals
};

class Held : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    EliminationSettings off = before_;
    off.cache = CacheMode::kOff;
    off.num_threads = 1;
    configure_elimination(off);
  }
  void TearDown() override { configure_elimination(before_); }

 private:
  const EliminationSettings before_ = elimination_settings();
};

TEST_P(Held, IsWhatReplaysTake) {
  const StateGraph graph = GetParam().make();
  const Prc prc = eliminate(graph);
  const PrcArrays& arrays = prc.arrays();
  const ReplayBytes& bytes = prc.cost().replay;
  EXPECT_EQ(predict_cost(graph).replay, bytes);
  {
    const DifferenceProgram program(arrays);
    std::int64_t num_pairs = program.view().row_begin[arrays.rows.size()];
    EXPECT_EQ(bytes.difference_program, 8 * (std::ssize(arrays.rows) + num_pairs) + 4 * std::ssize(arrays.terms));
  }
#if defined(SOJOURN_SANITIZED)
  GTEST_SKIP() << "resident memory is the sanitizer's";
#endif
  const std::vector<double> reward(static_cast<std::size_t>(graph.num_states()), 1.0);
  for (const std::size_t num_vectors : {std::size_t{2}, std::size_t{64}}) {
    Matrix<double> phi(num_vectors, static_cast<std::size_t>(graph.num_rates()));
    for (double& rate : phi.values()) rate = GetParam().rate;
    for (std::size_t k = 0; k < num_vectors; ++k) phi(k, 0) = 0.5 * GetParam().rate;
    std::vector<double> values(num_vectors), gradient(num_vectors * phi.num_cols());
    std::vector<char> in_doubt(num_vectors);
    const ReplaysHeld held = replays_held(bytes, static_cast<std::int64_t>(num_vectors), 1);
    const auto measured = [&](bool with_gradient, GradientRoute route) {
      return height_of([&] {
        (void)replay_moments(graph, prc, phi.view(), reward, 1, values,
                             with_gradient ? std::span<double>(gradient) : std::span<double>(), 1, route, in_doubt);
      });
    };
    const double value = measured(false, GradientRoute::kProducts);
    if (value < 0) GTEST_SKIP() << "the height of resident memory is not told here";
    SCOPED_TRACE(std::to_string(num_vectors) + " vectors");
    // Within a fifth, and pages of two megabytes at the ends of arrays.
    constexpr double kPages = 6 << 20;
    const auto near = [](double bytes) { return 0.2 * bytes + kPages; };
    EXPECT_NEAR(held.value, value, near(value));
    const double differences = measured(true, GradientRoute::kDifferences);
    if (graph.time_kind() == TimeKind::kDiscrete) {
      EXPECT_NEAR(held.gradient, differences, near(differences));
      continue;
    }
    const double products = measured(true, GradientRoute::kProducts);
    EXPECT_NEAR(held.gradient, products, near(products));
    EXPECT_NEAR(held.differences, std::max(products, differences), near(std::max(products, differences)));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Held,
                         testing::Values(Case{"queue", [] { return birth_death(200'000, 1, false).graph; }, 1.0},
                                         Case{"grid", [] { return grid(150, TimeKind::kContinuous); }, 1.0},
                                         Case{"discrete_grid", [] { return grid(150, TimeKind::kDiscrete); }, 1.0},
                                         Case{"coalescent", [] { return coalescent_blocks(45).graph; }, 1.0},
                                         Case{"rings", [] { return rings(400, 300); }, 1.0},
                                         Case{"one_ring", [] { return rings(1, 3000); }, 1.0}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace sojourn
