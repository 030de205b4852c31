#include "sojourn/shared_problem.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>

#include "comm/shared_arrays.hpp"
#include "comm/thread_group.hpp"
#include "comm/wrapped_communicator.hpp"
#include "elimination/prc_parts.hpp"
#include "graph/law_parts.hpp"
#include "sojourn/elimination.hpp"
#include "sojourn/memory.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;

/// A posterior of rank 0, and what makes one like it.
struct Case {
  const char* name;
  const char* model;
  const char* data;
  std::map<std::string, Prior> priors;
  const char* reward = "";
};

const Case kCases[] = {
    {"derived rates, a cycle, a defect, rewards",
     R"yaml(schema: sojourn/model/1
parameters: [{name: a, upper: 50}, b]
derived: {up: 1 / (2*a), down: "b * exp(-a)"}
states: 4
initial: [[0, 0.5], [1, 0.25]]
edges:
  - [0, 1, 0.25, [1.0, 0.0]]
  - [1, 0, 0.0, [0.5, 2.0]]
  - [1, 2, 0.0, [0.0, 1.0]]
  - [2, 3, 1.5, [0.0, 0.0]]
rewards: {first: [1, 0, 0.5, 0]}
)yaml",
     "time,weight\n0,2\n0.5,1\n2.25,3\n",
     {{"a", Prior(PriorFamily::kGamma, 2, 1)}, {"b", Prior(PriorFamily::kExponential, 1)}},
     "first"},
    {"a family with two demes",
     "schema: sojourn/model/1\nfamily: {structured_coalescent: {samples: [3, 2]}}\n",
     "time,event,entry\n0.5,1,\n2,0,\n3,1,0.25\n",
     {}},
    {"discrete time",
     R"yaml(schema: sojourn/model/1
time: discrete
parameters: [p]
states: 3
initial: [[0, 1]]
edges: [[0, 1, 0, [0.5]], [1, 0, 0, [0.125]], [1, 2, 0, [0.25]]]
)yaml",
     "count\n2\n5\n9\n",
     {{"p", Prior(PriorFamily::kUniform, 0, 1)}}},
};

std::unique_ptr<Posterior> posterior_of(const Case& one) {
  Model model = parse_model(one.model, "model.yaml");
  const auto chosen =
      *one.reward == '\0' ? std::span<const double>(model.graph.unit_reward()) : model.graph.reward(one.reward);
  const std::vector<double> reward(chosen.begin(), chosen.end());
  Observations data = parse_observations(one.data, "data.csv", model.graph.time_kind());
  std::map<std::string, Prior> priors = one.priors;
  if (priors.empty())
    for (const Parameter& parameter : model.parameters)
      priors.emplace(parameter.name, Prior(PriorFamily::kLognormal, 0, 1));
  return std::make_unique<Posterior>(std::move(model), std::move(data), priors, std::map<std::string, double>{},
                                     reward);
}

std::map<std::string, Prior> priors_of(const Posterior& posterior) {
  std::map<std::string, Prior> priors;
  for (const Posterior::Free& free : posterior.free()) priors.emplace(free.name, free.prior);
  return priors;
}

/// All numbers of a problem's graph and program, in a row.
std::string bytes_of(const StateGraph& graph, const PrcArrays& prc) {
  std::string bytes;
  const auto value = [&](const auto& number) { bytes.append(reinterpret_cast<const char*>(&number), sizeof number); };
  const auto array = [&](const auto& values) {
    for (const auto& one : values) value(one);
    bytes += '|';
  };
  LawParts::visit(graph, array, value);
  visit_prc(prc, array, value);
  return bytes;
}

class SharedProblem : public ::testing::TestWithParam<int> {};

