// Batches that are made smaller where they do not fit: what is asked for, what is said and when it ends.
#include "device/support/batches.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace sojourn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

/// A device with room for `room` lanes; keeps what it was asked for.
struct Device {
  std::int64_t room;
  std::vector<std::int64_t> asked;
  std::vector<std::string> said;

  void run(std::int64_t size) {
    asked.push_back(size);
    if (size > room) throw OutOfDeviceMemory("no memory for " + std::to_string(size));
  }
  std::int64_t fit(std::int64_t size, std::int64_t smallest) {
    return run_fitting(
        size, smallest, [&](const std::string& text) { said.push_back(text); },
        [&](std::int64_t lanes) { run(lanes); });
  }
};

TEST(RunFitting, RunsOnceWhatFits) {
  Device device{.room = 100, .asked = {}, .said = {}};
  EXPECT_EQ(device.fit(100, 8), 100);
  EXPECT_THAT(device.asked, ElementsAre(100));
  EXPECT_THAT(device.said, IsEmpty());
}

TEST(RunFitting, HalvesUntilItFitsAndSaysSo) {
  Device device{.room = 30, .asked = {}, .said = {}};
  EXPECT_EQ(device.fit(100, 8), 25);
  EXPECT_THAT(device.asked, ElementsAre(100, 50, 25));
  EXPECT_THAT(device.said, ElementsAre("no memory for 100: the batch is halved to 50",
                                       "no memory for 50: the batch is halved to 25"));
}

/// The last one tried is the smallest, however the halves fall, and it is tried once.
TEST(RunFitting, EndsAtTheSmallest) {
  Device device{.room = 2, .asked = {}, .said = {}};
  try {
    device.fit(100, 30);
    FAIL();
  } catch (const OutOfDeviceMemory& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("no memory for 30; not even a batch of 30 fits"), HasSubstr("--device cpu")));
  }
  EXPECT_THAT(device.asked, ElementsAre(100, 50, 30));
  // Fewer than the smallest, since there are no more: not halved.
  device.asked.clear();
  EXPECT_THROW(device.fit(20, 30), OutOfDeviceMemory);
  EXPECT_THAT(device.asked, ElementsAre(20));
}

TEST(RunFitting, EndsAtOnceWhereFewerWouldNotHelp) {
  std::vector<std::int64_t> asked;
  const auto run = [&](std::int64_t size) {
    asked.push_back(size);
    throw LeastDoesNotFit("the tables");
  };
  try {
    run_fitting(
        100, 1, [](const std::string& text) { ADD_FAILURE() << text; }, run);
    FAIL();
  } catch (const LeastDoesNotFit& error) {
    EXPECT_STREQ(error.what(), "the tables");
  }
  EXPECT_THAT(asked, ElementsAre(100));
}

TEST(RunFitting, LeavesOtherErrorsAlone) {
  int calls = 0;
  const auto run = [&](std::int64_t) {
    ++calls;
    throw DeviceError("lost");
  };
  EXPECT_THROW(run_fitting(
                   100, 1, [](const std::string&) {}, run),
               DeviceError);
  EXPECT_EQ(calls, 1);
}

/// In order, each lane once; after one that was halved those behind it are no larger, and it is said once.
TEST(ForEachBatch, CoversAllLanesOnce) {
  std::vector<std::pair<std::int64_t, std::int64_t>> done;
  std::vector<std::string> said;
  const auto run = [&](std::int64_t first, std::int64_t count) {
    if (count > 30) throw OutOfDeviceMemory("no memory");
    done.emplace_back(first, count);
  };
  for_each_batch(
      110, 50, 8, [&](const std::string& text) { said.push_back(text); }, run);
  EXPECT_THAT(done, ElementsAre(Pair(0, 25), Pair(25, 25), Pair(50, 25), Pair(75, 25), Pair(100, 10)));
  EXPECT_THAT(said, ElementsAre("no memory: the batch is halved to 25"));
  // Not below the smallest, even where less was asked for.
  done.clear();
  for_each_batch(
      20, 3, 8, [](const std::string&) {}, run);
  EXPECT_THAT(done, ElementsAre(Pair(0, 8), Pair(8, 8), Pair(16, 4)));
  done.clear();
  for_each_batch(
      0, 50, 8, [](const std::string&) {}, run);
  EXPECT_THAT(done, IsEmpty());
}

TEST(OutOfDeviceMemory, SaysWhatWasAskedForAndTheWayOut) {
  struct Driver {
    static void* allocate(std::size_t bytes) { return bytes > 100 ? nullptr : reinterpret_cast<void*>(8); }
    static std::pair<std::size_t, std::size_t> free_and_total_bytes() { return {100, 400}; }
  };
  EXPECT_NE(allocate_or_throw(Driver{}, 100), nullptr);
  try {
    with_way_out([] { return allocate_or_throw(Driver{}, 101); }, [] { return std::string("take fewer"); });
    FAIL();
  } catch (const OutOfDeviceMemory& error) {
    EXPECT_STREQ(error.what(), "CUDA: out of memory: asked for 101 bytes, 100 of 400 are free; take fewer");
  }
}

}  // namespace
}  // namespace sojourn
