#include "graph/load_model.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "sojourn/families.hpp"

namespace sojourn {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kExplicit = R"(
schema: sojourn/model/1
name: erlang-mix
time: continuous
parameters: [a, {name: b, lower: 0.5, upper: 4}]
states: 4
initial: [[0, 0.9], [1, 0.1]]
edges:
  - [0, 1, 0.0, [1.0, 0.0]]
  - [1, 2, 0.5, [0.0, 2.0]]
  - [2, 3, 0.0, [1.0, 1.0]]
rewards: {time: [1, 1, 1, 0], first: [1, 0, 0, 0]}
)";

/// Edges keyed by the variables of their ends: a graph without its numbering.
using EdgeMap = std::map<std::pair<std::vector<std::int32_t>, std::vector<std::int32_t>>, std::vector<double>>;

EdgeMap edge_map(const StateGraph& graph) {
  EdgeMap edges;
  const auto variables = [&](std::int32_t state) {
    const auto row = graph.state_variables(state);
    return std::vector<std::int32_t>(row.begin(), row.end());
  };
  for (std::int32_t from = 0; from < graph.num_states(); ++from)
    for (std::int64_t e = graph.edge_begin(from); e < graph.edge_end(from); ++e) {
      std::vector<double> form(static_cast<std::size_t>(graph.num_rates()) + 1, 0.0);
      form.back() = graph.base(e);
      for (const RateTerm& term : graph.terms(e)) form[term.rate] = term.coefficient;
      edges[{variables(from), variables(graph.edge_to(e))}] = form;
    }
  return edges;
}

TEST(LoadModel, ReadsExplicitModels) {
  const Model model = parse_model(kExplicit, "F");
  EXPECT_EQ(model.name, "erlang-mix");
  ASSERT_EQ(model.num_parameters(), 2);
  EXPECT_EQ(model.parameters[0].name, "a");
  EXPECT_EQ(model.parameters[0].lower, 0);
  EXPECT_EQ(model.parameters[0].upper, INFINITY);
  EXPECT_EQ(model.parameters[1].lower, 0.5);
  EXPECT_EQ(model.parameters[1].upper, 4);
  EXPECT_TRUE(model.rates.is_identity());
  const StateGraph& graph = model.graph;
  ASSERT_EQ(graph.num_states(), 4);
  ASSERT_EQ(graph.num_edges(), 3);
  EXPECT_EQ(graph.time_kind(), TimeKind::kContinuous);
  const std::vector<double> theta{2, 3};
  EXPECT_EQ(graph.weight(0, theta), 2);
  EXPECT_EQ(graph.weight(1, theta), 6.5);
  EXPECT_EQ(graph.weight(2, theta), 5);
  EXPECT_EQ(graph.terms(0).size(), 1);
  EXPECT_TRUE(graph.is_absorbing(3));
  EXPECT_EQ(graph.initial()[1].probability, 0.1);
  EXPECT_EQ(graph.defect(), 0);
  EXPECT_EQ(graph.reward("first")[0], 1);
  EXPECT_THAT(model.warnings, IsEmpty());
}

TEST(LoadModel, ReadsJson) {
  const Model model = parse_model(
      R"({"schema": "sojourn/model/1", "parameters": ["rate"], "states": 2, "initial": [[0, 1]],
          "edges": [[0, 1, 0, [1]]]})",
      "F");
  EXPECT_EQ(model.graph.num_edges(), 1);
  EXPECT_EQ(model.name, "model");
}

TEST(LoadModel, AStartBelowOneLeavesAnAtomAtZero) {
  const Model model = parse_model(
      "schema: sojourn/model/1\nparameters: []\nstates: 2\ninitial: [[0, 0.75]]\nedges: [[0, 1, 2.0]]\n", "F");
  EXPECT_EQ(model.graph.defect(), 0.25);
  EXPECT_EQ(model.graph.base(0), 2);
}

TEST(LoadModel, StatesMayHaveNames) {
  const Model model = parse_model(
      "schema: sojourn/model/1\nparameters: [r]\nstates: [sick, well, done]\ninitial: [[well, 1]]\n"
      "edges: [[well, sick, 0, [1]], [sick, done, 1, [0]]]\n",
      "F");
  EXPECT_EQ(model.graph.initial()[0].state, 1);
  EXPECT_EQ(model.graph.edge_to(0), 2);
}

TEST(LoadModel, ReadsDiscreteTime) {
  const Model model = parse_model(
      "schema: sojourn/model/1\ntime: discrete\nparameters: [{name: p, upper: 1}]\nstates: 2\ninitial: [[0, 1]]\n"
      "edges: [[0, 1, 0, [1]]]\n",
      "F");
  EXPECT_EQ(model.graph.time_kind(), TimeKind::kDiscrete);
  EXPECT_THAT(model.warnings, IsEmpty());
}

