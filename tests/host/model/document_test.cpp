#include "model/document.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

template <class Action>
std::string fault_of(Action&& action) {
  try {
    action();
    return "none";
  } catch (const ModelError& error) {
    return error.what();
  }
}

std::string parse_fault(const std::string& text) {
  return fault_of([&] { (void)Document::parse(text, "F"); });
}

TEST(Document, KnowsLinesColumnsAndPaths) {
  const Document document = Document::parse("a: 1\nb:\n  - {c: x}\n  - [2, 3]\n", "F");
  const auto root = document.root();
  EXPECT_EQ(root.size(), 2);
  EXPECT_THAT(root.keys(), ElementsAre("a", "b"));
  const auto c = root.at("b")[0].at("c");
  EXPECT_EQ(c.path(), "b[0].c");
  EXPECT_EQ(c.where(), "F:3:9");
  EXPECT_EQ(c.key(), "c");
  EXPECT_EQ(c.key_column(), 6);
  EXPECT_EQ(root.at("b")[1][1].path(), "b[1][1]");
  EXPECT_EQ(root.at("b")[1][1].as_integer(), 3);
  EXPECT_FALSE(root.find("z").has_value());
  EXPECT_THAT(fault_of([&] { c.fail("is wrong"); }), "F:3:9: b[0].c: is wrong");
}

TEST(Document, ValuesOutliveTheDocument) {
  const auto value = Document::parse("a: [text]\n", "F").root().at("a")[0];
  EXPECT_EQ(value.text(), "text");
}

TEST(Document, ReadsJson) {
  const auto root = Document::parse(R"({"a": 1.5, "b": [true, null, "x: y"], "c": {"d": -3e-2}})", "F").root();
  EXPECT_EQ(root.at("a").as_double(), 1.5);
  EXPECT_TRUE(root.at("b")[0].as_bool());
  EXPECT_TRUE(root.at("b")[1].is_null());
  EXPECT_EQ(root.at("b")[2].as_string(), "x: y");
  EXPECT_EQ(root.at("c").at("d").as_double(), -0.03);
}

TEST(Document, ReadsNumbersStrictly) {
  const auto root =
      Document::parse(
          "{a: 7, b: 0.1, c: 1e3, d: .inf, e: -.inf, f: .nan, g: '7', h: 1e999, i: 010, j: 1_000, k: 0x1F, "
          "l: 99999999999999999999, m: +5, n: 18446744073709551615, o: yes, p: 3.0, q: -1}",
          "F")
          .root();
  EXPECT_EQ(root.at("a").as_integer(0, 7), 7);
  EXPECT_EQ(root.at("a").as_double(), 7);
  EXPECT_EQ(root.at("b").as_double(), 0.1);
  EXPECT_EQ(root.at("c").as_double(), 1000);
  EXPECT_EQ(root.at("d").as_any_double(), INFINITY);
  EXPECT_EQ(root.at("e").as_any_double(), -INFINITY);
  EXPECT_TRUE(std::isnan(root.at("f").as_any_double()));
  EXPECT_EQ(root.at("m").as_integer(), 5);
  EXPECT_EQ(root.at("n").as_unsigned(), 18446744073709551615ULL);
  const auto fault = [&](const char* key, auto read) { return fault_of([&] { read(root.at(key)); }); };
  const auto as_double = [](const Document::Value& v) { (void)v.as_double(); };
  const auto as_integer = [](const Document::Value& v) { (void)v.as_integer(); };
  const auto as_unsigned = [](const Document::Value& v) { (void)v.as_unsigned(); };
  EXPECT_THAT(fault("d", as_double), HasSubstr("d: number .inf must be finite"));
  EXPECT_THAT(fault("g", as_double), HasSubstr("remove the quotes"));
  EXPECT_THAT(fault("h", as_double), HasSubstr("beyond the range"));
  EXPECT_THAT(fault("i", as_integer), HasSubstr("octal"));
  EXPECT_THAT(fault("j", as_double), HasSubstr("expected a number, got '1_000'"));
  EXPECT_THAT(fault("k", as_integer), HasSubstr("expected a whole number"));
  EXPECT_THAT(fault("l", as_integer), HasSubstr("expected a whole number"));
  EXPECT_THAT(fault("p", as_integer), HasSubstr("expected a whole number, got '3.0'"));
  EXPECT_THAT(fault("q", as_unsigned), HasSubstr("[0, 18446744073709551615]"));
  EXPECT_THAT(fault("a", [](const auto& v) { (void)v.as_integer(8, 9); }), HasSubstr("in [8, 9], got '7'"));
  EXPECT_THAT(fault("b", [](const auto& v) { (void)v.as_double(1); }), HasSubstr("number 0.1 must be >= 1"));
  EXPECT_THAT(fault("o", [](const auto& v) { (void)v.as_bool(); }), HasSubstr("expected true or false, got 'yes'"));
  EXPECT_THAT(fault_of([&] { (void)root.as_double(); }), HasSubstr("F:1:1: expected a number, got a mapping of 17"));
}

