#include "comm/node_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string fault_of(std::string_view list) {
  try {
    (void)expand_node_list(list);
  } catch (const CommError& error) {
    return error.what();
  }
  return "no CommError";
}

TEST(NodeList, ExpandsAsScontrolDoes) {
  // What `scontrol show hostnames` of SLURM 22.05 answers.
  EXPECT_THAT(expand_node_list("n1"), ElementsAre("n1"));
  EXPECT_THAT(expand_node_list("node[001-004,007],b"),
              ElementsAre("node001", "node002", "node003", "node004", "node007", "b"));
  EXPECT_THAT(expand_node_list("gpu-[1-2]-x[3-4]"), ElementsAre("gpu-1-x3", "gpu-1-x4", "gpu-2-x3", "gpu-2-x4"));
  EXPECT_THAT(expand_node_list("n[8-12]"), ElementsAre("n8", "n9", "n10", "n11", "n12"));
  EXPECT_THAT(expand_node_list("n[08-10]"), ElementsAre("n08", "n09", "n10"));
  EXPECT_THAT(expand_node_list("n[001-4]"), ElementsAre("n001", "n002", "n003", "n004"));
  EXPECT_THAT(expand_node_list("n[99998-100001]"), ElementsAre("n99998", "n99999", "n100000", "n100001"));
  EXPECT_THAT(expand_node_list("n[007,1-2]"), ElementsAre("n007", "n1", "n2"));
  EXPECT_THAT(expand_node_list("n[1-2][3-4]"), ElementsAre("n13", "n14", "n23", "n24"));
  EXPECT_THAT(expand_node_list("[1-2]"), ElementsAre("1", "2"));
  EXPECT_THAT(expand_node_list("n[1,1]"), ElementsAre("n1", "n1"));
  EXPECT_THAT(expand_node_list("a[1-2,4]b[0-1],c.d_e-f"),
              ElementsAre("a1b0", "a1b1", "a2b0", "a2b1", "a4b0", "a4b1", "c.d_e-f"));
}

TEST(NodeList, FaultsNameTheirPosition) {
  EXPECT_THAT(fault_of(""), HasSubstr("position 1: it is empty"));
  EXPECT_THAT(fault_of("n[1-2"), HasSubstr("node list 'n[1-2', position 2: '[' is never closed"));
  EXPECT_THAT(fault_of("n["), HasSubstr("position 2: '[' is never closed"));
  EXPECT_THAT(fault_of("n[1,"), HasSubstr("position 2: '[' is never closed"));
  EXPECT_THAT(fault_of("n1]"), HasSubstr("position 3: ']' without '['"));
  EXPECT_THAT(fault_of("n[]"), HasSubstr("position 3: a number is expected, not ']'"));
  EXPECT_THAT(fault_of("n[a]"), HasSubstr("position 3: a number is expected, not 'a'"));
  EXPECT_THAT(fault_of("n[1-]"), HasSubstr("position 5: a number is expected, not ']'"));
  EXPECT_THAT(fault_of("n[-1]"), HasSubstr("position 3: a number is expected, not '-'"));
  EXPECT_THAT(fault_of("n[1-2-3]"), HasSubstr("position 6: ',' or ']' is expected, not '-'"));
  EXPECT_THAT(fault_of("n[[1]]"), HasSubstr("position 3: a number is expected, not '['"));
  EXPECT_THAT(fault_of("n[3-1]"), HasSubstr("position 3: the range 3-1 runs backwards"));
  EXPECT_THAT(fault_of("a,,b"), HasSubstr("position 3: a host name is missing"));
  EXPECT_THAT(fault_of(",a"), HasSubstr("position 1: a host name is missing"));
  EXPECT_THAT(fault_of("a,"), HasSubstr("position 2: a host name is missing behind the comma"));
  EXPECT_THAT(fault_of("a b"), HasSubstr("position 2: ' ' is not allowed in a host name"));
  EXPECT_THAT(fault_of("-a"), HasSubstr("position 1: '-' is not allowed in a host name"));
  EXPECT_THAT(fault_of("a;rm"), HasSubstr("position 2: ';' is not allowed"));
  EXPECT_THAT(fault_of("a\nb"), HasSubstr("node list 'a?b', position 2: byte 0x0a"));
  EXPECT_THAT(fault_of(std::string("a\0", 2)), HasSubstr("byte 0x00"));
  EXPECT_THAT(fault_of(std::string(254, 'a')), HasSubstr("position 1: a name of more than 253 characters"));
}