TEST(LoadModel, DerivedRatesStandBetweenParametersAndEdges) {
  const Model model = parse_model(R"(
schema: sojourn/model/1
parameters: [a, b]
derived: {coal: 1 / (2*a), mig: b / a}
states: 3
initial: [[0, 1]]
edges: [[0, 1, 0, [1, 0]], [1, 0, 0, [0, 3]], [1, 2, 0, [1, 1]]]
)",
                                  "F");
  EXPECT_FALSE(model.rates.is_identity());
  EXPECT_EQ(model.rates.num_rates(), 2);
  EXPECT_EQ(model.graph.num_rates(), 2);
  std::vector<double> phi(2);
  model.rates.evaluate(std::vector<double>{4, 2}, phi);
  EXPECT_EQ(phi, (std::vector<double>{0.125, 0.5}));
  EXPECT_EQ(model.graph.weight(2, phi), 0.625);
  EXPECT_THAT(model.warnings, IsEmpty());
}

TEST(LoadModel, ReadsTheContractsRuleModel) {
  const Model model = parse_model(R"(
schema: sojourn/model/1
parameters: [theta1, m]
variables: {a: {initial: 10, min: 0, max: 10}, b: {initial: 0, min: 0, max: 10}}
rules:
  - {when: a >= 2, rate: theta1 * a*(a-1)/2, effect: {a: a-1}}
  - {when: a >= 1, rate: m * a, effect: {a: a-1, b: b+1}}
absorbing: a + b == 1
rewards: {height: "1", lineages: "a + b"}
)",
                                  "F");
  const StateGraph& graph = model.graph;
  EXPECT_THAT(graph.variable_names(), ::testing::ElementsAre("a", "b"));
  // Every (a, b) with 1 <= a + b <= 10 can be reached by migrations and coalescences in the first deme, except (0, 1):
  // its only way in would be from (1, 0), which is absorbing. (0, b > 1) has no rule, so it is absorbing as well.
  std::int32_t expected = -1;
  for (int a = 0; a <= 10; ++a)
    for (int b = 0; a + b <= 10; ++b) expected += a + b >= 1;
  EXPECT_EQ(graph.num_states(), expected);
  const std::vector<double> theta{2, 3};
  const EdgeMap edges = edge_map(graph);
  EXPECT_EQ(edges.at({{10, 0}, {9, 0}}), (std::vector<double>{45, 0, 0}));
  EXPECT_EQ(edges.at({{10, 0}, {9, 1}}), (std::vector<double>{0, 10, 0}));
  EXPECT_EQ(edges.at({{4, 3}, {3, 4}}), (std::vector<double>{0, 4, 0}));
  EXPECT_FALSE(edges.contains({{1, 0}, {0, 1}}));  // absorbing
  EXPECT_EQ(graph.reward("height")[0], 1);
  EXPECT_EQ(graph.reward("lineages")[0], 10);
}

TEST(LoadModel, EffectsAreAssignedAtOnce) {
  const Model model = parse_model(R"(
schema: sojourn/model/1
parameters: [r]
variables: {x: {initial: 1, max: 5}, y: {initial: 2, max: 5}, n: {initial: 0, max: 1}}
rules:
  - {when: n == 0, rate: r, effect: {x: y, y: x, n: n + 1}}
)",
                                  "F");
  EXPECT_TRUE(edge_map(model.graph).contains({{1, 2, 0}, {2, 1, 1}}));
}

TEST(LoadModel, RulesWithoutWeightAreNoTransitions) {
  // At a = 0 the rate is 0, so the effect that would leave [0, 3] does not count.
  const Model model = parse_model(R"(
schema: sojourn/model/1
parameters: [r]
variables: {a: {initial: 3, min: 0, max: 3}}
rules: [{rate: r*a, effect: {a: a - 1}}]
)",
                                  "F");
  EXPECT_EQ(model.graph.num_states(), 4);
  EXPECT_TRUE(model.graph.is_absorbing(3));
}

TEST(LoadModel, RulesMayUseDerivedRates) {
  const Model model = parse_model(R"(
schema: sojourn/model/1
parameters: [size]
derived: {coal: 1 / (2*size)}
variables: {n: {initial: 5, min: 1, max: 5}}
rules: [{when: n > 1, rate: "coal * n*(n-1)/2", effect: {n: n - 1}}]
)",
                                  "F");
  EXPECT_EQ(edge_map(model.graph).at({{5}, {4}}), (std::vector<double>{10, 0}));
  EXPECT_EQ(model.parameters[0].name, "size");
}

