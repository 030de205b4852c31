#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include "sojourn/error.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Observations times(std::string_view csv) { return parse_observations(csv, "t.csv", TimeKind::kContinuous); }
Observations counts(std::string_view csv) { return parse_observations(csv, "t.csv", TimeKind::kDiscrete); }

/// The message of the ModelError (exit code 3) that a data text gives.
std::string refusal(std::string_view csv, TimeKind kind = TimeKind::kContinuous) {
  try {
    parse_observations(csv, "t.csv", kind);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kInvalidFile) << error.what();
    EXPECT_THAT(error.what(), StartsWith("t.csv: "));
    return error.what();
  }
  return "accepted";
}

void expect_item(const Observation& item, double lower, double upper, double entry, double weight) {
  EXPECT_EQ(item.lower, lower);
  EXPECT_EQ(item.upper, upper);
  EXPECT_EQ(item.entry, entry);
  EXPECT_EQ(item.weight, weight);
}

TEST(Observations, PlainTimes) {
  const Observations data = times("time\n1.5\n0.25\n3e2\n");
  ASSERT_EQ(data.items.size(), 3u);
  EXPECT_EQ(data.num_rows, 3);
  EXPECT_FALSE(data.counts);
  EXPECT_EQ(data.origin, "t.csv");
  expect_item(data.items[0], 1.5, 1.5, 0, 1);
  expect_item(data.items[2], 300, 300, 0, 1);
  EXPECT_EQ(data.first_row, (std::vector<std::int64_t>{2, 3, 4}));
}

TEST(Observations, EveryColumn) {
  const Observations data = times(
      "weight,event,time,lower,upper,entry\n"
      "2,1,5,,,1\n"     // exact at 5, seen from 1 on
      "1,0,5,,,\n"      // right-censored at 5
      "1,,,2,4,\n"      // in (2, 4]
      "1,,,2,,\n"       // right-censored at 2
      "1,0,,2,inf,\n"   // the same, said twice
      "1,,,,4,\n"       // left-censored at 4
      "1,,,,4,3\n"      // in (3, 4] as it was seen from 3 on
      "1,,,4,4,\n"      // exact at 4
      "1,1,7,2,9,\n");  // a time wins over an interval
  ASSERT_EQ(data.items.size(), 8u);
  expect_item(data.items[0], 5, 5, 1, 2);
  expect_item(data.items[1], 5, kInfinity, 0, 1);
  expect_item(data.items[2], 2, 4, 0, 1);
  expect_item(data.items[3], 2, kInfinity, 0, 2);
  expect_item(data.items[4], 0, 4, 0, 1);
  EXPECT_TRUE(data.items[4].left_censored);
  expect_item(data.items[5], 3, 4, 3, 1);
  EXPECT_FALSE(data.items[5].left_censored);
  expect_item(data.items[6], 4, 4, 0, 1);
  expect_item(data.items[7], 7, 7, 0, 1);
  EXPECT_TRUE(data.items[0].exact());
  EXPECT_TRUE(data.items[1].right_censored());
}

TEST(Observations, EqualRowsMerge) {
  const Observations data = times("time,weight\n2,1\n3,0.5\n2,2\n3,0.25\n2,1\n-0,1\n0,1\n");
  ASSERT_EQ(data.items.size(), 3u);
  EXPECT_EQ(data.num_rows, 7);
  expect_item(data.items[0], 2, 2, 0, 4);
  expect_item(data.items[1], 3, 3, 0, 0.75);
  expect_item(data.items[2], 0, 0, 0, 2);
  EXPECT_EQ(data.first_row, (std::vector<std::int64_t>{2, 3, 7}));
  // An exact and a censored time, and another entry, are different observations.
  EXPECT_EQ(times("time,event,entry\n2,1,0\n2,0,0\n2,1,1\n").items.size(), 3u);
}

