#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/random.hpp"
#include "sojourn/error.hpp"
#include "sojourn/model.hpp"

// One test a kind of bad model: which class of error, and that the message says what, where, the value and what is
// allowed. The numbers are those of the list of bad inputs in the documentation.

namespace sojourn {
namespace {

using namespace std::string_literals;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string model_fault(const std::string& text, const ModelLimits& limits = {}) {
  try {
    (void)parse_model(text, "F", limits);
    return "none";
  } catch (const ModelError& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kInvalidFile);
    return error.what();
  }
}

/// An explicit model; the edges start at line 6.
std::string explicit_model(const std::string& edges, const std::string& more = "", int states = 3,
                           const std::string& initial = "[[0, 1]]", const std::string& time = "continuous") {
  return fmt::format("schema: sojourn/model/1\nparameters: [a, b]\nstates: {}\ninitial: {}\ntime: {}\nedges: {}\n{}",
                     states, initial, time, edges, more);
}

/// A rule model in one variable n with parameter r; the rule stands in line 4.
std::string rule_model(const std::string& rule, const std::string& more = "", const std::string& parameters = "[r]") {
  return fmt::format(
      "schema: sojourn/model/1\nparameters: {}\nvariables: {{n: {{initial: 3, min: 0, max: 5}}}}\nrules: [{}]\n{}",
      parameters, rule, more);
}

const std::string kGoodEdges = "[[0, 1, 0, [1, 0]], [1, 2, 0, [0, 1]]]";

TEST(BadModel, Row00TheGoodOnesPass) {
  EXPECT_EQ(model_fault(explicit_model(kGoodEdges)), "none");
  EXPECT_EQ(model_fault(rule_model("{when: n > 0, rate: r, effect: {n: n - 1}}")), "none");
}

TEST(BadModel, Row01MissingFilesAndFoldersAreIoErrors) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("sojourn_bad_model_{}", ::getpid());
  std::filesystem::create_directories(folder);
  for (const auto& [path, reason] :
       {std::pair{folder / "none.yaml", "No such file or directory"}, std::pair{folder, "Is a directory"}}) {
    try {
      (void)load_model(path);
      FAIL() << path;
    } catch (const IoError& error) {
      EXPECT_EQ(error.exit_code(), ExitCode::kIo);
      EXPECT_THAT(error.what(), StartsWith(fmt::format("model: cannot read {}: {}", path.string(), reason)));
    }
  }
  const auto file = folder / "good.yaml";
  std::ofstream(file) << explicit_model(kGoodEdges);
  EXPECT_EQ(load_model(file).graph.num_states(), 3);
  std::filesystem::remove_all(folder);
}

TEST(BadModel, Row02EmptyModelsAreRefused) {
  EXPECT_THAT(model_fault(""), StartsWith("F: empty model"));
  EXPECT_THAT(model_fault(" \n\n\t\n"), StartsWith("F: empty model"));
  EXPECT_THAT(model_fault("# nothing\n"), StartsWith("F: empty model"));
}

