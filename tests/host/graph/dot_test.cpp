#include "sojourn/dot.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sojourn/error.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(Dot, ExplicitGraph) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(3);
  builder.add_edge(0, 1, 0.5, std::vector<RateTerm>{{0, 2.0}, {1, -1.0}});
  builder.add_edge(0, 2, 0.0, std::vector<RateTerm>{{1, 1.0}});
  builder.add_edge(1, 2, 3.0, {});
  builder.add_initial(0, 0.75);
  const std::vector<std::string> names{"a", "m \"x\""};
  EXPECT_EQ(to_dot(std::move(builder).build(), names),
            "digraph model {\n"
            "  rankdir=LR;\n"
            "  node [shape=box, style=rounded];\n"
            "  s0 [label=\"0\"];\n"
            "  s1 [label=\"1\"];\n"
            "  s2 [label=\"2\", peripheries=2];\n"
            "  start0 [shape=point];\n"
            "  start0 -> s0 [label=\"0.75\", style=dashed];\n"
            "  defect [shape=plaintext, label=\"absorbed at once: 0.25\"];\n"
            "  s0 -> s1 [label=\"0.5 + 2 a - m \\\"x\\\"\"];\n"
            "  s0 -> s2 [label=\"m \\\"x\\\"\"];\n"
            "  s1 -> s2 [label=\"3\"];\n"
            "}\n");
}

TEST(Dot, StatesAreLabelledByTheirVariables) {
  const std::vector<std::string> names{"theta"};
  EXPECT_THAT(to_dot(coalescent_lineages(3).graph, names),
              AllOf(HasSubstr("label=\"lineages=3\""), HasSubstr("s0 -> s1 [label=\"3 theta\"]")));
  // Six variables: zeros are left out.
  EXPECT_THAT(to_dot(coalescent_blocks(6).graph, names),
              AllOf(HasSubstr("label=\"b_1=4, b_2=1\""), Not(HasSubstr("=0"))));
}

TEST(Dot, Errors) {
  const std::vector<std::string> names{"rate"};
  EXPECT_NO_THROW((void)to_dot(erlang(299).graph, names));
  try {
    (void)to_dot(erlang(300).graph, names);
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("301 states"), HasSubstr("at most 300")));
  }
  EXPECT_THROW((void)to_dot(erlang(3).graph, {}), ShapeError);
}

}  // namespace
}  // namespace sojourn