TEST(Document, RefusesUnknownKeysAndValues) {
  const auto root = Document::parse("transtions: 1\ntime: continous\n", "F").root();
  EXPECT_THAT(fault_of([&] {
                root.expect_keys({"transitions", "time"});
              }),
              StartsWith("F:1:1: unknown key 'transtions'; did you mean 'transitions'?"));
  const std::vector<std::string> kinds{"continuous", "discrete"};
  EXPECT_THAT(fault_of([&] { (void)root.at("time").as_one_of(kinds); }),
              HasSubstr("F:2:7: time: unknown value 'continous'; did you mean 'continuous'?"));
  EXPECT_THAT(fault_of([&] { (void)root.at("name"); }), HasSubstr("missing key 'name'"));
  const auto cut = Document::parse("{rate: min(a, b)*m}", "F").root();
  EXPECT_THAT(fault_of([&] { cut.expect_keys({"rate"}); }), HasSubstr("quote an expression that contains a comma"));
}

TEST(Document, RefusesAliasesTagsAndDuplicates) {
  EXPECT_THAT(parse_fault("a: &x 1\nb: *x\n"), StartsWith("F:1:4: anchor '&x': anchors and aliases are not allowed"));
  EXPECT_THAT(parse_fault("b: *x\n"), StartsWith("F:1:4: aliases are not allowed"));
  for (const char* text : {"a: !!python/object:os.system [1]\n", "a: !foo b\n", "a: ! b\n", "a: !!str null\n",
                           "a: !!map {}\n", "%TAG ! tag:x\n---\na: !b c\n", "a: !<tag:x> c\n"})
    EXPECT_THAT(parse_fault(text), HasSubstr("tags are not allowed")) << text;
  EXPECT_THAT(parse_fault("a: 1\nb: 2\na: 3\n"), "F:3:1: duplicate key 'a': lines 1 and 3 both give it; keep one");
  EXPECT_THAT(parse_fault("{x: {a: 1, \"a\": 2}}"), HasSubstr("duplicate key 'a'"));
  EXPECT_THAT(parse_fault("? [1]\n: 2\n"), HasSubstr("a key must be plain text"));
}

TEST(Document, QuotedTextMayLookLikeAnything) {
  const auto root = Document::parse("a: '!x'\nb: \"*y\"\nc: '&z'\nd: 'it''s'\ne: \"q\\\"\"\n", "F").root();
  EXPECT_EQ(root.at("a").as_string(), "!x");
  EXPECT_EQ(root.at("b").as_string(), "*y");
  EXPECT_EQ(root.at("c").as_string(), "&z");
  EXPECT_EQ(root.at("d").as_string(), "it's");
  EXPECT_EQ(root.at("e").as_string(), "q\"");
  EXPECT_TRUE(root.at("a").is_quoted());
}

TEST(Document, NamesTheLineOfASyntaxError) {
  EXPECT_THAT(parse_fault("a: 1\nb: c: d\n"), StartsWith("F:2:5: "));
  EXPECT_THAT(parse_fault("a: {b: 1\n"), StartsWith("F:2:1: expected ',' or '}'"));
  EXPECT_THAT(parse_fault("a:\n  - 1\n b: 2\n"), StartsWith("F:3:2: "));
  EXPECT_THAT(parse_fault("a: 'x\nb: 1\n"), StartsWith("F:1:4: the quote ' that starts here is not closed"));
  EXPECT_THAT(parse_fault("a: \"x\\\"\n"), StartsWith("F:1:4: the quote \" that starts here is not closed"));
  EXPECT_THAT(parse_fault("a: 1\n---\nb: 2\n"), HasSubstr("a file holds one document"));
  EXPECT_THAT(parse_fault("{\"a\": 1} x"), HasSubstr("a file holds one document"));
  EXPECT_THAT(parse_fault("@a: 1"), StartsWith("F:1:1: "));
}