TEST(BadModel, Row03SyntaxErrorsHaveLineAndColumn) {
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nname: a: b\n"), StartsWith("F:2:8: unexpected ':'"));
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nedges: [[0, 1\n"), ContainsRegex("^F:[0-9]+:[0-9]+: "));
  EXPECT_THAT(model_fault("schema: sojourn/model/1\n bad\n  worse: 1\n"), ContainsRegex("^F:[0-9]+:[0-9]+: "));
  EXPECT_THAT(model_fault("just text"), StartsWith("F:1:1: expected a mapping, got 'just text'"));
  EXPECT_THAT(model_fault("[1, 2]"), StartsWith("F:1:1: expected a mapping, got a list of 2"));
}

TEST(BadModel, Row04OtherEncodingsAreRefused) {
  EXPECT_THAT(model_fault("schema: sojourn/\xe9"), StartsWith("F: byte 16 is not UTF-8"));
  EXPECT_THAT(model_fault("schema: sojourn/\0model"s), StartsWith("F: byte 16 is NUL"));
  EXPECT_THAT(model_fault("\xff\xfes\0"s), StartsWith("F: byte 0 is not UTF-8"));
}

TEST(BadModel, Row05HugeFilesAreRefusedBeforeReading) {
  const auto path = std::filesystem::temp_directory_path() / fmt::format("sojourn_huge_{}.yaml", ::getpid());
  std::ofstream(path) << "schema: sojourn/model/1\n";
  std::filesystem::resize_file(path, (64ULL << 20) + 1);
  try {
    (void)load_model(path);
    FAIL();
  } catch (const ModelError& error) {
    EXPECT_THAT(error.what(), HasSubstr("exceeds --max-model-bytes 67108864"));
  }
  std::filesystem::remove(path);
  ModelLimits tight;
  tight.max_bytes = 10;
  EXPECT_THAT(model_fault("schema: sojourn/model/1", tight), HasSubstr("exceeds --max-model-bytes 10"));
}

TEST(BadModel, Row06DeepNestingIsRefused) {
  const std::string deep =
      fmt::format("schema: sojourn/model/1\nname: {}{}\n", std::string(5000, '['), std::string(5000, ']'));
  EXPECT_THAT(model_fault(deep), HasSubstr("nesting deeper than 64 at line 2"));
}

TEST(BadModel, Row07AliasesAreRefused) {
  EXPECT_THAT(model_fault("schema: sojourn/model/1\na: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"),
              AllOf(StartsWith("F:2:4: "), HasSubstr("aliases are not allowed")));
  EXPECT_THAT(model_fault("schema: *a\n"), HasSubstr("aliases are not allowed"));
}

TEST(BadModel, Row08TagsAreRefused) {
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nname: !!python/object/apply:os.system ['true']\n"),
              AllOf(StartsWith("F:2:7: "), HasSubstr("tags are not allowed")));
}

TEST(BadModel, Row09DuplicateKeysNameBothLines) {
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nname: a\ntime: discrete\nname: b\n"),
              AllOf(StartsWith("F:4:1: "), HasSubstr("duplicate key 'name': lines 2 and 4")));
}

TEST(BadModel, Row10UnknownKeysGetASuggestion) {
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nruels: []\n"),
              StartsWith("F:2:1: unknown key 'ruels'; did you mean 'rules'?"));
  EXPECT_THAT(model_fault(rule_model("{wen: n > 0, rate: r, effect: {n: n - 1}}")),
              HasSubstr("rules[0]: unknown key 'wen'; did you mean 'when'?"));
  EXPECT_THAT(model_fault(rule_model("{rate: r, effect: {m: n - 1}}")),
              HasSubstr("rule 0: effect on unknown variable 'm'"));
  EXPECT_THAT(model_fault(explicit_model(kGoodEdges, "absorbing: 1\n")),
              HasSubstr("key 'absorbing' does not belong in a model given by 'edges'"));
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nfamily: {colaescent: {samples: 3}}\n"),
              HasSubstr("did you mean 'coalescent'?"));
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nfamily: {coalescent: {sampels: 3}}\n"), HasSubstr("F:2:"));
  EXPECT_THAT(model_fault(explicit_model(kGoodEdges, "family: {erlang: {stages: 3}}\n")),
              HasSubstr("'edges' and 'family' are both given"));
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nparameters: [a]\n"), HasSubstr("the model has no states"));
}

TEST(BadModel, Row11OtherSchemasAreRefused) {
  EXPECT_THAT(model_fault("name: a\n"), HasSubstr("missing key 'schema'; add 'schema: sojourn/model/1'"));
  EXPECT_THAT(model_fault("schema: sojourn/model/7\n"), HasSubstr("F:1:9: schema: schema 7 is newer than 1; upgrade"));
  EXPECT_THAT(model_fault("schema: sojourn/model/99999999999999999999\n"), HasSubstr("is newer than 1; upgrade"));
  EXPECT_THAT(model_fault("schema: sojourn/model/0\n"), HasSubstr("schema 0 is older than 1"));
  EXPECT_THAT(model_fault("schema: sojourn/run/1\n"), HasSubstr("is not a model's; must be 'sojourn/model/1'"));
  EXPECT_THAT(model_fault("schema: 1\n"), HasSubstr("must be 'sojourn/model/1'"));
}