TEST(NodeList, HugeListsAreRefusedBeforeTheyAreMade) {
  EXPECT_EQ(count_nodes("n[1-1000000]"), kMostNodes);
  EXPECT_THAT(fault_of("n[0-1000000]"), HasSubstr("position 3: more than 1000000 hosts"));
  EXPECT_THAT(fault_of("n[0-999999999999999999]"), HasSubstr("more than 1000000 hosts"));
  EXPECT_THAT(fault_of("n[0-9999999999999999999]"), HasSubstr("position 5: a number of more than 18 digits"));
  EXPECT_THAT(fault_of("n[0-999][0-999][0-999]"), HasSubstr("position 16: more than 1000000 hosts"));
  EXPECT_THAT(fault_of("a[1-600000],b[1-600000]"), HasSubstr("position 13: more than 1000000 hosts"));
  std::string brackets;
  for (int i = 0; i < 1000; ++i) brackets += "[0-0]";
  EXPECT_THAT(fault_of(brackets), HasSubstr("more than 64 parts in a name"));
}

TEST(NodeList, RandomListsAgreeWithASlowExpansion) {
  std::mt19937 random(1);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int round = 0; round < 2000; ++round) {
    std::string list;
    std::vector<std::string> expected;
    for (int n = below(3) + 1; n-- > 0;) {
      // Every part has its choices written out; names are all their combinations, the last part changing fastest.
      std::vector<std::string> names{""};
      list += list.empty() ? "" : ",";
      std::string name(1, static_cast<char>('a' + below(26)));
      std::vector<std::vector<std::string>> parts{{name}};
      for (int p = below(4); p-- > 0;) {
        if (below(2) == 0) {
          const std::string text = std::string(1, "-._x"[below(4)]) + std::to_string(below(20)) + "y";
          name += text;
          parts.push_back({text});
          continue;
        }
        std::vector<std::string> choices;
        std::string inside;
        for (int r = below(3) + 1; r-- > 0;) {
          const int first = below(120), last = first + below(12), width = below(4);
          const auto padded = [&](int value, int digits) {
            std::string text = std::to_string(value);
            return std::string(static_cast<std::size_t>(std::max(0, digits - static_cast<int>(text.size()))), '0') +
                   text;
          };
          const std::string begin = padded(first, width);
          const bool single = below(3) == 0;
          inside += (inside.empty() ? "" : ",") + begin + (single ? "" : "-" + std::to_string(last));
          for (int value = first; value <= (single ? first : last); ++value)
            choices.push_back(padded(value, static_cast<int>(begin.size())));
        }
        name += "[" + inside + "]";
        parts.push_back(choices);
      }
      list += name;
      for (const auto& choices : parts) {
        std::vector<std::string> longer;
        for (const std::string& prefix : names)
          for (const std::string& choice : choices) longer.push_back(prefix + choice);
        names = longer;
      }
      expected.insert(expected.end(), names.begin(), names.end());
    }
    ASSERT_EQ(expand_node_list(list), expected) << list;
    ASSERT_EQ(count_nodes(list), std::ssize(expected)) << list;
    ASSERT_EQ(first_node(list), expected.front()) << list;
  }
}

TEST(NodeList, AnyBytesAreAListOrACommError) {
  std::mt19937 random(2);
  constexpr std::string_view kBytes = "n0123456789[]-,,[[--.x \n\xff";
  for (int round = 0; round < 20000; ++round) {
    std::string list;
    for (unsigned n = random() % 24; n-- > 0;) list += kBytes[random() % kBytes.size()];
    try {
      const std::int64_t count = count_nodes(list);
      ASSERT_GE(count, 1);
      if (count < 10000) {
        ASSERT_EQ(std::ssize(expand_node_list(list)), count) << list;
      }
    } catch (const CommError&) {
      continue;
    }
  }
}

}  // namespace
}  // namespace sojourn