TEST(Observations, FormsOfText) {
  for (const char* csv :
       {"time,weight\r\n1,2\r\n", "\xEF\xBB\xBFtime,weight\n1,2\n", "\"time\",\"weight\"\n\"1\",\"2\"\n",
        " time , weight \n\t1 ,  2\n", "time,weight\n1,2", "time,weight\n+1.0e0,2\n\n  \n\n"}) {
    const Observations data = times(csv);
    ASSERT_EQ(data.items.size(), 1u) << csv;
    expect_item(data.items[0], 1, 1, 0, 2);
  }
}

TEST(Observations, Counts) {
  const Observations data = counts("count,event\n3,1\n0,1\n9007199254740992,0\n4.0,1\n");
  ASSERT_EQ(data.items.size(), 4u);
  EXPECT_TRUE(data.counts);
  expect_item(data.items[3], 4, 4, 0, 1);
  expect_item(counts("lower,upper\n2,5\n").items[0], 2, 5, 0, 1);
}

TEST(Observations, Row23NoObservations) {
  EXPECT_THAT(refusal(""), HasSubstr("no observations"));
  EXPECT_THAT(refusal("  \n\n"), HasSubstr("no observations"));
  EXPECT_THAT(refusal("time\n"), HasSubstr("no observations"));
  EXPECT_THAT(refusal("time\nnan\nNaN\n"), HasSubstr("no observations"));
  EXPECT_THAT(refusal("time,weight\n,1\n,1\n"), HasSubstr("no observations"));
}

TEST(Observations, Row24NanAndInfinity) {
  EXPECT_THAT(refusal("time\n1\nnan\n2\n"), HasSubstr("row 3, column 'time': 'nan' is not an observation"));
  EXPECT_THAT(refusal("time\nNaN\n2\n"), HasSubstr("row 2, column 'time'"));
  EXPECT_THAT(refusal("time\n1\ninf\n"), HasSubstr("row 3, column 'time': inf must be finite"));
  EXPECT_THAT(refusal("time\n1\n-inf\n"), HasSubstr("row 3, column 'time': -inf must be finite"));
  EXPECT_THAT(refusal("time,weight\n1,\n"), HasSubstr("row 2, column 'weight' is empty"));
  EXPECT_THAT(refusal("time,event\n1,1\n,1\n"), HasSubstr("row 3, column 'time' is empty"));
  EXPECT_THAT(refusal("time,weight\n1,nan\n2,1\n"), HasSubstr("row 2, column 'weight'"));
  EXPECT_THAT(refusal("time\n1e400\n"), HasSubstr("'1e400' is outside the range of double precision"));
}

TEST(Observations, Row25NegativeTimes) {
  EXPECT_THAT(refusal("time\n1\n-0.5\n"), HasSubstr("row 3, column 'time': -0.5 must be >= 0"));
  EXPECT_THAT(refusal("lower,upper\n-1,2\n"), HasSubstr("column 'lower': -1 must be >= 0"));
  EXPECT_THAT(refusal("time,entry\n1,-1\n"), HasSubstr("column 'entry': -1 must be >= 0"));
}

TEST(Observations, Row26CountsAreWholeAndExact) {
  EXPECT_THAT(refusal("count\n3\n2.5\n", TimeKind::kDiscrete), HasSubstr("row 3, column 'count': 2.5 is not a whole"));
  EXPECT_THAT(refusal("count\n1e300\n", TimeKind::kDiscrete), HasSubstr("count 1e+300 is larger than 2^53"));
  EXPECT_THAT(refusal("lower,upper\n1,2.5\n", TimeKind::kDiscrete), HasSubstr("column 'upper': 2.5 is not a whole"));
}