TEST(BadModel, Row12EdgesToUnknownStatesAreNamed) {
  EXPECT_THAT(model_fault(explicit_model("\n  - [0, 1, 0, [1, 0]]\n  - [1, 9, 0, [1, 0]]")),
              StartsWith("F:8:9: edges[1][1]: edge 1: state 9 not defined; states are 0 to 2"));
  EXPECT_THAT(model_fault(explicit_model("[[-1, 1, 0, [1, 0]]]")), HasSubstr("edge 0: state -1 not defined"));
  EXPECT_THAT(model_fault(explicit_model("[[0.5, 1, 0, [1, 0]]]")), HasSubstr("expected a whole number, got '0.5'"));
  EXPECT_THAT(model_fault(explicit_model(kGoodEdges, "", 3, "[[7, 1]]")),
              StartsWith("F:4:12: initial[0][0]: state 7 not defined"));
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nparameters: []\nstates: [A, B]\ninitial: [[A, 1]]\n"
                          "edges: [[A, B2, 1]]\n"),
              HasSubstr("edge 0: state 'B2' not defined; did you mean 'B'?"));
}

TEST(BadModel, Row13BadConstantRatesAreNamed) {
  for (const char* rate : {"-1", ".nan", ".inf", "-.inf", "0"}) {
    const std::string fault =
        model_fault(explicit_model(fmt::format("\n  - [0, 1, 0, [1, 0]]\n  - [1, 2, {}, [0, 0]]", rate)));
    EXPECT_THAT(fault,
                AllOf(StartsWith("F:8:5: edges[1]: edge 1 (1 -> 2): rate "), HasSubstr("must be finite and > 0")))
        << rate;
  }
  EXPECT_THAT(model_fault(explicit_model("[[0, 1, 0, [.nan, 0]]]")), HasSubstr("coefficient nan"));
  EXPECT_THAT(model_fault(explicit_model("[[0, 1, fast, [1, 0]]]")), HasSubstr("expected a number, got 'fast'"));
  EXPECT_THAT(model_fault(explicit_model("[[0, 1, '1', [1, 0]]]")), HasSubstr("remove the quotes"));
  EXPECT_THAT(model_fault(rule_model("{when: n > 0, rate: n - 3 - 1, effect: {n: n - 1}}")),
              HasSubstr("rule 0 in state (n=3): rate -1 must be finite and >= 0"));
  EXPECT_THAT(model_fault(rule_model("{when: n > 0, rate: r / (n - 3), effect: {n: n - 1}}")),
              HasSubstr("rule 0 in state (n=3): rate 0 + inf * r must be finite"));
}

TEST(BadModel, Row14CoefficientsBeyondTheParametersAreNamed) {
  EXPECT_THAT(model_fault(explicit_model("[[0, 1, 0, [1, 0, 2]]]")), HasSubstr("edge 0: parameter 3 of 2"));
  EXPECT_THAT(model_fault(explicit_model("[[0, 1, 0, [1]]]")), HasSubstr("edge 0: 1 coefficients for 2 parameters"));
  EXPECT_THAT(model_fault(explicit_model("[[0, 1]]")), HasSubstr("edge 0: expected [from, to, base"));
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nparameters: [a, b]\nfamily: {coalescent: {samples: 4}}\n"),
              HasSubstr("2 names for the 1 parameters of the family 'coalescent'; they are, in order: theta"));
}

TEST(BadModel, Row15WeightsThatCanBeNegativeWarnAtLoad) {
  const Model model = parse_model(explicit_model("[[0, 1, 0, [1, -1]], [1, 2, 0, [0, 1]]]"), "F");
  ASSERT_EQ(model.warnings.size(), 1);
  EXPECT_THAT(model.warnings[0], AllOf(HasSubstr("can be negative"), HasSubstr("edge 0 -> 1")));
  // At evaluation the edge is found and named: see the evaluator's own tests.
  EXPECT_EQ(first_bad_edge(model.graph, std::vector<double>{1, 2}), 0);
  EXPECT_EQ(first_bad_edge(model.graph, std::vector<double>{2, 1}), -1);
}