TEST(LoadModel, ARuleModelEqualsTheLineageFamily) {
  const Model rules = parse_model(R"(
schema: sojourn/model/1
parameters: [theta]
variables: {n: {initial: 12, min: 1, max: 12}}
rules: [{when: n >= 2, rate: theta * n*(n-1)/2, effect: {n: n - 1}}]
)",
                                  "F");
  EXPECT_EQ(edge_map(rules.graph), edge_map(coalescent_lineages(12).graph));
}

TEST(LoadModel, ARuleModelEqualsTheStructuredFamily) {
  const Model rules = parse_model(R"(
schema: sojourn/model/1
parameters: [coal_0, coal_1, mig_0_1, mig_1_0]
variables: {n_0: {initial: 5, max: 9}, n_1: {initial: 4, max: 9}}
rules:
  - {when: n_0 >= 2, rate: coal_0 * n_0*(n_0-1)/2, effect: {n_0: n_0 - 1}}
  - {when: n_1 >= 2 && n_0 + n_1 > 2, rate: coal_1 * n_1*(n_1-1)/2, effect: {n_1: n_1 - 1}}
  - {when: n_1 == 2 && n_0 == 0, rate: coal_1, effect: {n_0: 1, n_1: 0}}
  - {when: n_0 >= 1, rate: mig_0_1 * n_0, effect: {n_0: n_0 - 1, n_1: n_1 + 1}}
  - {when: n_1 >= 1, rate: mig_1_0 * n_1, effect: {n_0: n_0 + 1, n_1: n_1 - 1}}
absorbing: n_0 + n_1 == 1
rewards: {length: n_0 + n_1}
)",
                                  "F");
  const std::vector<std::int32_t> samples{5, 4};
  const Model family = structured_coalescent(samples);
  EXPECT_EQ(rules.graph.num_states(), family.graph.num_states());
  EXPECT_EQ(edge_map(rules.graph), edge_map(family.graph));
  EXPECT_THAT(rules.warnings, IsEmpty());
}

TEST(LoadModel, ARuleModelEqualsTheBirthDeathFamily) {
  const Model rules = parse_model(R"(
schema: sojourn/model/1
parameters: [birth, death]
variables: {k: {initial: 3, min: 0, max: 20}}
rules:
  - {when: k < 20, rate: birth * k, effect: {k: k + 1}}
  - {rate: death * k, effect: {k: k - 1}}
)",
                                  "F");
  EXPECT_EQ(edge_map(rules.graph), edge_map(birth_death(20, 3, true).graph));
}

TEST(LoadModel, ReadsFamiliesAndRenamesTheirParameters) {
  const Model plain =
      parse_model("schema: sojourn/model/1\nfamily: {coalescent: {samples: 6, state: lineages}}\n", "F");
  EXPECT_EQ(plain.graph.num_states(), 6);
  EXPECT_EQ(plain.parameters[0].name, "theta");
  const Model named = parse_model(
      "schema: sojourn/model/1\nname: mine\nparameters: [{name: rate, upper: 9}]\nfamily: {erlang: {stages: 3}}\n",
      "F");
  EXPECT_EQ(named.name, "mine");
  EXPECT_EQ(named.parameters[0].name, "rate");
  EXPECT_EQ(named.parameters[0].upper, 9);
  EXPECT_EQ(edge_map(named.graph), edge_map(erlang(3).graph));
  const Model derived = parse_model(
      "schema: sojourn/model/1\nparameters: [size]\nderived: {coal: 1/size}\nfamily: {coalescent: {samples: 4}}\n",
      "F");
  EXPECT_FALSE(derived.rates.is_identity());
  EXPECT_EQ(derived.parameters[0].name, "size");
}

TEST(LoadModel, AModelMayStandInsideAnotherFile) {
  const Document run = Document::parse(
      "schema: sojourn/run/1\nmodel:\n  parameters: [r]\n  states: 2\n  initial: [[0, 1]]\n  edges: [[0, 1, 0, [1]]]\n",
      "run.yaml");
  const Model model = model_from_document(run.root().at("model"), {}, false);
  EXPECT_EQ(model.graph.num_edges(), 1);
}