TEST_P(SharedProblem, HasTheBitsOfTheFirstRank) {
  for (const Case& one : kCases) {
    SCOPED_TRACE(one.name);
    const std::unique_ptr<Posterior> first = posterior_of(one);
    const std::map<std::string, Prior> priors = priors_of(*first);
    Matrix<double> z(5, static_cast<std::size_t>(first->dimension()));
    first->sample_prior(7, z.view());
    std::vector<double> log_density(5);
    Matrix<double> score(5, z.num_cols());
    std::vector<std::string> status;
    first->evaluate(z.view(), log_density, score.view(), status);
    const std::string bytes = bytes_of(first->model().graph, first->prc().arrays());
    const std::string rates = first->model().rates.fingerprint();
    const EliminationCounters before = elimination_counters();
    std::mutex mutex;  // thread ranks report one after another
    run_thread_ranks(GetParam(), [&](Communicator& ranks) {
      std::optional<Problem> problem = share_problem(ranks, ranks.rank() == 0 ? first.get() : nullptr);
      const std::lock_guard lock(mutex);
      ASSERT_EQ(problem.has_value(), ranks.rank() != 0);
      if (!problem) return;
      EXPECT_TRUE(problem->known.data_are_possible);
      EXPECT_EQ(bytes_of(problem->model.graph, problem->known.prc->arrays()), bytes);
      EXPECT_EQ(problem->model.rates.fingerprint(), rates);
      EXPECT_EQ(problem->model.name, first->model().name);
      // What no law reads stays where it is.
      EXPECT_TRUE(problem->model.graph.rewards().empty());
      EXPECT_TRUE(problem->model.graph.variable_names().empty());
      EXPECT_EQ(problem->observations.origin, "data.csv");
      EXPECT_EQ(problem->observations.num_rows, first->observations().num_rows);
      const Posterior own(std::move(problem->model), std::move(problem->observations), priors, {}, problem->reward, {},
                          DataCompression::kAuto, problem->known);
      std::vector<double> own_log_density(5);
      Matrix<double> own_score(5, z.num_cols());
      own.evaluate(z.view(), own_log_density, own_score.view(), status);
      EXPECT_EQ(own_log_density, log_density);
      EXPECT_TRUE(std::ranges::equal(own_score.values(), score.values()));
    });
    // However many ranks: none but the first has eliminated anything, or looked whether it had.
    EXPECT_EQ(elimination_counters().eliminations, before.eliminations);
    EXPECT_EQ(elimination_counters().graphs_reused, before.graphs_reused);
  }
}