TEST(BadModel, Row16DefectiveLawsListATrappedState) {
  EXPECT_THAT(model_fault(explicit_model("[[0, 1, 1], [1, 0, 1], [2, 0, 1]]")),
              AllOf(StartsWith("F:6:"), HasSubstr("no absorbing state"), HasSubstr("defective")));
  EXPECT_THAT(model_fault(explicit_model("[[0, 1, 1], [1, 4, 1], [0, 2, 1], [2, 3, 1], [3, 2, 1]]", "", 5)),
              AllOf(HasSubstr("cannot reach an absorbing state"), HasSubstr("trapped states: 2, 3")));
  EXPECT_THAT(model_fault(rule_model("{when: n < 5, rate: r, effect: {n: n + 1}}, {when: n > 0, rate: r, effect: {n: "
                                     "n - 1}}, {when: n == 0, rate: r, effect: {n: 1}}")),
              AllOf(StartsWith("F:4:"), HasSubstr("no absorbing state")));
}

TEST(BadModel, Row17BadStartsAreNamed) {
  EXPECT_THAT(model_fault(explicit_model(kGoodEdges, "", 3, "[[0, 0.9], [1, 0.2]]")),
              AllOf(StartsWith("F:4:10: initial: the start probabilities sum to 1.1"), HasSubstr("at most 1")));
  EXPECT_THAT(model_fault(explicit_model(kGoodEdges, "", 3, "[[0, -0.5], [1, 0.5]]")), HasSubstr("probability -0.5"));
  EXPECT_THAT(model_fault(explicit_model(kGoodEdges, "", 3, "[[0, .nan]]")), HasSubstr("probability nan"));
  EXPECT_THAT(model_fault(explicit_model(kGoodEdges, "", 3, "[]")), HasSubstr("no start state"));
  EXPECT_THAT(model_fault(explicit_model(kGoodEdges, "", 3, "[0, 1]")), HasSubstr("expected [state, probability]"));
  EXPECT_THAT(model_fault(explicit_model(kGoodEdges, "", 3, "[[0, 0.5], [0, 0.5]]")), HasSubstr("given twice"));
  // Less than 1 is an atom at zero, and rounding of the sum is forgiven.
  EXPECT_EQ(model_fault(explicit_model(kGoodEdges, "", 3, "[[0, 0.98]]")), "none");
  EXPECT_EQ(model_fault(explicit_model(kGoodEdges, "", 3, "[[0, 0.7], [1, 0.3000000000000001]]")), "none");
}

TEST(BadModel, Row18SelfLoopsAndFullRowsAreRefused) {
  EXPECT_THAT(model_fault(explicit_model("[[0, 0, 0, [1, 0]], [0, 1, 1]]")),
              HasSubstr("edges[0]: edge 0 (0 -> 0): self-loop"));
  EXPECT_THAT(model_fault(rule_model("{when: n > 0, rate: r, effect: {n: n}}")),
              HasSubstr("rule 0 in state (n=3): the effect changes nothing, a self-loop"));
  EXPECT_THAT(model_fault(explicit_model("[[0, 1, 0.6], [0, 2, 0.6]]", "", 3, "[[0, 1]]", "discrete")),
              AllOf(HasSubstr("state 0"), HasSubstr("sum to 1.2"), HasSubstr("at most 1")));
}