TEST(Observations, Row27RaggedTextAndLocale) {
  EXPECT_THAT(refusal("time,weight,entry\n1,1,0\n1,1,0\n1,1,0\n1,1,0\n1,1,0\n1,1,0\n1,1\n"),
              HasSubstr("row 8: expected 3 fields, got 2"));
  EXPECT_THAT(refusal("time\n1,5\n"), HasSubstr("row 2: expected 1 field, got 2; write decimals with a point"));
  EXPECT_THAT(refusal("time\n\"1,5\"\n"), HasSubstr("'1,5' is not a number; write decimals with a point"));
  EXPECT_THAT(refusal("time;weight\n1;2\n"), HasSubstr("separate fields by commas"));
  EXPECT_THAT(refusal("time\tweight\n1\t2\n"), HasSubstr("separate fields by commas"));
  EXPECT_THAT(refusal("time\n1\nabc\n"), HasSubstr("row 3, column 'time': 'abc' is not a number"));
  EXPECT_THAT(refusal("time\n1.5s\n"), HasSubstr("'1.5s' is not a number"));
  EXPECT_THAT(refusal("time\n0x10\n"), HasSubstr("is not a number"));
  EXPECT_THAT(refusal("time\n\"1\n"), HasSubstr("quote of field 1 is not closed"));
  EXPECT_THAT(refusal("time\n\"1\"2\n"), HasSubstr("after the closing quote"));
  EXPECT_THAT(refusal("time\n1\n\n2\n"), HasSubstr("row 3 is blank"));
  EXPECT_THAT(refusal("1.5\n2.5\n"), HasSubstr("the first row is a header"));
  EXPECT_THAT(refusal("time\n\x01\xFF\n"), HasSubstr("is not a number"));
}

TEST(Observations, Row28NumpyFiles) {
  std::string npy("\x93NUMPY\x01\x00", 8);
  npy += std::string("\x76\x00", 2) + "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }";
  EXPECT_THAT(refusal(npy), HasSubstr("object arrays refused"));
  EXPECT_THAT(refusal(npy), HasSubstr("CSV"));
  for (const char* header : {"{'descr': '<f8', 'fortran_order': True, 'shape': (3,), }",
                             "{'descr': '>f8', 'fortran_order': False, 'shape': (1000000000000,), }", ""}) {
    const std::string other = std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header;
    EXPECT_THAT(refusal(other), HasSubstr("data files are CSV"));
  }
}

TEST(Observations, Row28OtherBinaryFiles) {
  EXPECT_THAT(refusal(std::string("\xFF\xFEt\0i\0", 6)), HasSubstr("UTF-16"));
  EXPECT_THAT(refusal(std::string("time\n1\0\n", 8)), HasSubstr("byte 7 is NUL"));
}

TEST(Observations, Columns) {
  EXPECT_THAT(refusal("tmie\n1\n"), HasSubstr("unknown column 'tmie'; did you mean 'time'"));
  EXPECT_THAT(refusal("time,wieght\n1,1\n"), HasSubstr("did you mean 'weight'"));
  EXPECT_THAT(refusal("time,time\n1,1\n"), HasSubstr("column 'time' is given twice, as fields 1 and 2"));
  EXPECT_THAT(refusal("weight\n1\n"), HasSubstr("no column 'time'"));
  EXPECT_THAT(refusal("weight\n1\n", TimeKind::kDiscrete), HasSubstr("no column 'count'"));
  EXPECT_THAT(refusal("time,lower\n1,1\n"), HasSubstr("column 'lower' without 'upper'"));
  EXPECT_THAT(refusal("time\n1\n", TimeKind::kDiscrete), HasSubstr("the model is discrete in time"));
  EXPECT_THAT(refusal("count\n1\n"), HasSubstr("the model is continuous in time"));
}