TEST(Document, LimitsDepth) {
  const auto flow = [](int depth) {
    return fmt::format("a: {}{}\n", std::string(depth, '['), std::string(depth, ']'));
  };
  EXPECT_EQ(parse_fault(flow(63)), "none");
  EXPECT_THAT(parse_fault(fmt::format("\n{}", flow(64))), HasSubstr("nesting deeper than 64 at line 2"));
  EXPECT_THAT(parse_fault(flow(100'000)), HasSubstr("nesting deeper than 64"));
  EXPECT_NE(parse_fault(std::string(100'000, '[')), "none");
  EXPECT_NE(parse_fault(std::string(100'000, '{')), "none");
  std::string block;
  for (int depth = 0; depth < 70; ++depth) block += std::string(depth, ' ') + "k:\n";
  EXPECT_THAT(parse_fault(block + std::string(70, ' ') + "x: 1\n"), HasSubstr("nesting deeper than 64 at line 65"));
  std::string dashes;
  for (int depth = 0; depth < 5000; ++depth) dashes += "- ";
  EXPECT_THAT(parse_fault(dashes + "1\n"), HasSubstr("nesting deeper than 64"));
}

TEST(Document, RefusesWhatIsNotUtf8) {
  EXPECT_THAT(parse_fault("a: \xff\n"), StartsWith("F: byte 3 is not UTF-8"));
  EXPECT_THAT(parse_fault("a: \xc0\xaf\n"), StartsWith("F: byte 3 is not UTF-8"));      // overlong
  EXPECT_THAT(parse_fault("a: \xed\xa0\x80\n"), StartsWith("F: byte 3 is not UTF-8"));  // surrogate
  EXPECT_THAT(parse_fault("a: \xf4\x90\x80\x80\n"), StartsWith("F: byte 3 is not UTF-8"));
  EXPECT_THAT(parse_fault("a: \xe2\x82"), StartsWith("F: byte 3 is not UTF-8"));
  EXPECT_THAT(parse_fault("a\0b: 1\n"s), StartsWith("F: byte 1 is NUL"));
  EXPECT_THAT(parse_fault("\xff\xfe"
                          "a\0"s),
              HasSubstr("UTF-16"));
  EXPECT_THAT(parse_fault("\xfe\xff\0a"s), HasSubstr("UTF-16"));
  EXPECT_EQ(parse_fault("\xef\xbb\xbf"
                        "a: \xce\xb8 \xf0\x9f\x98\x80\r\n"),
            "none");
}

TEST(Document, RefusesEmptyText) {
  for (const char* text : {"", " \n\t\r\n", "# only a comment\n", "null\n", "---\n...\n"})
    EXPECT_THAT(parse_fault(text), StartsWith("F: empty model")) << '"' << text << '"';
}

TEST(ReadTextFile, NamesTheSystemsReason) {
  const auto folder = std::filesystem::temp_directory_path() / ("sojourn_document_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto io_fault = [](const std::string& path) -> std::string {
    try {
      (void)read_text_file(path);
      return "none";
    } catch (const IoError& error) {
      return error.what();
    }
  };
  const std::string missing = folder / "missing.yaml";
  EXPECT_THAT(io_fault(missing), StartsWith("model: cannot read " + missing + ": No such file or directory"));
  EXPECT_THAT(io_fault(folder), HasSubstr("Is a directory"));
  EXPECT_THAT(io_fault(""), HasSubstr("cannot read"));
  EXPECT_THAT(io_fault("a\0b"s), HasSubstr("cannot read a"));
  const std::string small = folder / "a b\nc.yaml";
  std::ofstream(small) << "a: 1\n";
  EXPECT_EQ(read_text_file(small), "a: 1\n");
  if (::geteuid() != 0) {  // root may read everything
    ::chmod(small.c_str(), 0);
    EXPECT_THAT(io_fault(small), HasSubstr("Permission denied"));
  }
  DocumentLimits tight;
  tight.max_bytes = 4;
  ::chmod(small.c_str(), 0600);
  EXPECT_THAT(fault_of([&] { (void)read_text_file(small, tight); }), HasSubstr("exceeds --max-model-bytes 4"));
  // A pipe has no size beforehand: reading stops at the limit.
  EXPECT_THAT(fault_of([&] { (void)read_text_file("/dev/zero", tight); }), HasSubstr("exceeds --max-model-bytes 4"));
  // A sparse file beyond the limit is refused by its size alone.
  const std::string sparse = folder / "sparse.yaml";
  std::ofstream(sparse) << "a";
  std::filesystem::resize_file(sparse, 1ULL << 40);
  EXPECT_THAT(fault_of([&] { (void)read_text_file(sparse); }), HasSubstr("exceeds --max-model-bytes 67108864"));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sojourn