/// A fault at any call of any rank leaves no rank waiting, and none with half a problem.
TEST(SharedProblemFaults, AnErrorAtAnyCallEndsAllRanks) {
  const std::unique_ptr<Posterior> first = posterior_of(kCases[0]);
  for (int faulty_rank = 0; faulty_rank < 3; ++faulty_rank) {
    bool came_through = false;
    std::int64_t sequence = 0;
    while (!came_through && sequence < 1000) {
      ++sequence;
      std::atomic<int> num_failed{0};
      const auto share = [&](Communicator& comm) {
        const auto ranks = make_faulty_communicator(comm.duplicate(), comm.rank() == faulty_rank ? sequence : 0,
                                                    [] { throw CommError("the cable was pulled"); });
        try {
          (void)share_problem(*ranks, comm.rank() == 0 ? first.get() : nullptr);
        } catch (const CommError&) {
          ++num_failed;
          throw;
        }
      };
      try {
        run_thread_ranks(3, share);
        came_through = true;
      } catch (const CommError& error) {
        EXPECT_STREQ(error.what(), "the cable was pulled");
      }
      EXPECT_EQ(num_failed, came_through ? 0 : 3) << "call " << sequence << " of rank " << faulty_rank;
    }
    EXPECT_GT(sequence, 4) << "faults at fewer calls than it makes";
    EXPECT_TRUE(came_through);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, SharedProblem, ::testing::Values(1, 2, 3));

/// Changes one bit of a rank's broadcast number `call`, of none where that is negative.
class Flipping final : public WrappedCommunicator {
 public:
  Flipping(std::unique_ptr<Communicator> inner, int call) : WrappedCommunicator(std::move(inner)), left_(call) {}
  [[nodiscard]] std::unique_ptr<Communicator> duplicate() override { return duplicate_inner(); }

 protected:
  void around(const CommCall&, const std::function<void()>& work) override { work(); }
  void broadcast_bytes(MutableBytes values, int root) override {
    WrappedCommunicator::broadcast_bytes(values, root);
    if (left_-- == 0) values.front() ^= std::byte{1};
  }

 private:
  int left_;
};

/// Shares the first of three thread ranks' numbers, where every rank is to fail with `message`.
void expect_all_fail(std::size_t num_numbers, int flipped_call, const std::string& message) {
  const std::vector<double> given(num_numbers, 1.5);
  std::atomic<int> num_failed{0};
  const auto share = [&](Communicator& comm) {
    Flipping ranks(comm.duplicate(), comm.rank() == 2 ? flipped_call : -1);
    SharedArrays shared(ranks);
    std::vector<double> values;
    if (comm.rank() == 0) {
      shared.add(given);
    } else {
      shared.add(values);
    }
    try {
      shared.exchange("numbers");
    } catch (const CommError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
      ++num_failed;
      throw;
    }
  };
  EXPECT_THROW(run_thread_ranks(3, share), CommError);
  EXPECT_EQ(num_failed, 3);
}

TEST(SharedArrays, ABitThatChangesOnTheWayIsFound) {
  // The first broadcast, number 0, has the sizes.
  expect_all_fail(3, 1, "numbers hash differs: rank 2");
}

TEST(SharedArrays, RanksWithoutTheMemoryEndAll) {
  set_memory_limit(1);
  expect_all_fail(1000, -1, "rank 1: 8000 bytes are to come from rank 0");
  set_memory_limit(0);
}

/// 70,003 distinct times of one law with two parameters: five parts, not all of one size, more than travel at once.
std::unique_ptr<Posterior> large_posterior() {
  Model model = parse_model(kCases[0].model, "model.yaml");
  Observations data;
  for (std::int64_t i = 0; i < 70'003; ++i) {
    // Neither in the order of parts nor of rows.
    const double time = 0.001 * static_cast<double>(1 + i * 37 % 70'003);
    data.items.push_back({.lower = time, .upper = time, .weight = 1 + static_cast<double>(i % 3)});
    data.first_row.push_back(2 * i + 2);
  }
  data.num_rows = 140'000;
  data.origin = "large.csv";
  const std::vector<double> reward = model.graph.unit_reward();
  return std::make_unique<Posterior>(std::move(model), std::move(data), kCases[0].priors,
                                     std::map<std::string, double>{}, reward, EvaluatorOptions{.num_threads = 1},
                                     DataCompression::kOff, PosteriorFacts{{}, true, {}});
}

/// Every observation is on one rank of each row of the mesh, with its weight and its row, and ranks evaluate their
/// parts to the bits of one that has all.
TEST(SharedObservations, AreOnTheRanksThatEvaluateThem) {
  const std::unique_ptr<Posterior> whole = large_posterior();
  ASSERT_EQ(whole->num_parts(), 5);
  Matrix<double> z(1, 2, 0.25), expected(5, 3);
  std::vector<std::string> status;
  whole->evaluate_parts(z.view(), 0, 5, expected.view(), status);
  for (const auto& [num_ranks, shares] : {std::pair{2, 2}, {3, 3}, {4, 2}, {7, 7}}) {
    SCOPED_TRACE(fmt::format("{} ranks in {} shares", num_ranks, shares));
    const std::unique_ptr<Posterior> first = large_posterior();
    std::vector<std::int64_t> held_by(static_cast<std::size_t>(num_ranks));
    std::mutex mutex;
    run_thread_ranks(num_ranks, [&, shares = shares](Communicator& ranks) {
      const bool gives = ranks.rank() == 0;
      std::optional<Problem> problem = share_problem(ranks, gives ? first.get() : nullptr, gives ? shares : 0);
      const std::lock_guard lock(mutex);
      std::optional<Posterior> made;
      if (problem) {
        made.emplace(std::move(problem->model), std::move(problem->observations), kCases[0].priors,
                     std::map<std::string, double>{}, problem->reward, EvaluatorOptions{.num_threads = 1},
                     DataCompression::kOff, problem->known);
      }
      const Posterior& own = gives ? *first : *made;
      ASSERT_TRUE(own.held());
      const HeldParts held = *own.held();
      held_by[static_cast<std::size_t>(ranks.rank())] = held.num_held();
      EXPECT_EQ(own.num_parts(), 5);
      EXPECT_EQ(own.part_shares(), shares);
      EXPECT_EQ(std::ssize(own.observations().items), gives ? 70'003 : held.num_held());
      EXPECT_EQ(own.observations().first_row.size(), own.observations().items.size());
      EXPECT_EQ(own.observations().num_rows, 140'000);
      EXPECT_EQ(own.observations().origin, "large.csv");
      for (std::int64_t part = held.first; part < held.last; ++part) {
        const std::span<const std::int64_t> items = own.items_of_part(part), all = whole->items_of_part(part);
        ASSERT_EQ(items.size(), all.size());
        for (std::size_t i = 0; i < items.size(); ++i) {
          const auto here = static_cast<std::size_t>(items[i]), there = static_cast<std::size_t>(all[i]);
          ASSERT_EQ(own.observations().items[here].lower, whole->observations().items[there].lower);
          ASSERT_EQ(own.observations().items[here].weight, whole->observations().items[there].weight);
          ASSERT_EQ(own.observations().first_row[here], whole->observations().first_row[there]);
        }
      }
      Matrix<double> terms(static_cast<std::size_t>(held.last - held.first), 3);
      own.evaluate_parts(z.view(), held.first, held.last, terms.view(), status);
      for (std::int64_t part = held.first; part < held.last; ++part)
        EXPECT_TRUE(std::ranges::equal(terms.row(static_cast<std::size_t>(part - held.first)),
                                       expected.row(static_cast<std::size_t>(part))));
    });
    if (shares <= 5) {
      EXPECT_EQ(std::accumulate(held_by.begin(), held_by.end(), std::int64_t{0}), num_ranks / shares * 70'003);
      EXPECT_LE(*std::ranges::max_element(held_by), (5 + shares - 1) / shares * 14'001);
    } else {
      // Two ranks evaluate nothing, but no posterior is made of no observations.
      EXPECT_EQ(held_by, (std::vector<std::int64_t>{14'000, 14'000, 14'001, 14'000, 14'000, 14'001, 14'001}));
    }
  }
}

/// Handed out otherwise for another stage: in more shares, and whole again.
TEST(SharedObservations, MayBeHandedOutAnew) {
  const std::unique_ptr<Posterior> first = large_posterior();
  std::mutex mutex;
  run_thread_ranks(4, [&](Communicator& ranks) {
    const bool gives = ranks.rank() == 0;
    for (const std::int64_t shares : {2, 4, 1, 2}) {
      const SharedObservations given = share_observations(ranks, gives ? first.get() : nullptr, gives ? shares : 0);
      const std::lock_guard lock(mutex);
      if (gives) {
        EXPECT_EQ(first->part_shares(), shares == 1 ? 0 : shares);
        EXPECT_EQ(first->observations().items.size(), 70'003u);
      } else {
        EXPECT_EQ(given.held.has_value(), shares > 1);
        EXPECT_EQ(std::ssize(given.observations.items), given.held ? given.held->num_held() : 70'003);
        EXPECT_LE(std::ssize(given.observations.items), shares == 1 ? 70'003 : (5 + shares - 1) / shares * 14'001);
      }
    }
  });
}

TEST(SharedObservations, ABitThatChangesOnTheWayIsFound) {
  std::atomic<int> num_failed{0};
  const std::unique_ptr<Posterior> first = large_posterior();
  EXPECT_THROW(run_thread_ranks(3,
                                [&](Communicator& comm) {
                                  // The outline, the sizes of one array, that array, and then the first piece.
                                  Flipping ranks(comm.duplicate(), comm.rank() == 2 ? 3 : -1);
                                  const bool gives = comm.rank() == 0;
                                  try {
                                    (void)share_observations(ranks, gives ? first.get() : nullptr, 3);
                                  } catch (const CommError& error) {
                                    EXPECT_THAT(error.what(), HasSubstr("observations hash differs: rank 2"));
                                    ++num_failed;
                                    throw;
                                  }
                                }),
               CommError);
  EXPECT_EQ(num_failed, 3);
}

TEST(SharedObservations, NeedPartsToBeHandedOut) {
  const auto ranks = make_serial_communicator();
  const std::unique_ptr<Posterior> small = posterior_of(kCases[1]), large = large_posterior();
  EXPECT_THROW(share_observations(*ranks, nullptr, 1), UsageError);
  EXPECT_THROW(share_observations(*ranks, small.get(), 2), UsageError);
  EXPECT_THROW(share_observations(*ranks, large.get(), 2), UsageError);
  EXPECT_THROW(share_observations(*ranks, large.get(), 0), UsageError);
}

TEST(ShareProblem, NeedsAPosteriorOnTheFirstRank) {
  const auto ranks = make_serial_communicator();
  EXPECT_THROW(share_problem(*ranks, nullptr), UsageError);
}

}  // namespace
}  // namespace sojourn
