#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "host/result/made_up_run.hpp"
#include "result/folder_swap.hpp"
#include "result/output_files.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class OutputFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::temp_directory_path() / ("sojourn-output-" + std::to_string(getpid()));
    fs::remove_all(base_);
    fs::create_directory(base_);
  }
  void TearDown() override { fs::remove_all(base_); }

  /// Names in a folder, hidden ones included.
  static std::set<std::string> names(const fs::path& folder) {
    std::set<std::string> result;
    for (const auto& entry : fs::directory_iterator(folder)) result.insert(entry.path().filename().string());
    return result;
  }
  static std::string text_of(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  template <class ErrorType, class Call>
  static std::string message_of(const Call& call) {
    try {
      call();
    } catch (const ErrorType& error) {
      return error.what();
    }
    return "no such error";
  }

  fs::path base_;
};

const std::set<std::string> kAllFiles = {"summary.json",    "particles.csv", "trace.csv",
                                         "convergence.csv", "posterior.nc",  "report.html"};

TEST_F(OutputFolder, WritesEverythingAndNothingElse) {
  const auto run = made_up_run();
  write_output_files(base_ / "out", run->facts, {});
  EXPECT_EQ(names(base_), (std::set<std::string>{"out"}));
  EXPECT_EQ(names(base_ / "out"), kAllFiles);
  for (const auto& name : kAllFiles) EXPECT_GT(fs::file_size(base_ / "out" / name), 100U) << name;
}

TEST_F(OutputFolder, NoTraceWithoutHistory) {
  const auto run = made_up_run(3, 200, false);
  write_output_files(base_ / "out", run->facts, {});
  EXPECT_FALSE(fs::exists(base_ / "out" / "trace.csv"));
}

TEST_F(OutputFolder, ExistingFolderIsAUsageError) {
  const auto run = made_up_run();
  fs::create_directory(base_ / "out");
  EXPECT_THAT(message_of<UsageError>([&] { write_output_files(base_ / "out", run->facts, {}); }),
              HasSubstr("--overwrite"));
  EXPECT_THROW(check_output_folder(base_ / "out", {}), UsageError);
  EXPECT_TRUE(names(base_ / "out").empty());
  EXPECT_EQ(names(base_), (std::set<std::string>{"out"}));
}

TEST_F(OutputFolder, OverwriteReplacesTheWholeFolder) {
  auto run = made_up_run();
  write_output_files(base_ / "out", run->facts, {});
  fs::create_directory(base_ / "out" / "checkpoint");
  std::ofstream(base_ / "out" / "checkpoint" / "0001") << "x";
  run->result.svgd.history.clear();
  write_output_files(base_ / "out", run->facts, {.overwrite = true});
  std::set<std::string> expected = kAllFiles;
  expected.erase("trace.csv");
  EXPECT_EQ(names(base_ / "out"), expected);
  EXPECT_EQ(names(base_), (std::set<std::string>{"out"}));
}

TEST_F(OutputFolder, OverwriteSparesFilesOfOthers) {
  const auto run = made_up_run();
  write_output_files(base_ / "out", run->facts, {});
  std::ofstream(base_ / "out" / "thesis.tex") << "years of work";
  EXPECT_THAT(message_of<UsageError>([&] { write_output_files(base_ / "out", run->facts, {.overwrite = true}); }),
              HasSubstr("thesis.tex"));
  EXPECT_EQ(text_of(base_ / "out" / "thesis.tex"), "years of work");
  EXPECT_EQ(names(base_), (std::set<std::string>{"out"}));
}

TEST_F(OutputFolder, AFileInTheWayIsLeftAlone) {
  const auto run = made_up_run();
  std::ofstream(base_ / "out") << "mine";
  EXPECT_THROW(write_output_files(base_ / "out", run->facts, {.overwrite = true}), UsageError);
  EXPECT_EQ(text_of(base_ / "out"), "mine");
}

TEST_F(OutputFolder, AFileAsParentIsAnIoErrorWithPathAndReason) {
  const auto run = made_up_run();
  std::ofstream(base_ / "file") << "mine";
  const std::string message = message_of<IoError>([&] { write_output_files(base_ / "file" / "out", run->facts, {}); });
  EXPECT_THAT(message, HasSubstr((base_ / "file").string()));
  EXPECT_THAT(message, HasSubstr("Not a directory"));
  EXPECT_THROW(check_output_folder(base_ / "file" / "deep" / "out", {}), IoError);
  EXPECT_EQ(names(base_), (std::set<std::string>{"file"}));
}

TEST_F(OutputFolder, MissingParentsAreMadeAndTakenBackOnFailure) {
  const auto run = made_up_run(1, 10);
  write_output_files(base_ / "a" / "b" / "out", run->facts, {});
  EXPECT_TRUE(fs::exists(base_ / "a" / "b" / "out" / "summary.json"));
  {
    const FolderSwap swap(base_ / "c" / "d" / "out", false, {});
    write_file(swap.folder() / "part", "x");
    EXPECT_TRUE(fs::exists(base_ / "c" / "d"));
    // No commit: as if a later file had failed.
  }
  EXPECT_EQ(names(base_), (std::set<std::string>{"a"}));
}

TEST_F(OutputFolder, FailureKeepsTheOldFolder) {
  fs::create_directory(base_ / "out");
  std::ofstream(base_ / "out" / "summary.json") << "old";
  {
    const FolderSwap swap(base_ / "out", true, {"summary.json"});
    write_file(swap.folder() / "summary.json", "new");
  }
  EXPECT_EQ(text_of(base_ / "out" / "summary.json"), "old");
  EXPECT_EQ(names(base_), (std::set<std::string>{"out"}));
}

TEST_F(OutputFolder, FilesThatAppearMeanwhileAreSpared) {
  FolderSwap swap(base_ / "out", false, {"summary.json"});
  write_file(swap.folder() / "summary.json", "new");
  fs::create_directory(base_ / "out");
  std::ofstream(base_ / "out" / "summary.json") << "another run's";
  EXPECT_THROW(swap.commit(), UsageError);
  EXPECT_EQ(text_of(base_ / "out" / "summary.json"), "another run's");
}

TEST_F(OutputFolder, FullDiskIsAnIoErrorWithTheReason) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  EXPECT_THAT(message_of<IoError>([] { write_file("/dev/full", "x"); }), HasSubstr("No space left on device"));
}

TEST_F(OutputFolder, StrangeNames) {
  const auto run = made_up_run(1, 10);
  write_output_files((base_ / "with space\nand line").string() + "/", run->facts, {});
  EXPECT_TRUE(fs::exists(base_ / "with space\nand line" / "report.html"));
  EXPECT_THROW(check_output_folder("", {}), UsageError);
  EXPECT_THROW(check_output_folder("/", {.overwrite = true}), UsageError);
  EXPECT_THROW(check_output_folder("/proc/self/nowhere/out", {}), IoError);
}

TEST_F(OutputFolder, RelativePathsAndLinks) {
  const fs::path before = fs::current_path();
  fs::current_path(base_);
  const auto run = made_up_run(1, 10);
  write_output_files("relative", run->facts, {});
  fs::create_directory_symlink("relative", "link");
  write_output_files("link", run->facts, {.overwrite = true});
  fs::current_path(before);
  EXPECT_TRUE(fs::is_symlink(base_ / "link"));
  EXPECT_TRUE(fs::exists(base_ / "relative" / "report.html"));
}

}  // namespace
}  // namespace sojourn
