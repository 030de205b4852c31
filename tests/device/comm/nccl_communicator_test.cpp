#include "device/comm/nccl_communicator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "comm/thread_group.hpp"
#include "fake_nccl.hpp"

namespace sojourn {
namespace {

using fake_nccl::Fabric;
using fake_nccl::FakeMemory;
using fake_nccl::Fault;
using ::testing::HasSubstr;

constexpr int kNumRanks = 3;

/// What ranks said and how they ended.
struct Outcome {
  std::vector<std::string> errors = std::vector<std::string>(kNumRanks);  ///< of each rank; empty where it went on
  std::vector<std::string> ended_by;                                      ///< texts that `end_all` was called with
  bool was_killed = false;
  std::int64_t num_calls = 0;  ///< of the faulty rank
};

/// Three steps of a sampler: rows are gathered, sums are formed.
void take_steps(DeviceCommunicator& comm) {
  std::vector<double> rows(30), sums(5), own(5, 1.0);
  for (int step = 0; step < 3; ++step) {
    comm.gather_rows(rows.data(), 10, 1, 3);
    comm.all_reduce(own.data(), sums.data(), sums.size(), Reduction::kSum);
    comm.wait();
    EXPECT_EQ(sums, std::vector<double>(5, kNumRanks));
    comm.all_gather(own.data(), rows.data(), 5 * sizeof(double));
    comm.wait();
  }
}

Outcome run_with(Fabric& fabric, const NcclOptions& options, int faulty_rank,
                 const std::function<void(DeviceCommunicator&)>& body) {
  Outcome outcome;
  std::mutex mutex;
  NcclOptions own = options;
  own.end_all = [&](const std::string& text) {
    {
      const std::lock_guard lock(mutex);
      outcome.ended_by.push_back(text);
    }
    fabric.kill();
  };
  try {
    run_thread_ranks(kNumRanks, [&](Communicator& host) {
      FakeMemory memory(host.rank(), &fabric);
      try {
        const auto comm = make_nccl_communicator(fabric.table(host.rank()), host, memory, own);
        body(*comm);
      } catch (const CommError& error) {
        if (std::string(error.what()).find("has ended") != std::string::npos) throw;  // the others were killed
        const std::lock_guard lock(mutex);
        outcome.errors[static_cast<std::size_t>(host.rank())] = error.what();
      }
    });
  } catch (const fake_nccl::Killed&) {
    outcome.was_killed = true;
  }
  outcome.num_calls = fabric.num_calls(faulty_rank);
  return outcome;
}

/// An error of NCCL at each call in turn, on each rank: one message, the same on all ranks, and nobody hangs.
TEST(Nccl, AnErrorAtAnyCallIsTheSameMessageOnEveryRank) {
  for (int rank = 0; rank < kNumRanks; ++rank) {
    Fabric well(kNumRanks);
    const Outcome whole = run_with(well, {}, rank, take_steps);
    for (const std::string& error : whole.errors) EXPECT_EQ(error, "");
    EXPECT_GT(whole.num_calls, 20);
    for (std::int64_t call = 1; call <= whole.num_calls; ++call) {
      SCOPED_TRACE("call " + std::to_string(call) + " of rank " + std::to_string(rank));
      // In NCCL's start the others wait for a rank that will not come, and are ended after the grace.
      Fabric fabric(kNumRanks, {Fault::kStatus, rank, call});
      NcclOptions options;
      options.grace = std::chrono::duration<double>(0.05);
      const Outcome outcome = run_with(fabric, options, rank, take_steps);
      const std::string begin = "rank " + std::to_string(rank) + ": ";
      const std::string words = "unhandled system error (the fake's own words)";
      if (outcome.was_killed) {
        EXPECT_LE(call, 2);
        ASSERT_EQ(outcome.ended_by.size(), 1u);
        EXPECT_EQ(outcome.ended_by[0], begin + "ncclCommInitRank: " + words);
        continue;
      }
      EXPECT_TRUE(outcome.ended_by.empty());
      for (const std::string& error : outcome.errors) {
        EXPECT_EQ(error, outcome.errors[0]);
        EXPECT_EQ(error.rfind(begin, 0), 0u) << error;
        EXPECT_THAT(error, HasSubstr(words));
        EXPECT_THAT(error, HasSubstr("nccl")) << "names the call";
      }
    }
  }
}

TEST(Nccl, NamesRankCallAndNumber) {
  // Id, start; then the group of six calls (one, three rows, one), then the second of all: the sum.
  Fabric fabric(kNumRanks, {Fault::kStatus, 1, 7});
  const Outcome outcome = run_with(fabric, {}, 1, take_steps);
  EXPECT_EQ(outcome.errors[2],
            "rank 1: call 2, ncclAllReduce of 5 elements, sum: unhandled system error (the fake's own words)");
}

/// NCCL finds out by itself that a call cannot be done. Ranks that are told of it come to the vote; those that are not
/// are ended, with the one message of the rank that knows.
TEST(Nccl, ErrorsThatShowLaterEndAllRanks) {
  for (const Fault::Kind kind : {Fault::kAsync, Fault::kAsyncQuiet}) {
    // Not those that begin and end the group: only what is on a stream shows later.
    for (const std::int64_t call : {3, 4, 5, 7, 8}) {
      SCOPED_TRACE("call " + std::to_string(call));
      Fabric fabric(kNumRanks, {kind, 2, call});
      NcclOptions options;
      options.grace = std::chrono::duration<double>(kind == Fault::kAsync ? 60 : 0.05);
      const Outcome outcome = run_with(fabric, options, 2, take_steps);
      if (kind == Fault::kAsyncQuiet) {
        EXPECT_TRUE(outcome.was_killed);
        ASSERT_EQ(outcome.ended_by.size(), 1u);
        EXPECT_EQ(outcome.ended_by[0].rfind("rank 2: call ", 0), 0u) << outcome.ended_by[0];
        EXPECT_THAT(outcome.ended_by[0], HasSubstr("unhandled cuda error"));
        continue;
      }
      EXPECT_TRUE(outcome.ended_by.empty());
      // The rank that it began on speaks, not those that know of it alone.
      EXPECT_EQ(outcome.errors[0].rfind("rank 2: call ", 0), 0u) << outcome.errors[0];
      EXPECT_THAT(outcome.errors[0], HasSubstr("unhandled cuda error"));
      for (const std::string& error : outcome.errors) EXPECT_EQ(error, outcome.errors[0]);
    }
  }
}

/// A call that never gets done, and of which NCCL says nothing, lasts as long as the deadline.
TEST(Nccl, ACallThatLastsTooLongIsTold) {
  Fabric fabric(kNumRanks, {Fault::kSilence, 1, 7});
  NcclOptions options;
  options.deadline = std::chrono::duration<double>(0.2);
  const Outcome outcome = run_with(fabric, options, 1, take_steps);
  for (const std::string& error : outcome.errors)
    EXPECT_EQ(error, "rank 0: call 1, ncclBroadcast of 10 rows of 3 from each rank's own and 1 more, has lasted 0.2 s");
}

TEST(Nccl, TheStartIsWatched) {
  Fabric fabric(kNumRanks, {Fault::kStatus, 2, 1});  // leaves the start at once
  NcclOptions options;
  options.deadline = std::chrono::duration<double>(0.1);
  options.grace = std::chrono::duration<double>(60);
  const Outcome outcome = run_with(fabric, options, 2, take_steps);
  EXPECT_TRUE(outcome.was_killed);
  ASSERT_FALSE(outcome.ended_by.empty());
  EXPECT_THAT(outcome.ended_by[0], HasSubstr("ncclCommInitRank has lasted 0.1 s"));
}

TEST(Nccl, TwoRanksOnOneDeviceAreRefused) {
  Fabric fabric(kNumRanks);
  fabric.shares_a_device = true;
  const Outcome outcome = run_with(fabric, {}, 0, take_steps);
  for (const std::string& error : outcome.errors) {
    EXPECT_THAT(error, HasSubstr("ranks 0 and 1 both use the GPU 0000:00:00.0 of "));
    EXPECT_THAT(error, HasSubstr("CUDA_VISIBLE_DEVICES"));
  }
  EXPECT_EQ(outcome.num_calls, 0) << "before NCCL is asked for anything";
}

TEST(Nccl, RanksWithOtherVersionsAreRefused) {
  Fabric fabric(kNumRanks);
  fabric.rank_of_other_version = 2;
  const Outcome outcome = run_with(fabric, {}, 0, take_steps);
  for (const std::string& error : outcome.errors)
    EXPECT_THAT(error, HasSubstr("NCCL version hash differs: rank 2 has 2.23.4, rank 0 has 2.28.9"));
}

TEST(Nccl, AfterAnErrorEveryCallIsRefused) {
  Fabric fabric(kNumRanks, {Fault::kStatus, 0, 7});
  const Outcome outcome = run_with(fabric, {}, 0, [](DeviceCommunicator& comm) {
    EXPECT_THROW(take_steps(comm), CommError);
    double value = 0;
    EXPECT_THROW(comm.broadcast(&value, sizeof value, 0), CommError);
    EXPECT_THROW(comm.wait(), CommError);
  });
  for (const std::string& error : outcome.errors) EXPECT_EQ(error, "");
  EXPECT_EQ(fabric.num_destroyed, 0);
  EXPECT_EQ(fabric.num_aborted, kNumRanks);
}

TEST(Nccl, LogNamesRankCallAndTime) {
  Fabric fabric(1);
  std::vector<std::string> lines;
  NcclOptions options;
  options.log = [&](const std::string& line) { lines.push_back(line); };
  const std::unique_ptr<Communicator> host = make_serial_communicator();
  FakeMemory memory(0, &fabric);
  const auto comm = make_nccl_communicator(fabric.table(0), *host, memory, options);
  double value = 0;
  comm->broadcast(&value, sizeof value, 0);
  comm->all_reduce(&value, &value, 1, Reduction::kMax);
  comm->wait();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], "rank 0 | NCCL 2.28.9, device 0000:00:00.0");
  EXPECT_EQ(lines[1], "rank 0 | call 1 | ncclBroadcast of 8 bytes from 0");
  EXPECT_EQ(lines[2], "rank 0 | call 2 | ncclAllReduce of 1 elements, max");
  EXPECT_THAT(lines[3], ::testing::MatchesRegex(
                            R"(rank 0 \| call 1, ncclBroadcast of 8 bytes from 0 and 1 more \| done in [0-9.]+ s)"));
}