TEST(BadModel, Row19StateLimitsAreKept) {
  EXPECT_THAT(model_fault(explicit_model(kGoodEdges, "", 0)), HasSubstr("at least one state"));
  EXPECT_THAT(model_fault(explicit_model(kGoodEdges, "", -3)), HasSubstr("at least one state"));
  EXPECT_THAT(model_fault(explicit_model(kGoodEdges, "", 1'000'000'000)),
              AllOf(HasSubstr("state limit 10000000 (--max-states)"), HasSubstr("GiB of memory")));
  ModelLimits tight;
  tight.max_states = 1000;
  EXPECT_THAT(
      model_fault(
          "schema: sojourn/model/1\nparameters: [r]\nvariables: {n: {initial: 0}}\nrules:\n  - {rate: r, effect: "
          "{n: n + 1}}\n",
          tight),
      AllOf(StartsWith("F:5:3: rules: "), HasSubstr("state limit 1000 (--max-states)")));
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nfamily: {erlang: {stages: 1000000000}}\n"),
              HasSubstr("state limit"));
}

TEST(BadModel, Row20DuplicatesAreRefused) {
  EXPECT_THAT(model_fault(explicit_model("\n  - [0, 1, 0, [1, 0]]\n  - [0, 1, 0, [0, 1]]\n  - [1, 2, 1]")),
              AllOf(StartsWith("F:8:5: edges[1]: edge 1 (0 -> 1): duplicate of edge 0")));
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nparameters: []\nstates: [A, B, A]\ninitial: [[A, 1]]\nedges: []\n"),
              HasSubstr("states[2]: state 'A' is given twice"));
  EXPECT_THAT(model_fault("schema: sojourn/model/1\nparameters: [a, a]\nstates: 1\ninitial: []\nedges: []\n"),
              HasSubstr("parameter 'a' is given twice"));
}

TEST(BadModel, Row21BadRewardsAreNamed) {
  const auto with = [](const char* values) {
    return model_fault(explicit_model(kGoodEdges, fmt::format("rewards: {{good: [1, 1, 0], bad: {}}}\n", values)));
  };
  EXPECT_THAT(with("[1, -1, 0]"), AllOf(StartsWith("F:7:33: rewards.bad: reward 'bad': value -1 of state 1")));
  EXPECT_THAT(with("[1, .nan, 0]"), HasSubstr("must be finite and >= 0"));
  EXPECT_THAT(with("[1, 1]"), HasSubstr("reward 'bad' has 2 values; must be one per state, 3"));
  EXPECT_THAT(with("[0, 0, 7]"), HasSubstr("zero in every transient state"));
  EXPECT_THAT(with("7"), HasSubstr("expected a list, got '7'"));
  EXPECT_THAT(model_fault(rule_model("{when: n > 0, rate: r, effect: {n: n - 1}}", "rewards: {x: n - 2}\n")),
              HasSubstr("rewards.x: reward 'x' is -1 in state (n=1)"));
  EXPECT_THAT(model_fault(rule_model("{when: n > 0, rate: r, effect: {n: n - 1}}", "rewards: {x: r * n}\n")),
              HasSubstr("contains a parameter or rate"));
}

TEST(BadModel, Row22UnusedParametersWarn) {
  const Model model = parse_model(explicit_model("[[0, 1, 0, [1, 0]], [1, 2, 1]]"), "F");
  ASSERT_EQ(model.warnings.size(), 1);
  EXPECT_THAT(model.warnings[0], HasSubstr("parameter 'b' is unused"));
}

TEST(BadModel, RulesThatLeaveTheirRangeAreNamed) {
  EXPECT_THAT(model_fault(rule_model("{rate: r, effect: {n: n + 1}}")),
              AllOf(StartsWith("F:4:"), HasSubstr("rules[0].effect.n: rule 0 in state (n=5): the effect gives n = 6, "
                                                  "outside [0, 5]; exclude the state by 'when'")));
  EXPECT_THAT(model_fault(rule_model("{when: n > 0, rate: r, effect: {n: n / 2}}")),
              HasSubstr("rule 0 in state (n=3): the effect gives n = 1.5, which is no whole number"));
  EXPECT_THAT(model_fault(rule_model("{when: 1 / (n - 3) > log(-1), rate: r, effect: {n: n - 1}}")),
              AllOf(StartsWith("F:4:"), HasSubstr("not a number")));
  EXPECT_THAT(model_fault(rule_model("{when: log(-n), rate: r, effect: {n: n - 1}}")), HasSubstr("not a number"));
}