TEST(LoadModel, WarnsOfUnusedParameters) {
  const Model model = parse_model(
      "schema: sojourn/model/1\nparameters: [a, idle]\nstates: 2\ninitial: [[0, 1]]\nedges: [[0, 1, 0, [1, 0]]]\n",
      "F");
  EXPECT_THAT(model.warnings, Contains(HasSubstr("parameter 'idle' is unused")));
  EXPECT_THAT(model.warnings, Not(Contains(HasSubstr("'a'"))));
  const Model derived = parse_model(
      "schema: sojourn/model/1\nparameters: [a, idle]\nderived: {x: a^2, y: idle}\nstates: 2\ninitial: [[0, 1]]\n"
      "edges: [[0, 1, 0, [1, 0]]]\n",
      "F");
  EXPECT_THAT(derived.warnings, Contains(HasSubstr("parameter 'idle' is unused")));
}

TEST(LoadModel, WarnsWhereAWeightCanBeNegative) {
  const auto warnings = [](const std::string& parameters, const std::string& derived, const std::string& form) {
    return parse_model(fmt::format("schema: sojourn/model/1\nparameters: {}\n{}states: 2\ninitial: [[0, 1]]\nedges: "
                                   "[[0, 1, {}]]\n",
                                   parameters, derived, form),
                       "F")
        .warnings;
  };
  EXPECT_THAT(warnings("[a]", "", "1, [-1]"), Contains(HasSubstr("can be negative")));
  EXPECT_THAT(warnings("[{name: a, upper: 1}]", "", "1, [-1]"), IsEmpty());
  EXPECT_THAT(warnings("[{name: a, lower: -.inf}]", "", "1, [1]"), Contains(HasSubstr("can be negative")));
  EXPECT_THAT(warnings("[{name: a, lower: -1}]", "", "1, [1]"), IsEmpty());
  EXPECT_THAT(warnings("[a, b]", "", "0, [1, -1]"),
              Contains(HasSubstr("edge 0 -> 1 with weight 0 + 1 * 'a' + -1 * 'b'")));
  EXPECT_THAT(warnings("[a, b]", "derived: {x: a - b}\n", "0, [1]"),
              Contains(AllOf(HasSubstr("can be negative"), HasSubstr("1 * 'x'"))));
  EXPECT_THAT(warnings("[a, b]", "derived: {x: a / b}\n", "0, [1]"), IsEmpty());
}

TEST(LoadModel, WarnsWhereADiscreteRowCanExceedOne) {
  const auto warnings = [](const char* parameter) {
    return parse_model(fmt::format("schema: sojourn/model/1\ntime: discrete\nparameters: [{}]\nstates: 3\ninitial: "
                                   "[[0, 1]]\nedges: [[0, 1, 0, [1]], [0, 2, 0, [1]], [1, 2, 0.5, [0]]]\n",
                                   parameter),
                       "F")
        .warnings;
  };
  EXPECT_THAT(warnings("{name: p, upper: 1}"), Contains(HasSubstr("out of state 0 can exceed 1")));
  EXPECT_THAT(warnings("{name: p, upper: 0.5}"), IsEmpty());
}

TEST(Digest, FollowsTheStructureAndNotTheText) {
  const auto of = [](std::string text, const std::string& what, const std::string& by) {
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return digest(parse_model(text.replace(at, what.size(), by), "F"));
  };
  const std::string original = digest(parse_model(kExplicit, "F"));
  EXPECT_EQ(original.size(), 32);
  EXPECT_EQ(of(kExplicit, "0.5, [0.0, 2.0]", "5e-1, [-0.0, 2]"), original);
  EXPECT_EQ(of(kExplicit, "erlang-mix", "other"), original);
  EXPECT_EQ(of(kExplicit, "initial: [[0, 0.9], [1, 0.1]]", "initial: [[1, 0.1], [0, 0.9]] # turned"), original);
  EXPECT_NE(of(kExplicit, "2.0]", "2.0000000000000004]"), original);
  EXPECT_NE(of(kExplicit, "[a, ", "[c, "), original);
  EXPECT_NE(of(kExplicit, "upper: 4", "upper: 5"), original);
  EXPECT_NE(of(kExplicit, "[0, 0.9]", "[0, 0.8]"), original);
  EXPECT_NE(of(kExplicit, "first:", "second:"), original);
  EXPECT_NE(of(kExplicit, "[1, 0, 0, 0]", "[2, 0, 0, 0]"), original);
  EXPECT_NE(of(kExplicit, "[2, 3, 0.0", "[2, 0, 0.1, [0, 0]]\n  - [2, 3, 0.0"), original);
  EXPECT_NE(of(kExplicit, "states: 4", "derived: {x: a, y: 2*b}\nstates: 4"), original);
}

TEST(Digest, AFamilyFromAFileIsTheFamilyFromCode) {
  EXPECT_EQ(digest(parse_model("schema: sojourn/model/1\nfamily: {coalescent: {samples: 9, state: blocks}}\n", "F")),
            digest(coalescent_blocks(9)));
}

}  // namespace
}  // namespace sojourn