/// Calls, bytes and the stream's seconds of what is done, on every rank; nothing of a call that failed.
TEST(Nccl, AddsUpWhatItTook) {
  std::vector<CommCost> cost(kNumRanks);
  Fabric fabric(kNumRanks);
  run_thread_ranks(kNumRanks, [&](Communicator& host) {
    FakeMemory memory(host.rank(), &fabric);
    NcclOptions options;
    options.cost = &cost[static_cast<std::size_t>(host.rank())];
    const auto comm = make_nccl_communicator(fabric.table(host.rank()), host, memory, options);
    take_steps(*comm);
    double value = 0;
    comm->broadcast(&value, sizeof value, 0);  // nobody waits for it: it is not done
  });
  for (const CommCost& of_rank : cost) {
    // Three times rows of 10 x 3 doubles in a group of three broadcasts, a sum of 5, and 5 from each of three.
    EXPECT_EQ(of_rank.num_calls, 9);
    EXPECT_EQ(of_rank.bytes, 3 * 8 * (30 + 5 + 15));
    EXPECT_DOUBLE_EQ(of_rank.seconds, 3 * (3 + 1 + 1) * Fabric::kSecondsPerCall);
  }
}

std::string fault_of_loading(const std::string& path) {
  try {
    nccl::load(path);
  } catch (const CommError& error) {
    return error.what();
  }
  return "opened";
}