TEST(BadModel, RatesMustBeLinearInTheParameters) {
  for (const char* rate : {"r * r", "1 / r", "exp(r)", "sqrt(r) * n", "r^2"})
    EXPECT_THAT(model_fault(rule_model(fmt::format("{{when: n > 0, rate: {}, effect: {{n: n - 1}}}}", rate))),
                AllOf(StartsWith("F:4:"), HasSubstr("rules[0].rate: rule 0: rate"), HasSubstr("not linear")))
        << rate;
  EXPECT_THAT(model_fault(rule_model("{when: n > r, rate: r, effect: {n: n - 1}}")),
              HasSubstr("rules[0].when: 'n > r' contains a parameter"));
  EXPECT_THAT(model_fault(rule_model("{when: n > 0, rate: r, effect: {n: n - r}}")), HasSubstr("contains a parameter"));
}

TEST(BadModel, ExpressionsNameTheirColumn) {
  EXPECT_THAT(model_fault(rule_model("{when: n > 0, rate: r * nn, effect: {n: n - 1}}")),
              AllOf(StartsWith("F:4:29: rules[0].rate: column 5 of 'r * nn': unknown name 'nn'; did you mean 'n'?")));
  EXPECT_THAT(model_fault(rule_model("{when: n = 1, rate: r, effect: {n: n - 1}}")), HasSubstr("compare with =="));
  EXPECT_THAT(model_fault(rule_model("{when: 0 < n < 3, rate: r, effect: {n: n - 1}}")), HasSubstr("with &&"));
  EXPECT_THAT(model_fault(rule_model("{rate: min(n, 1) * r, effect: {n: n - 1}}")),
              HasSubstr("quote an expression that contains a comma"));
  EXPECT_THAT(model_fault(rule_model("{rate: r, effect: {n: n - 1}}", "derived: {q: 1 / rr}\n")),
              HasSubstr("derived.q: derived rate 'q': column 5 of '1 / rr': unknown name 'rr'; did you mean 'r'?"));
  EXPECT_THAT(model_fault(rule_model("{rate: r, effect: {n: n - 1}}", "derived: {q: 1 / r}\n")),
              HasSubstr("'r' is a parameter, and this model's rates are linear in its derived rates"));
  EXPECT_THAT(model_fault(rule_model("{rate: r, effect: {n: n - 1}}", "derived: {q: abs(r)}\n")),
              HasSubstr("is not smooth"));
  EXPECT_THAT(model_fault(rule_model("{rate: r, effect: {n: n - 1}}", "", "[n]")), HasSubstr("given twice"));
  EXPECT_THAT(model_fault(rule_model("{rate: r, effect: {n: n - 1}}", "", "[exp]")), HasSubstr("cannot be used"));
}

TEST(BadModel, ParametersAreChecked) {
  const auto with = [](const char* parameters) {
    return model_fault(
        fmt::format("schema: sojourn/model/1\nparameters: {}\nstates: 2\ninitial: [[0, 1]]\nedges: [[0, 1, 1, [0]]]\n",
                    parameters));
  };
  EXPECT_THAT(with("[{name: a, lower: 2, upper: 1}]"), HasSubstr("lower 2 must be below upper 1"));
  EXPECT_THAT(with("[{name: a, lower: .nan}]"), HasSubstr("got NaN"));
  EXPECT_THAT(with("[{lower: 1}]"), HasSubstr("missing key 'name'"));
  EXPECT_THAT(with("[{name: a, uper: 1}]"), HasSubstr("did you mean 'upper'?"));
  EXPECT_THAT(with("[a b]"), HasSubstr("without spaces"));
  EXPECT_THAT(with("a"), HasSubstr("expected a list, got 'a'"));
  EXPECT_THAT(with("[[a]]"), HasSubstr("expected text"));
}

