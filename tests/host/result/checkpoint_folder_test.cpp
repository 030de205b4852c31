#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "host/result/checkpoint_cases.hpp"
#include "host/result/made_up_run.hpp"
#include "result/file_calls.hpp"
#include "result/folder_swap.hpp"
#include "result/output_files.hpp"
#include "sojourn/checkpoint.hpp"

namespace sojourn {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::some_checkpoint;

class CheckpointFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = fs::temp_directory_path() / ("sojourn-checkpoint-" + std::to_string(getpid()));
    fs::remove_all(base_);
    fs::create_directory(base_);
  }
  void TearDown() override {
    file_calls::set_fault({});
    fs::remove_all(base_);
  }

  /// Paths below a folder, hidden ones included.
  static std::set<std::string> names(const fs::path& folder) {
    std::set<std::string> result;
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      result.insert(entry.path().lexically_relative(folder).string());
    return result;
  }
  static std::string text_of(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  [[nodiscard]] std::string output() const { return (base_ / "out").string(); }
  [[nodiscard]] fs::path file(const std::string& iteration) const {
    return base_ / "out" / "checkpoint" / ("step-" + std::string(10 - iteration.size(), '0') + iteration + ".sojourn");
  }
  /// The one found for the run of `some_checkpoint`; nothing keeps a state from being used.
  [[nodiscard]] std::optional<FoundCheckpoint> found() const {
    return find_checkpoint(output(), some_checkpoint().identity, [](const Checkpoint&) { return std::string(); });
  }
  [[nodiscard]] std::int64_t iteration_found() const { return found().value().checkpoint.state.iteration; }
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

TEST_F(CheckpointFolder, KeepsTheNewestTwo) {
  CheckpointWriter writer(output());
  EXPECT_FALSE(writer.has_written());
  EXPECT_FALSE(found());
  EXPECT_EQ(newest_checkpoint(output()), "");
  for (const int iteration : {3, 10, 10, 200, 1'000'000'000}) {
    EXPECT_EQ(writer.write(some_checkpoint(std::min(iteration, 200))), file(std::to_string(std::min(iteration, 200))));
    EXPECT_EQ(iteration_found(), std::min(iteration, 200));
  }
  EXPECT_TRUE(writer.has_written());
  EXPECT_EQ(names(base_ / "out"), (std::set<std::string>{"checkpoint", "checkpoint/step-0000000010.sojourn",
                                                         "checkpoint/step-0000000200.sojourn"}));
  EXPECT_EQ(names(base_).size(), 4u);
  EXPECT_EQ(newest_checkpoint(output()), file("200"));
}

TEST_F(CheckpointFolder, IterationsOfEarlierStagesCount) {
  Checkpoint second = some_checkpoint(7);
  second.stage = 1;
  second.iterations_before = 200;
  second.stage_seconds = {1.5};
  EXPECT_EQ(CheckpointWriter(output()).write(second), file("207"));
  EXPECT_EQ(found()->checkpoint.stage, 1);
  EXPECT_EQ(found()->checkpoint.stage_seconds, second.stage_seconds);
}

TEST_F(CheckpointFolder, AWriterThatGoesOnKeepsTheOneItCameFrom) {
  CheckpointWriter first(output());
  first.write(some_checkpoint(5));
  first.write(some_checkpoint(9));
  CheckpointWriter second(output(), file("5").string());
  second.write(some_checkpoint(8));
  EXPECT_TRUE(fs::exists(file("5")) && fs::exists(file("8")) && !fs::exists(file("9")));
}

TEST_F(CheckpointFolder, ANewRunReplacesThoseOfAnotherOnceItHasItsOwn) {
  CheckpointWriter(output()).write(some_checkpoint(300));
  std::ofstream(base_ / "out" / "checkpoint" / ".step-0000000400.sojourn.tmp-1") << "half";
  std::ofstream(base_ / "out" / "checkpoint" / "notes.txt") << "mine";
  CheckpointWriter(output()).write(some_checkpoint(4));
  EXPECT_EQ(names(base_ / "out" / "checkpoint"), (std::set<std::string>{"notes.txt", "step-0000000004.sojourn"}));
}

TEST_F(CheckpointFolder, DamagedOnesArePassedOver) {
  CheckpointWriter writer(output());
  writer.write(some_checkpoint(5));
  writer.write(some_checkpoint(6));
  const std::string whole = text_of(file("6"));
  const std::vector<std::string> damages{"",
                                         "SOJ",
                                         whole.substr(0, 100),
                                         whole.substr(0, whole.size() - 1),
                                         whole + "x",
                                         whole.substr(0, 200) + "?" + whole.substr(201)};
  for (const std::string& damage : damages) {
    std::ofstream(file("6"), std::ios::binary | std::ios::trunc) << damage;
    const auto usable = found().value();
    EXPECT_EQ(usable.checkpoint.state.iteration, 5);
    ASSERT_EQ(usable.warnings.size(), 1u);
    EXPECT_THAT(usable.warnings[0], HasSubstr("step-0000000006.sojourn: the checkpoint is damaged"));
  }
  // A file of holes, far larger than the memory: what it says of its size is read first.
  fs::resize_file(file("6"), std::uintmax_t{1} << 40);
  EXPECT_EQ(iteration_found(), 5);
  fs::remove(file("6"));
  fs::create_directory(file("6"));
  EXPECT_EQ(iteration_found(), 5);
  fs::remove(file("6"));
  ASSERT_EQ(::mkfifo(file("6").c_str(), 0600), 0);
  EXPECT_EQ(iteration_found(), 5);

  std::ofstream(file("5"), std::ios::trunc) << "";
  EXPECT_THAT(message_of<IoError>([&] { (void)found(); }),
              ::testing::AllOf(HasSubstr("step-0000000006"), HasSubstr("step-0000000005"), HasSubstr("--overwrite")));
}

TEST_F(CheckpointFolder, AStateWithAFaultIsPassedOver) {
  CheckpointWriter writer(output());
  writer.write(some_checkpoint(5));
  writer.write(some_checkpoint(6));
  const auto usable = find_checkpoint(output(), some_checkpoint().identity, [](const Checkpoint& one) {
    return one.state.iteration == 6 ? "its held counts are wrong" : "";
  });
  EXPECT_EQ(usable.value().checkpoint.state.iteration, 5);
  EXPECT_THAT(usable->warnings.at(0), HasSubstr("held counts are wrong"));
}

TEST_F(CheckpointFolder, AnotherRunsAreRefusedWithTheFieldsThatDiffer) {
  CheckpointWriter writer(output());
  writer.write(some_checkpoint(5));
  auto other = some_checkpoint().identity;
  other[1].value = "2";
  const auto nothing = [](const Checkpoint&) { return std::string(); };
  EXPECT_THAT(message_of<ModelError>([&] { (void)find_checkpoint(output(), other, nothing); }),
              ::testing::AllOf(HasSubstr("another run's: seed: 1 there, 2 here;"), HasSubstr("--overwrite")));
  // Killed between the first checkpoint of a run that replaces it and the removal of the old ones.
  Checkpoint replaced = some_checkpoint(70);
  replaced.identity = other;
  std::ofstream(file("70"), std::ios::binary) << encode_checkpoint(replaced);
  EXPECT_EQ(iteration_found(), 5);
  EXPECT_THAT(found()->warnings.at(0), HasSubstr("seed: 2 there, 1 here"));
}

TEST_F(CheckpointFolder, SymbolicLinksAreNotFollowed) {
  fs::create_directory(base_ / "out");
  fs::create_directory(base_ / "elsewhere");
  fs::create_directory_symlink(base_ / "elsewhere", base_ / "out" / "checkpoint");
  CheckpointWriter writer(output());
  for (const auto& message :
       {message_of<IoError>([&] { writer.write(some_checkpoint()); }),
        message_of<IoError>([&] { check_checkpoint_folder(output()); }), message_of<IoError>([&] { (void)found(); })})
    EXPECT_THAT(message, HasSubstr("symbolic link"));
  EXPECT_TRUE(fs::is_empty(base_ / "elsewhere"));
  fs::remove(base_ / "out" / "checkpoint");
  writer.write(some_checkpoint(5));
  // A file of ours that is a link.
  std::ofstream(base_ / "elsewhere" / "file") << "precious";
  fs::create_symlink(base_ / "elsewhere" / "file", file("6"));
  EXPECT_THAT(message_of<IoError>([&] { writer.write(some_checkpoint(6)); }), HasSubstr("symbolic link"));
  EXPECT_THAT(message_of<IoError>([&] { (void)found(); }), HasSubstr("symbolic link"));
  EXPECT_EQ(text_of(base_ / "elsewhere" / "file"), "precious");
}

/// Whichever call fails, and whether it is one of the first checkpoint, a later one or the results: the error names
/// path and reason, what was there before is usable still, and nothing half made stays.
TEST_F(CheckpointFolder, AnyFailingCallLeavesTheEarlierOnes) {
  std::map<std::string, int> num_calls;
  for (const char* call : {"open", "write", "sync", "rename", "make_folder"}) {
    for (int nth = 0;; ++nth) {
      // The first in a folder that does not exist yet.
      int count = 0;
      const auto fault = [&](std::string_view name) { return name == call && count++ == nth ? ENOSPC : 0; };
      CheckpointWriter writer(output());
      file_calls::set_fault(fault);
      const std::string message = message_of<IoError>([&] { writer.write(some_checkpoint(5)); });
      file_calls::set_fault({});
      if (count <= nth) {
        EXPECT_EQ(iteration_found(), 5);
        fs::remove_all(output());
        break;
      }
      ++num_calls[call];
      EXPECT_THAT(message, HasSubstr("No space left on device")) << call << " " << nth;
      // Forcing the parent folder to the disk comes after all is in place.
      if (fs::exists(output())) {
        EXPECT_EQ(iteration_found(), 5) << call << " " << nth;
        fs::remove_all(output());
      }
      EXPECT_TRUE(names(base_).empty()) << call << " " << nth;
    }
    for (int nth = 0;; ++nth) {
      int count = 0;
      const auto fault = [&](std::string_view name) { return name == call && count++ == nth ? EIO : 0; };
      CheckpointWriter writer(output());
      writer.write(some_checkpoint(5));
      writer.write(some_checkpoint(6));
      const auto before = names(base_);
      file_calls::set_fault(fault);
      const std::string message = message_of<IoError>([&] { writer.write(some_checkpoint(7)); });
      file_calls::set_fault({});
      const bool failed = count > nth;
      if (failed && call != std::string("make_folder")) {
        ++num_calls[call];
        EXPECT_THAT(message, HasSubstr("Input/output error")) << call << " " << nth;
        EXPECT_GE(iteration_found(), 6) << call << " " << nth;
        // The two that were there, and where only the folder's entry could not be forced the new one too.
        auto after = names(base_);
        after.erase("out/checkpoint/step-0000000007.sojourn");
        EXPECT_EQ(after, before) << call << " " << nth;
      }
      fs::remove_all(output());
      if (!failed) break;
    }
  }
  EXPECT_GE(num_calls["open"], 3);
  EXPECT_GE(num_calls["write"], 2);
  EXPECT_GE(num_calls["sync"], 5);
  EXPECT_GE(num_calls["rename"], 2);
  EXPECT_GE(num_calls["make_folder"], 2);
}

TEST_F(CheckpointFolder, ResultsTakeTheCheckpointsWithThem) {
  const auto run = made_up_run(1, 10);
  CheckpointWriter writer(output());
  writer.write(some_checkpoint(5));
  writer.write(some_checkpoint(6));
  for (const bool links : {true, false}) {
    file_calls::set_fault([&](std::string_view call) { return call == "link" && !links ? EPERM : 0; });
    write_output_files(output(), run->facts, {.overwrite = true, .keep_checkpoints = true});
    EXPECT_TRUE(fs::exists(base_ / "out" / "report.html"));
    EXPECT_TRUE(fs::exists(file("5")));
    EXPECT_EQ(iteration_found(), 6);
  }
  file_calls::set_fault({});
  writer.write(some_checkpoint(7));
  EXPECT_TRUE(fs::exists(file("6")) && fs::exists(file("7")) && !fs::exists(file("5")));
  EXPECT_TRUE(holds_whole_results(output(), 500));
  EXPECT_FALSE(holds_whole_results(output(), 499));
  write_output_files(output(), run->facts, {.overwrite = true});
  EXPECT_FALSE(fs::exists(base_ / "out" / "checkpoint"));
  EXPECT_EQ(names(base_).count(".out.tmp-" + std::to_string(getpid())), 0u);
}

TEST_F(CheckpointFolder, ResultsThatFailLeaveFolderAndCheckpoints) {
  const auto run = made_up_run(1, 10);
  CheckpointWriter writer(output());
  writer.write(some_checkpoint(6));
  const auto before = names(base_);
  for (int nth = 0;; ++nth) {
    int count = 0;
    file_calls::set_fault([&](std::string_view) { return count++ == nth ? EDQUOT : 0; });
    bool failed = false;
    try {
      write_output_files(output(), run->facts, {.overwrite = true, .keep_checkpoints = true});
    } catch (const IoError&) {
      failed = true;
    }
    file_calls::set_fault({});
    EXPECT_EQ(iteration_found(), 6) << nth;
    if (count <= nth) break;
    if (fs::exists(base_ / "out" / "report.html")) {
      // The results stand before the last calls, and a link that fails is a copy. What they replaced goes only once
      // they are known to be on the disk.
      clear_leftovers(output());
      fs::remove_all(output());
      EXPECT_TRUE(names(base_).empty()) << nth;
      writer.write(some_checkpoint(6));
    } else {
      EXPECT_TRUE(failed) << nth;
      EXPECT_EQ(names(base_), before) << nth;
    }
  }
}

TEST_F(CheckpointFolder, WholeResultsAreToldFromInterruptedOnes) {
  const auto run = made_up_run(1, 10);
  EXPECT_FALSE(holds_whole_results(output(), 500));
  EXPECT_TRUE(holds_no_results(output()));
  fs::create_directories(base_ / "out" / "checkpoint");
  std::ofstream(base_ / "out" / "failure.json") << "{}";
  EXPECT_TRUE(holds_no_results(output()));
  std::ofstream(base_ / "out" / "summary.json") << "{\"status\":";
  EXPECT_FALSE(holds_no_results(output()));
  EXPECT_FALSE(holds_whole_results(output(), 500));
  run->result.svgd.interrupted = true;
  write_output_files(output(), run->facts, {.overwrite = true});
  EXPECT_FALSE(holds_whole_results(output(), 500));
}

TEST_F(CheckpointFolder, LeftoversOfKilledProcessesGo) {
  CheckpointWriter(output()).write(some_checkpoint(6));
  for (const char* name : {".out.tmp-12", ".out.tmp-12-3", ".out.tmp-9-replaced", ".out.b.tmp-12", ".out.tmp-",
                           "out.tmp-1", ".out.tmp-1x"}) {
    fs::create_directory(base_ / name);
    std::ofstream(base_ / name / "report.html") << "half";
  }
  clear_leftovers(output());
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(base_)) left.insert(entry.path().filename().string());
  EXPECT_EQ(left, (std::set<std::string>{"out", ".out.b.tmp-12", ".out.tmp-", "out.tmp-1", ".out.tmp-1x"}));
  EXPECT_EQ(iteration_found(), 6);
}

TEST_F(CheckpointFolder, AFolderKilledBetweenTwoRenamesComesBack) {
  CheckpointWriter(output()).write(some_checkpoint(6));
  fs::rename(base_ / "out", base_ / ".out.tmp-77-replaced");
  fs::create_directory(base_ / ".out.tmp-77");
  clear_leftovers(output());
  EXPECT_EQ(iteration_found(), 6);
  EXPECT_EQ(names(base_).size(), 3u);
}

}  // namespace
}  // namespace sojourn