TEST(Observations, Semantics) {
  EXPECT_THAT(refusal("time,event\n1,1\n1,2\n"), HasSubstr("row 3, column 'event': 2 must be 1 (observed) or 0"));
  EXPECT_THAT(refusal("time,event\n1,0.5\n"), HasSubstr("0.5 must be 1"));
  EXPECT_THAT(refusal("time,event\n1,\n"), HasSubstr("column 'event' is empty"));
  EXPECT_THAT(refusal("lower,upper\n3,2\n"), HasSubstr("row 2, column 'lower': 3 is larger than upper, 2"));
  EXPECT_THAT(refusal("lower,upper,event\n1,2,0\n"), HasSubstr("row with an interval"));
  EXPECT_THAT(refusal("lower,upper\n1,2\n,\n"), HasSubstr("row 3: neither lower nor upper"));
  EXPECT_THAT(refusal("time,entry\n2,2\n"), HasSubstr("column 'entry': entry 2 must be before time 2"));
  EXPECT_THAT(refusal("time,entry,event\n2,3,0\n"), HasSubstr("entry 3 must be before time 2"));
  EXPECT_THAT(refusal("lower,upper,entry\n1,3,2\n"), HasSubstr("1 is before entry, 2"));
  EXPECT_THAT(refusal("lower,upper,entry\n,2,3\n"), HasSubstr("entry 3 must be before upper, 2"));
  EXPECT_THAT(refusal("lower,upper,entry\n2,2,2\n"), HasSubstr("entry 2 must be before the observation, 2"));
  EXPECT_THAT(refusal("time,weight\n1,0\n"), HasSubstr("column 'weight': 0 must be finite and > 0"));
  EXPECT_THAT(refusal("time,weight\n1,-2\n"), HasSubstr("-2 must be finite and > 0"));
  EXPECT_THAT(refusal("time,weight\n1,inf\n"), HasSubstr("inf must be finite and > 0"));
  EXPECT_THAT(refusal("time,weight\n1,1e308\n1,1e308\n"), HasSubstr("weights of the rows equal to row 2"));
}

TEST(Observations, OfExactValues) {
  const std::vector<double> values{2, 0, 2, 5};
  const Observations counts = exact_observations(values, TimeKind::kDiscrete, "draws");
  ASSERT_EQ(counts.items.size(), 3u);
  EXPECT_TRUE(counts.counts);
  EXPECT_EQ(counts.num_rows, 4);
  EXPECT_EQ(counts.first_row, (std::vector<std::int64_t>{1, 2, 4}));
  EXPECT_EQ(counts.items[0].weight, 2);
  for (const Observation& item : counts.items) EXPECT_TRUE(item.exact());
  EXPECT_THROW(exact_observations({}, TimeKind::kContinuous, "draws"), ModelError);
  for (const double bad : {-1.0, kInfinity, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(exact_observations({&bad, 1}, TimeKind::kContinuous, "draws"), UsageError) << bad;
  }
  const double half = 0.5;
  EXPECT_THROW(exact_observations({&half, 1}, TimeKind::kDiscrete, "draws"), UsageError);
  EXPECT_EQ(exact_observations({&half, 1}, TimeKind::kContinuous, "draws").items[0].upper, 0.5);
}

TEST(Observations, Files) {
  const auto folder = std::filesystem::temp_directory_path() / ("sojourn_observations_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = folder / "times with blanks.csv";
  std::ofstream(path) << "time\n1\n2\n";
  const Observations data = load_observations(path, TimeKind::kContinuous);
  EXPECT_EQ(data.items.size(), 2u);
  EXPECT_EQ(data.origin, path);
  const auto refused = [](const std::string& name) -> std::string {
    try {
      load_observations(name, TimeKind::kContinuous);
    } catch (const IoError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refused(folder / "none.csv"), HasSubstr("No such file"));
  EXPECT_THAT(refused(folder), HasSubstr("Is a directory"));
  std::filesystem::remove_all(folder);
}

TEST(Observations, AMillionRowsParse) {
  std::string csv = "time,weight\n";
  std::mt19937_64 random(1);
  std::exponential_distribution<double> exponential(1);
  double sum = 0;
  char line[64];
  for (int i = 0; i < 1'000'000; ++i) {
    const double time = exponential(random);
    sum += time;
    csv.append(line, static_cast<std::size_t>(std::snprintf(line, sizeof line, "%.17g,1\n", time)));
  }
  const Observations data = times(csv);
  double read = 0, weight = 0;
  for (const Observation& item : data.items) {
    read += item.lower * item.weight;
    weight += item.weight;
  }
  EXPECT_EQ(data.num_rows, 1'000'000);
  EXPECT_EQ(weight, 1e6);
  EXPECT_NEAR(read, sum, 1e-9 * sum);  // the same terms; merged ones add in another order
}

}  // namespace
}  // namespace sojourn