TEST(NcclTable, WhatCannotBeOpenedIsSaid) {
  EXPECT_THAT(fault_of_loading("libnccl-that-is-not-there.so.2"), HasSubstr("libnccl-that-is-not-there.so.2"));
  EXPECT_THAT(fault_of_loading("libnccl-that-is-not-there.so.2"), HasSubstr("LD_LIBRARY_PATH"));
  EXPECT_THAT(fault_of_loading("libm.so.6"), HasSubstr("libm.so.6 has no ncclGetVersion"));
  EXPECT_EQ(nccl::version_text(22809), "2.28.9");
  EXPECT_EQ(nccl::version_text(21304), "2.13.4");
}

/// The library itself, as far as it goes without a GPU: names are found, a version and an id come, and its error is
/// told in its own words.
TEST(NcclTable, TheLibraryItself) {
#ifndef SOJOURN_NCCL_LIBRARY
  GTEST_SKIP() << "this build has found no NCCL";
#else
  const nccl::Table table = nccl::load(SOJOURN_NCCL_LIBRARY);
  int version = 0;
  EXPECT_EQ(table.get_version(&version), nccl::kSuccess);
  EXPECT_GE(version, nccl::kLeastVersion);
  nccl::UniqueId one{}, other{};
  EXPECT_EQ(table.get_unique_id(&one), nccl::kSuccess);
  EXPECT_EQ(table.get_unique_id(&other), nccl::kSuccess);
  EXPECT_NE(std::string(one.internal, sizeof one), std::string(other.internal, sizeof other));
  EXPECT_THAT(table.get_error_string(nccl::kUnhandledCudaError), HasSubstr("cuda error"));
  const std::unique_ptr<Communicator> host = make_serial_communicator();
  FakeMemory memory(0);
  try {
    make_nccl_communicator(table, *host, memory, {});  // a machine with a GPU gets this far
  } catch (const CommError& error) {
    EXPECT_THAT(error.what(), HasSubstr("rank 0: ncclCommInitRank: unhandled cuda error"));
  }
#endif
}

}  // namespace
}  // namespace sojourn