/// Any bytes end in a model or in an error of ours: no other exception, no crash, no hang.
TEST(BadModel, DamagedFilesOnlyRaiseErrors) {
  const std::vector<std::string> originals{
      explicit_model(kGoodEdges, "rewards: {time: [1, 1, 0], first: [1, 0, 0]}\n"),
      rule_model("{when: n >= 2 && n < 9, rate: q * n*(n-1)/2, effect: {n: n - 1}}, {when: n == 1, rate: \"2 + q\", "
                 "effect: {n: 0}}",
                 "derived: {q: exp(-r) / (1 + r^2)}\nabsorbing: n == 0\nrewards: {x: \"n\"}\n"),
      "schema: sojourn/model/1\nname: x\nparameters: [{name: rate, lower: 0.5, upper: .inf}]\nfamily: {coalescent: "
      "{samples: 5, state: blocks}}\n"};
  for (const std::string& text : originals) EXPECT_EQ(model_fault(text), "none");
  const std::string alphabet = "[]{}:,'\"&*!|>-?#%@ \n\t0123456789.eE+-/^()<=naqr\\\x01\xc3\xff";
  ModelLimits limits;
  limits.max_states = 500;
  PhiloxStream random(7, kStreamDiagnostics, 0);
  const auto below = [&](std::size_t bound) {
    return static_cast<std::size_t>(random.next_uniform() * static_cast<double>(bound));
  };
  int num_models = 0, num_refused = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string text = originals[below(originals.size())];
    // Every other round only changes digits, so that more than the YAML reader is tried.
    const bool only_digits = round % 2 == 0;
    for (std::size_t edits = 1 + below(3); edits > 0 && !text.empty(); --edits) {
      std::size_t at = below(text.size());
      if (only_digits) {
        at = text.find_first_of("0123456789", at);
        if (at != std::string::npos) text[at] = "0123456789.-"[below(12)];
        continue;
      }
      switch (below(4)) {
        case 0:
          text[at] = alphabet[below(alphabet.size())];
          break;
        case 1:
          text.insert(at, 1, alphabet[below(alphabet.size())]);
          break;
        case 2:
          text.erase(at, 1 + below(8));
          break;
        default:
          text.insert(at, text.substr(below(text.size()), 1 + below(20)));
      }
    }
    try {
      (void)digest(parse_model(text, "F", limits));
      ++num_models;
    } catch (const Error& error) {
      ASSERT_THAT(error.what(), ContainsRegex("^F(:[0-9]+:[0-9]+)?: ")) << text;
      ++num_refused;
    }
  }
  EXPECT_GT(num_models, 300);
  EXPECT_GT(num_refused, 2000);
}

/// From (0) to (1), (2) and (3), which are then expanded together, by more rules, the first of which is rule 3.
std::string fan_model(const std::string& rules) {
  return "schema: sojourn/model/1\nparameters: [r]\nvariables: {n: {initial: 0}}\nrules:\n"
         "  - {when: n == 0, rate: r, effect: {n: 1}}\n"
         "  - {when: n == 0, rate: r, effect: {n: 2}}\n"
         "  - {when: n == 0, rate: r, effect: {n: 3}}\n" +
         rules;
}

TEST(BadModel, FaultsOfRulesAreToldStateByState) {
  // The condition is wrong at 2 and comes first among the rules, the rate at 1, which comes first among the states.
  EXPECT_THAT(model_fault(fan_model("  - {when: n == 2 && log(n - 3) > 0, rate: r, effect: {n: 9}}\n"
                                    "  - {when: n == 1, rate: r / (n - 1), effect: {n: 9}}\n")),
              HasSubstr("rule 4 in state (n=1): rate 0 + inf * r"));
  EXPECT_THAT(model_fault(fan_model("  - {when: n == 2 && log(n - 3) > 0, rate: r, effect: {n: 9}}\n"
                                    "  - {when: n == 3, rate: r / (n - 3), effect: {n: 9}}\n")),
              HasSubstr("the condition is not a number at variables (2)"));
  // What a rate or an effect would be where the condition does not hold, or at absorption, is never looked at.
  EXPECT_EQ(model_fault(fan_model("  - {when: n == 3, rate: r / (n - 2), effect: {n: 8 / (n - 2)}}\n"
                                  "  - {when: n < 3 && n > 0, rate: r / (n - 1), effect: {n: 9 / (n - 1)}}\n"
                                  "absorbing: n == 1\n")),
            "none");
}

}  // namespace
}  // namespace sojourn
