#include "sojourn/families.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "graph/family_build.hpp"
#include "sojourn/error.hpp"
#include "sparse_moments.hpp"

namespace sojourn {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// Direct solves of well-conditioned systems of at most a few thousand states keep about 12 digits.
constexpr double kSolveTolerance = 1e-11;

std::vector<std::string> names_of(const Model& model) {
  std::vector<std::string> names;
  for (const Parameter& parameter : model.parameters) names.push_back(parameter.name);
  return names;
}

std::int32_t num_transient(const StateGraph& graph) {
  std::int32_t count = 0;
  for (std::int32_t s = 0; s < graph.num_states(); ++s) count += graph.is_absorbing(s) ? 0 : 1;
  return count;
}

double mean_time(const Model& model, const std::vector<double>& theta) {
  return SparseMoments(model.graph, theta).mean(model.graph.unit_reward());
}

double mean_reward(const Model& model, const std::vector<double>& theta, const char* reward) {
  return SparseMoments(model.graph, theta).mean(model.graph.reward(reward));
}

TEST(Coalescent, HeightByBothDescriptions) {
  // E[height] = 2 (1 - 1/n) / theta (Kingman 1982); n = 4 at theta 7 is the guide's 0.2142857142857143.
  EXPECT_NEAR(mean_time(coalescent_blocks(4), {7.0}), 0.21428571428571429, 1e-16);
  EXPECT_NEAR(mean_time(coalescent_lineages(10), {7.0}), 2 * 0.9 / 7, 1e-15);
  const Model thirty = coalescent_blocks(30);
  EXPECT_EQ(thirty.graph.num_states(), 5604);
  EXPECT_NEAR(mean_time(thirty, {7.0}), 0.2761904761904762, 1e-12);
  EXPECT_EQ(names_of(thirty), std::vector<std::string>{"theta"});
}

TEST(Coalescent, VarianceOfHeight) {
  // The height is a sum of independent exponentials of rates theta k (k - 1) / 2.
  const double theta = 1.75;
  double variance = 0;
  for (int k = 2; k <= 12; ++k) variance += std::pow(theta * k * (k - 1) / 2, -2);
  for (const Model& model : {coalescent_lineages(12), coalescent_blocks(12)}) {
    SparseMoments moments(model.graph, {theta});
    const auto& time = model.graph.unit_reward();
    EXPECT_NEAR(moments.covariance(time, time) / variance, 1, kSolveTolerance);
  }
}

TEST(Coalescent, SpectrumFollowsFu) {
  // E[length of branches over i samples] = 2 / (theta i) (Fu 1995); their sum is the total length.
  const Model model = coalescent_blocks(15);
  double length = 0;
  for (int i = 1; i < 15; ++i) {
    const std::string bin = "bin_" + std::to_string(i);
    EXPECT_NEAR(mean_reward(model, {2.5}, bin.c_str()), 2 / (2.5 * i), kSolveTolerance) << bin;
    length += 2 / (2.5 * i);
  }
  EXPECT_NEAR(mean_reward(model, {2.5}, "length"), length, kSolveTolerance);
  EXPECT_NEAR(mean_reward(model, {2.5}, "singletons"), 2 / 2.5, kSolveTolerance);
  EXPECT_NEAR(mean_reward(coalescent_lineages(15), {2.5}, "length"), length, kSolveTolerance);
}

TEST(Coalescent, SizesOfTheDesignTable) {
  const Model forty = coalescent_blocks(40);
  EXPECT_EQ(forty.graph.num_states(), 37'338);  // partitions of 40
  EXPECT_EQ(forty.graph.num_edges(), 432'937);
  const std::int32_t five[] = {5, 5}, ten[] = {10, 10};
  const Model two_demes = structured_coalescent_blocks(five);
  EXPECT_EQ(num_transient(two_demes.graph), 479);
  EXPECT_EQ(two_demes.graph.num_edges(), 2706);
  EXPECT_EQ(num_transient(structured_coalescent_blocks(ten).graph), 24'840);
  EXPECT_EQ(num_transient(two_locus(8).graph), 8404);
  EXPECT_EQ(two_locus(8).graph.num_edges(), 92'196);
}

TEST(Coalescent, TwoSamples) {
  EXPECT_EQ(coalescent_lineages(2).graph.num_states(), 2);
  EXPECT_EQ(coalescent_blocks(2).graph.num_states(), 2);
  EXPECT_THROW((void)coalescent_lineages(1), ModelError);
  EXPECT_THROW((void)coalescent_blocks(-3), ModelError);
}

TEST(Coalescent, LongChain) {
  const Model model = coalescent_lineages(100'000);
  EXPECT_EQ(model.graph.num_states(), 100'000);
  EXPECT_EQ(model.graph.terms(0)[0].coefficient, 100'000.0 * 99'999 / 2);
}

TEST(StructuredCoalescent, PairsFollowStrobeck) {
  // D equal demes, coalescence rate 1, migration m to each other deme: E[T within] = D whatever m is,
  // E[T between] = D + 1 / (2 m) (Strobeck 1987).
  for (const std::int32_t demes : {2, 3, 5}) {
    const double m = 0.3;
    std::vector<double> theta(demes * demes, m);
    for (std::int32_t d = 0; d < demes; ++d) theta[d] = 1;
    std::vector<std::int32_t> within(demes, 0), between(demes, 0);
    within[1] = 2;
    between[0] = between[1] = 1;
    EXPECT_NEAR(mean_time(structured_coalescent(within), theta), demes, kSolveTolerance);
    EXPECT_NEAR(mean_time(structured_coalescent(between), theta), demes + 1 / (2 * m), kSolveTolerance);
    EXPECT_NEAR(mean_time(structured_coalescent_blocks(between), theta), demes + 1 / (2 * m), kSolveTolerance);
  }
}

TEST(StructuredCoalescent, ParametersAreInTheDocumentedOrder) {
  const std::int32_t samples[] = {2, 1, 1};
  const Model model = structured_coalescent(samples);
  EXPECT_THAT(names_of(model), ElementsAre("coal_0", "coal_1", "coal_2", "mig_0_1", "mig_0_2", "mig_1_0", "mig_1_2",
                                           "mig_2_0", "mig_2_1"));
  // A direct check of every edge out of the start (2, 1, 1).
  const std::vector<double> theta{2, 3, 5, 7, 11, 13, 17, 19, 23};
  std::map<std::vector<std::int32_t>, double> expected{{{1, 1, 1}, 2},  {{1, 2, 1}, 2 * 7}, {{1, 1, 2}, 2 * 11},
                                                       {{3, 0, 1}, 13}, {{2, 0, 2}, 17},    {{3, 1, 0}, 19},
                                                       {{2, 2, 0}, 23}};
  const StateGraph& graph = model.graph;
  EXPECT_EQ(graph.edge_end(0), static_cast<std::int64_t>(expected.size()));
  for (std::int64_t e = 0; e < graph.edge_end(0); ++e) {
    const auto to = graph.state_variables(graph.edge_to(e));
    EXPECT_EQ(graph.weight(e, theta), expected.at({to.begin(), to.end()}));
  }
}

TEST(StructuredCoalescent, BlocksAndLineagesAgree) {
  const std::int32_t samples[] = {4, 2};
  const std::vector<double> theta{1.0, 0.25, 0.4, 1.5};
  const Model lineages = structured_coalescent(samples), blocks = structured_coalescent_blocks(samples);
  EXPECT_EQ(num_transient(lineages.graph), 25);  // (a, b) with 2 <= a + b <= 6
  EXPECT_EQ(num_transient(blocks.graph), 63);    // pairs of partitions of 6, less the two single blocks
  SparseMoments by_lineages(lineages.graph, theta), by_blocks(blocks.graph, theta);
  const auto check = [&](std::span<const double> a, std::span<const double> b) {
    EXPECT_NEAR(by_blocks.mean(b) / by_lineages.mean(a), 1, kSolveTolerance);
    EXPECT_NEAR(by_blocks.covariance(b, b) / by_lineages.covariance(a, a), 1, kSolveTolerance);
  };
  check(lineages.graph.unit_reward(), blocks.graph.unit_reward());
  for (const char* reward : {"length", "length_0", "length_1"})
    check(lineages.graph.reward(reward), blocks.graph.reward(reward));
}

TEST(StructuredCoalescent, OneDemeIsKingman) {
  const std::int32_t samples[] = {9};
  EXPECT_NEAR(mean_time(structured_coalescent(samples), {3.0}), 2 * (1 - 1.0 / 9) / 3, kSolveTolerance);
  EXPECT_NEAR(mean_time(structured_coalescent_blocks(samples), {3.0}), 2 * (1 - 1.0 / 9) / 3, kSolveTolerance);
}

TEST(StructuredCoalescent, BadSamples) {
  const std::int32_t one[] = {1, 0}, negative[] = {3, -1};
  EXPECT_THROW((void)structured_coalescent({}), ModelError);
  EXPECT_THROW((void)structured_coalescent(one), ModelError);
  EXPECT_THROW((void)structured_coalescent_blocks(negative), ModelError);
}

TEST(TwoLocus, CovarianceOfPairsFollowsKaplanAndHudson) {
  // n = 2, coalescence rate 1: Cov(T1, T2) = (rho + 18) / (rho^2 + 13 rho + 18), rho = 2 rec (Kaplan, Hudson 1985).
  for (const double rho : {0.01, 1.0, 10.0, 300.0}) {
    const double expected = (rho + 18) / (rho * rho + 13 * rho + 18);
    for (const Model& model : {two_locus(2), two_locus_lineages(2)}) {
      SparseMoments moments(model.graph, {1.0, rho / 2});
      const auto first = model.graph.reward("height_1"), second = model.graph.reward("height_2");
      EXPECT_NEAR(moments.mean(first), 1, kSolveTolerance);
      EXPECT_NEAR(moments.covariance(first, first), 1, kSolveTolerance);
      // The covariance is a difference of numbers near 2, so its error is absolute.
      EXPECT_NEAR(moments.covariance(first, second), expected, kSolveTolerance);
    }
  }
}

TEST(TwoLocus, EachLocusIsKingman) {
  const std::vector<double> theta{1.5, 0.8};
  for (const Model& model : {two_locus(5), two_locus_lineages(5)}) {
    double length = 0;
    for (int i = 1; i < 5; ++i) length += 2 / (1.5 * i);
    for (const char* locus : {"1", "2"}) {
      EXPECT_NEAR(mean_reward(model, theta, (std::string("height_") + locus).c_str()), 2 * 0.8 / 1.5, kSolveTolerance);
      EXPECT_NEAR(mean_reward(model, theta, (std::string("length_") + locus).c_str()), length, kSolveTolerance);
    }
    EXPECT_THAT(names_of(model), ElementsAre("coal", "rec"));
  }
  EXPECT_NEAR(mean_reward(two_locus(5), theta, "singletons_2"), 2 / 1.5, kSolveTolerance);
}

TEST(TwoLocus, BlocksAndLineagesAgree) {
  const Model blocks = two_locus(5), lineages = two_locus_lineages(5);
  SparseMoments by_blocks(blocks.graph, {1.0, 0.7}), by_lineages(lineages.graph, {1.0, 0.7});
  const auto compare = [&](const char* a, const char* b) {
    EXPECT_NEAR(by_blocks.cross(blocks.graph.reward(a), blocks.graph.reward(b)) /
                    by_lineages.cross(lineages.graph.reward(a), lineages.graph.reward(b)),
                1, kSolveTolerance);
  };
  compare("height_1", "height_2");
  compare("length_1", "length_2");
  compare("height_1", "length_2");
  EXPECT_NEAR(by_blocks.mean(blocks.graph.unit_reward()) / by_lineages.mean(lineages.graph.unit_reward()), 1,
              kSolveTolerance);
}

TEST(BirthDeath, BusyPeriodOfAQueue) {
  // From k customers: each of the k levels takes the busy period of a queue with the places above it.
  const double birth = 0.8, death = 1.3, ratio = birth / death;
  const std::int32_t capacity = 12, start = 3;
  double expected = 0;
  for (std::int32_t level = 1; level <= start; ++level)
    for (std::int32_t i = 0; i <= capacity - level; ++i) expected += std::pow(ratio, i) / death;
  const Model model = birth_death(capacity, start, false);
  EXPECT_NEAR(mean_time(model, {birth, death}), expected, kSolveTolerance);
  EXPECT_EQ(model.graph.num_states(), capacity + 1);
  EXPECT_THAT(names_of(model), ElementsAre("birth", "death"));
}

TEST(BirthDeath, ExtinctionTimePerHead) {
  // From one individual: sum over i of (1 / (i death)) (birth / death)^(i-1).
  const double birth = 0.9, death = 1.1;
  double expected = 0;
  for (std::int32_t i = 1; i <= 20; ++i) expected += std::pow(birth / death, i - 1) / (i * death);
  EXPECT_NEAR(mean_time(birth_death(20, 1, true), {birth, death}), expected, kSolveTolerance);
}

TEST(BirthDeath, OneStateAndLongChains) {
  EXPECT_NEAR(mean_time(birth_death(1, 1, true), {5.0, 4.0}), 0.25, 1e-16);
  EXPECT_EQ(birth_death(100'000, 50'000, false).graph.num_edges(), 199'999);
  EXPECT_THROW((void)birth_death(5, 6, false), ModelError);
  EXPECT_THROW((void)birth_death(5, 0, false), ModelError);
  EXPECT_THROW((void)birth_death(0, 1, false), ModelError);
}

TEST(Stages, MeansAndVariances) {
  const Model erlang_model = erlang(7);
  SparseMoments moments(erlang_model.graph, {2.0});
  const auto& time = erlang_model.graph.unit_reward();
  EXPECT_NEAR(moments.mean(time), 3.5, kSolveTolerance);
  EXPECT_NEAR(moments.covariance(time, time), 7 / 4.0, kSolveTolerance);

  EXPECT_NEAR(mean_time(hypoexponential(3), {1.0, 2.0, 4.0}), 1.75, kSolveTolerance);
  EXPECT_THAT(names_of(hypoexponential(2)), ElementsAre("rate_0", "rate_1"));

  // Coxian with on = (2, 1), exit = (1, 3, 5): stage 1 with probability 2/3, stage 2 after it with 1/4.
  const Model cox = coxian(3);
  EXPECT_THAT(names_of(cox), ElementsAre("on_0", "on_1", "exit_0", "exit_1", "exit_2"));
  EXPECT_NEAR(mean_time(cox, {2, 1, 1, 3, 5}), 1 / 3.0 + 2 / 3.0 * (1 / 4.0 + 1 / 4.0 * (1 / 5.0)), kSolveTolerance);
  EXPECT_EQ(coxian(1).graph.num_edges(), 1);
  EXPECT_EQ(erlang(100'000).graph.num_states(), 100'001);
}

TEST(Stages, HyperexponentialKeepsItsAtom) {
  const double probabilities[] = {0.5, 0.0, 0.25};
  const Model model = hyperexponential(probabilities);
  EXPECT_EQ(model.graph.defect(), 0.25);
  EXPECT_NEAR(mean_time(model, {2.0, 1.0, 8.0}), 0.5 / 2 + 0.25 / 8, kSolveTolerance);
  const double too_much[] = {0.5, 0.75}, negative[] = {0.5, -0.25};
  EXPECT_THROW((void)hyperexponential(too_much), ModelError);
  EXPECT_THROW((void)hyperexponential(negative), ModelError);
  EXPECT_THROW((void)hyperexponential({}), ModelError);
}

TEST(PhaseType, EveryRateIsAParameter) {
  const double initial[] = {0.5, 0.5};
  const Model model = phase_type(2, initial);
  EXPECT_THAT(names_of(model), ElementsAre("rate_0_1", "rate_1_0", "exit_0", "exit_1"));
  // m = (x0 + x1) / 2 with (a + e) x0 - a x1 = 1, (b + f) x1 - b x0 = 1, solved by hand.
  const double a = 2, b = 3, e = 1, f = 4, determinant = (a + e) * (b + f) - a * b;
  EXPECT_NEAR(mean_time(model, {a, b, e, f}), 0.5 * ((b + f + a) + (a + e + b)) / determinant, kSolveTolerance);
  EXPECT_EQ(phase_type(20, std::vector<double>(20, 0.05)).graph.num_edges(), 400);
  EXPECT_THROW((void)phase_type(3, initial), ModelError);
  EXPECT_THROW((void)phase_type(1001, std::vector<double>(1001, 0.0)), ModelError);
}

TEST(PartitionCounts, KnownNumbers) {
  EXPECT_EQ(num_partitions(60, 1), 966'467);  // OEIS A000041
  EXPECT_EQ(num_partitions(100, 1), 190'569'292);
  EXPECT_EQ(num_partitions(10, 2), 481);       // OEIS A000712
  EXPECT_EQ(num_bipartite_partitions(3), 31);  // OEIS A002774
  EXPECT_EQ(num_bipartite_partitions(8), 8406);
  EXPECT_TRUE(std::isinf(num_partitions(2001, 1)));
}

TEST(MakeFamily, BuildsEveryFamily) {
  using Options = std::map<std::string, FamilyValue>;
  const auto states = [](const std::string& family, const Options& options) {
    return make_family(family, options).graph.num_states();
  };
  const std::int64_t five = 5;
  EXPECT_EQ(states("coalescent", {{"samples", five}}), 5);
  EXPECT_EQ(states("coalescent", {{"samples", five}, {"state", "lineages"}}), 5);
  EXPECT_EQ(states("coalescent", {{"samples", 5.0}, {"state", "blocks"}}), 7);
  EXPECT_EQ(states("structured_coalescent", {{"samples", std::vector<double>{2, 2}}}), 13);
  EXPECT_EQ(states("structured_coalescent", {{"samples", std::vector<double>{2, 2}}, {"state", "blocks"}}), 19);
  EXPECT_EQ(states("structured_coalescent", {{"samples", five}}), 5);
  EXPECT_EQ(states("two_locus", {{"samples", std::int64_t{3}}}), 30);
  EXPECT_EQ(states("two_locus", {{"samples", std::int64_t{3}}, {"state", "lineages"}}), 22);
  EXPECT_EQ(states("birth_death", {{"capacity", five}, {"start", std::int64_t{2}}, {"per_head", true}}), 6);
  EXPECT_EQ(states("birth_death", {{"capacity", five}}), 6);
  EXPECT_EQ(states("mm1k", {{"capacity", five}}), 6);
  EXPECT_THAT(names_of(make_family("mm1k", {{"capacity", five}})), ElementsAre("arrival", "service"));
  for (const char* family : {"erlang", "coxian", "hypoexponential", "phase_type", "general"})
    for (const char* option : {"stages", "order"}) EXPECT_EQ(states(family, {{option, five}}), 6) << family;
  EXPECT_EQ(states("hyperexponential", {{"probabilities", std::vector<double>{0.5, 0.5}}}), 3);
  EXPECT_EQ(
      make_family("general", {{"order", std::int64_t{2}}, {"initial", std::vector<double>{0.25, 0.25}}}).graph.defect(),
      0.5);
  EXPECT_EQ(family_names().size(), 11u);
}

std::string family_error(const std::string& family, const std::map<std::string, FamilyValue>& options) {
  try {
    (void)make_family(family, options);
  } catch (const ModelError& error) {
    return error.what();
  }
  return "no error";
}

TEST(MakeFamily, Errors) {
  const std::int64_t five = 5;
  EXPECT_THAT(family_error("coalescnt", {}), AllOf(HasSubstr("unknown family 'coalescnt'"),
                                                   HasSubstr("did you mean 'coalescent'"), HasSubstr("two_locus")));
  EXPECT_THAT(family_error("coalescent", {}), HasSubstr("'samples' is missing"));
  EXPECT_THAT(family_error("coalescent", {{"samples", five}, {"stat", "blocks"}}),
              AllOf(HasSubstr("unknown option 'stat'"), HasSubstr("did you mean 'state'")));
  EXPECT_THAT(family_error("coalescent", {{"samples", five}, {"state", "block"}}),
              AllOf(HasSubstr("state 'block'"), HasSubstr("blocks")));
  EXPECT_THAT(family_error("coalescent", {{"samples", 2.5}}), HasSubstr("whole number, not 2.5"));
  EXPECT_THAT(family_error("coalescent", {{"samples", "many"}}), HasSubstr("whole number"));
  EXPECT_THAT(family_error("coalescent", {{"samples", std::nan("")}}), HasSubstr("whole number"));
  EXPECT_THAT(family_error("coalescent", {{"samples", std::int64_t{-5}}}), HasSubstr("samples -5 must be >= 2"));
  EXPECT_THAT(family_error("birth_death", {{"capacity", five}, {"per_head", five}}), HasSubstr("true or false"));
  EXPECT_THAT(family_error("hyperexponential", {{"probabilities", "x"}}), HasSubstr("list of numbers"));
  EXPECT_THAT(family_error("erlang", {}), HasSubstr("'stages' is missing"));
  EXPECT_THAT(family_error("erlang", {{"stages", five}, {"order", five}}), HasSubstr("mean the same"));
  EXPECT_THAT(family_error("erlang", {{"stages", std::int64_t{0}}}), HasSubstr("stages 0 must be >= 1"));
}

TEST(MakeFamily, StateLimitIsCheckedBeforeBuilding) {
  // Each of these would take far more memory than there is; the refusal must come at once.
  EXPECT_THAT(family_error("coalescent", {{"samples", std::int64_t{200}}, {"state", "blocks"}}),
              AllOf(HasSubstr("3.97"), HasSubstr("TiB or more"), HasSubstr("state limit 10000000 (--max-states)")));
  for (const std::int64_t huge : {1'000'000'000LL, 4'000'000'000'000LL}) {
    EXPECT_THAT(family_error("coalescent", {{"samples", huge}}), HasSubstr("--max-states"));
    EXPECT_THAT(family_error("coalescent", {{"samples", huge}, {"state", "blocks"}}), HasSubstr("--max-states"));
    EXPECT_THAT(family_error("erlang", {{"stages", huge}}), HasSubstr("--max-states"));
    EXPECT_THAT(family_error("coxian", {{"stages", huge}}), HasSubstr("--max-states"));
    EXPECT_THAT(family_error("phase_type", {{"order", huge}}), HasSubstr("--max-states"));
    EXPECT_THAT(family_error("birth_death", {{"capacity", huge}}), HasSubstr("--max-states"));
    EXPECT_THAT(family_error("two_locus", {{"samples", huge}}), HasSubstr("--max-states"));
    EXPECT_THAT(family_error("two_locus", {{"samples", huge}, {"state", "lineages"}}), HasSubstr("--max-states"));
  }
  EXPECT_THAT(family_error("structured_coalescent", {{"samples", std::vector<double>{90, 90, 90, 90}}}),
              HasSubstr("--max-states"));
  EXPECT_THAT(family_error("structured_coalescent", {{"samples", std::vector<double>{90, 90}}, {"state", "blocks"}}),
              HasSubstr("--max-states"));
  EXPECT_THROW((void)make_family("erlang", {{"stages", std::int64_t{100}}}, 100), ModelError);
  EXPECT_EQ(make_family("erlang", {{"stages", std::int64_t{99}}}, 100).graph.num_states(), 100);
}

}  // namespace
}  // namespace sojourn
