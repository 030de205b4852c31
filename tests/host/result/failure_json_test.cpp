#include "result/failure_json.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "sojourn/error.hpp"

namespace sojourn {
namespace {

namespace fs = std::filesystem;

RunFailure failure() {
  RunFailure failure;
  failure.message = "svgd: particle 3 ...";
  failure.reason = "edge 0 -> 1: weight -1";
  failure.particle = 3;
  failure.iteration = 17;
  failure.parameters = {"a", "b"};
  failure.theta = {0.1, std::numeric_limits<double>::infinity()};
  failure.previous_theta = {0.2, 0.5};
  failure.position = {-2.5, 800};
  failure.previous_position = {-1.5, 0.25};
  failure.seed = 18446744073709551615ULL;
  failure.command = "sojourn infer run.yaml";
  return failure;
}

class FailureFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "sojourn-failure-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    base_ = name;
  }
  void TearDown() override { fs::remove_all(base_); }

  [[nodiscard]] std::set<std::string> names(const fs::path& folder) const {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder)) found.insert(entry.path().filename().string());
    return found;
  }
  static nlohmann::json read(const fs::path& path) {
    std::ifstream stream(path);
    return nlohmann::json::parse(stream);
  }

  fs::path base_;
};

TEST_F(FailureFile, HoldsEveryNumberAndNoNotANumber) {
  const std::string path = write_failure_file(base_ / "out", failure(), {});
  EXPECT_EQ(path, base_ / "out" / "failure.json");
  EXPECT_EQ(names(base_), (std::set<std::string>{"out"}));
  EXPECT_EQ(names(base_ / "out"), (std::set<std::string>{"failure.json"}));
  const nlohmann::json json = read(path);
  EXPECT_EQ(json["schema"], "sojourn/failure/1");
  EXPECT_EQ(json["particle"], 3);
  EXPECT_EQ(json["iteration"], 17);
  EXPECT_EQ(json["seed"], 18446744073709551615ULL);
  EXPECT_EQ(json["theta"]["a"].get<double>(), 0.1);
  EXPECT_TRUE(json["theta"]["b"].is_null());
  EXPECT_EQ(json["not_finite"], (nlohmann::json{{"theta.b", "inf"}}));
  EXPECT_EQ(json["previous_theta"]["b"], 0.5);
  EXPECT_EQ(json["unconstrained"], (nlohmann::json{-2.5, 800.0}));
  EXPECT_EQ(json["previous_unconstrained"], (nlohmann::json{-1.5, 0.25}));
  EXPECT_EQ(json["command"], "sojourn infer run.yaml");
  EXPECT_TRUE(json["replay"].is_null());
}

TEST_F(FailureFile, LeavesEarlierResultsInPlace) {
  fs::create_directory(base_ / "out");
  std::ofstream(base_ / "out" / "summary.json") << "earlier";
  EXPECT_THROW((void)write_failure_file(base_ / "out", failure(), {}), UsageError);
  for (const std::int64_t particle : {5, 6}) {
    RunFailure again = failure();
    again.particle = particle;
    const std::string path = write_failure_file(base_ / "out", again, {.overwrite = true});
    EXPECT_EQ(read(path)["particle"], particle);
    EXPECT_EQ(names(base_ / "out"), (std::set<std::string>{"failure.json", "summary.json"}));
  }
  std::string text;
  std::getline(std::ifstream(base_ / "out" / "summary.json"), text);
  EXPECT_EQ(text, "earlier");
  EXPECT_EQ(names(base_), (std::set<std::string>{"out"}));
  EXPECT_NO_THROW(check_output_folder(base_ / "out", {.overwrite = true}));
}

TEST_F(FailureFile, AFailureToWriteLeavesNothing) {
  // A folder stands where the file should go.
  fs::create_directories(base_ / "out" / "failure.json" / "full");
  EXPECT_THROW((void)write_failure_file(base_ / "out", failure(), {.overwrite = true}), IoError);
  EXPECT_EQ(names(base_), (std::set<std::string>{"out"}));
  EXPECT_EQ(names(base_ / "out"), (std::set<std::string>{"failure.json"}));
}

}  // namespace
}  // namespace sojourn
