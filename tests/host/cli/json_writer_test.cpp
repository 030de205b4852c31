#include "cli/json_writer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace sojourn::cli {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(FormatNumber, SeventeenDigits) {
  EXPECT_EQ(format_number(0.1), "0.10000000000000001");
  EXPECT_EQ(format_number(1), "1");
  EXPECT_EQ(format_number(-kInfinity), "-inf");
  EXPECT_EQ(format_number(std::nan("")), "nan");
}

TEST(JsonWriter, EveryDoubleReadsBackToTheSameBits) {
  for (const double number : {0.1, 1.0 / 3, 1e-310, 1.7976931348623157e308, -2.5, 0.0}) {
    JsonWriter json;
    EXPECT_EQ(nlohmann::json::parse(json.value(number).take()).get<double>(), number);
  }
}

TEST(JsonWriter, NestsAndEscapes) {
  JsonWriter json;
  json.begin_object().member("text", "a \"b\" \\ \n\t").member("yes", true).member("count", 3);
  json.key("none").null().key("empty").begin_array().end_array();
  json.key("numbers").nested(std::vector<double>{1, 2, 3, 4, 5, 6}, std::vector<std::size_t>{3, 2});
  json.key("bare").nested(std::vector<double>{7}, {});
  json.key("inner").begin_object().end_object().member("seed", std::uint64_t{18446744073709551615ULL});
  const auto parsed = nlohmann::json::parse(json.end_object().take());
  EXPECT_EQ(parsed["text"], "a \"b\" \\ \n\t");
  EXPECT_EQ(parsed["yes"], true);
  EXPECT_TRUE(parsed["none"].is_null());
  EXPECT_EQ(parsed["numbers"], nlohmann::json::parse("[[1,2],[3,4],[5,6]]"));
  EXPECT_EQ(parsed["bare"], 7);
  EXPECT_EQ(parsed["seed"], 18446744073709551615ULL);
  EXPECT_TRUE(parsed["inner"].is_object());
}

TEST(JsonWriter, NothingNonFiniteIsWritten) {
  JsonWriter json;
  json.values(std::vector<double>{1, std::nan(""), kInfinity, -kInfinity});
  EXPECT_EQ(nlohmann::json::parse(json.take()), nlohmann::json::parse("[1,null,null,null]"));
}

TEST(JsonWriter, NestedEmptyExtents) {
  JsonWriter json;
  json.nested({}, std::vector<std::size_t>{2, 0});
  EXPECT_EQ(nlohmann::json::parse(json.take()), nlohmann::json::parse("[[],[]]"));
}

}  // namespace
}  // namespace sojourn::cli
