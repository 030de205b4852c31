#include "sojourn/communicator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "comm/thread_group.hpp"
#include "comm/wrapped_communicator.hpp"
#include "communicator_checks.hpp"

namespace sojourn {
namespace {

using std::chrono::duration;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST(Communicator, SerialDoesEverything) {
  const std::unique_ptr<Communicator> comm = make_serial_communicator();
  EXPECT_EQ(comm->name(), "serial");
  comm_checks::check_everything(*comm);
  EXPECT_THROW(comm->receive<double>(1, 0), CommError);
}

class ThreadRanks : public ::testing::TestWithParam<int> {};

TEST_P(ThreadRanks, DoEverything) {
  std::atomic<int> num_ranks{0};
  run_thread_ranks(GetParam(), [&](Communicator& comm) {
    EXPECT_EQ(comm.size(), GetParam());
    comm_checks::check_everything(comm);
    ++num_ranks;
  });
  EXPECT_EQ(num_ranks, GetParam());
}

TEST_P(ThreadRanks, WrappersPassEverythingOn) {
  std::mutex mutex;
  std::vector<std::string> lines;
  run_thread_ranks(GetParam(), [&](Communicator& comm) {
    auto wrapped = make_logged_communicator(make_watched_communicator(comm.duplicate(), duration<double>(300),
                                                                      [](const std::string& text) { FAIL() << text; }),
                                            [&](const std::string& line) {
                                              const std::lock_guard lock(mutex);
                                              lines.push_back(line);
                                            });
    comm_checks::check_everything(*wrapped);
  });
  EXPECT_GT(lines.size(), 100u);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadRanks, ::testing::Values(1, 2, 3, 4, 7));

TEST(Communicator, LogNamesRankCallAndTime) {
  std::vector<std::string> lines;
  auto comm =
      make_logged_communicator(make_serial_communicator(), [&](const std::string& line) { lines.push_back(line); });
  comm->barrier();
  comm->all_reduce<double>(std::vector<double>{1, 2}, Reduction::kMax);
  EXPECT_THROW(comm->send<double>(std::vector<double>{1}, 0, 5), CommError);
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[0], "rank 0 | call 1 | barrier");
  EXPECT_THAT(lines[1], MatchesRegex(R"(rank 0 \| call 1 \| barrier \| done in [0-9.]+ s)"));
  EXPECT_EQ(lines[2], "rank 0 | call 2 | all_reduce of 2 elements, max");
  EXPECT_EQ(lines[4], "rank 0 | call 3 | send of 8 bytes to 0, tag 5");
  EXPECT_THAT(lines[5], HasSubstr("| failed: one rank cannot wait"));
}

TEST(Communicator, MeasuredCallsBytesAndSeconds) {
  std::vector<CommCost> costs(2);
  const auto begin = std::chrono::steady_clock::now();
  run_thread_ranks(2, [&](Communicator& ranks) {
    CommCost& cost = costs[ranks.rank()];
    const auto comm = make_measured_communicator(ranks.duplicate(), cost);
    comm->barrier();
    comm->all_gather<double>(std::vector<double>{1, 2, 3});                         // 24 bytes of each
    comm->all_reduce<std::int32_t>(std::vector<std::int32_t>{1}, Reduction::kMin);  // 4 bytes
    const auto other = comm->duplicate();
    other->broadcast<double>(std::vector<double>{1, 2}, 0);  // 16 bytes
  });
  for (const CommCost& cost : costs) {
    EXPECT_EQ(cost.num_calls, 5);
    EXPECT_EQ(cost.bytes, 48 + 4 + 16);
    EXPECT_GT(cost.seconds, 0);
    EXPECT_LT(cost.seconds, duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
}

TEST(Communicator, ARankThatFailsEndsTheOthers) {
  for (int failing = 0; failing < 3; ++failing) {
    std::atomic<int> num_ended{0};
    try {
      run_thread_ranks(3, [&](Communicator& comm) {
        const auto other = comm.duplicate();
        if (comm.rank() == failing) throw NumericalError("no answer");
        try {
          if (comm.rank() == (failing + 1) % 3) {
            comm.receive<double>(1, failing);
          } else {
            other->all_gather<double>(std::vector<double>{1});
          }
          ADD_FAILURE() << "went on without a rank";
        } catch (const CommError& error) {
          EXPECT_EQ(std::string(error.what()), "rank " + std::to_string(failing) + " has ended");
          ++num_ended;
          throw;
        }
      });
      ADD_FAILURE() << "the failure was lost";
    } catch (const NumericalError& error) {
      EXPECT_EQ(std::string(error.what()), "no answer");
    }
    EXPECT_EQ(num_ended, 2);
  }
}

TEST(Communicator, ARankThatReturnsEarlyIsMissed) {
  EXPECT_THROW(run_thread_ranks(2,
                                [](Communicator& comm) {
                                  if (comm.rank() == 1) comm.barrier();
                                }),
               CommError);
}

TEST(Communicator, RanksAtDifferentCallsAreTold) {
  try {
    run_thread_ranks(3, [](Communicator& comm) {
      if (comm.rank() == 2) {
        comm.broadcast<double>(std::vector<double>{1}, 0);
      } else {
        comm.barrier();
      }
    });
    ADD_FAILURE() << "ranks at different calls went on";
  } catch (const CommError& error) {
    EXPECT_THAT(error.what(), HasSubstr("rank 2 is at broadcast of 8 bytes, root 0, kind 0, rank 0 at barrier"));
  }
  EXPECT_THROW(
      run_thread_ranks(
          2, [](Communicator& comm) { comm.all_gather<double>(std::vector<double>(comm.rank() == 0 ? 1 : 2)); }),
      CommError);
}

TEST(Communicator, AMessageOfAnotherLengthIsTold) {
  EXPECT_THROW(run_thread_ranks(2,
                                [](Communicator& comm) {
                                  if (comm.rank() == 0) comm.send<double>(std::vector<double>{1, 2}, 1);
                                  if (comm.rank() == 1) comm.receive<double>(3, 0);
                                }),
               CommError);
}

TEST(Communicator, WatchdogNamesTheCallThatStalls) {
  std::mutex mutex;
  std::vector<std::string> stalls;
  run_thread_ranks(2, [&](Communicator& comm) {
    auto watched = make_watched_communicator(comm.duplicate(), duration<double>(0.05), [&](const std::string& text) {
      const std::lock_guard lock(mutex);
      stalls.push_back(text);
    });
    watched->barrier();
    // The other rank comes late, so that this one waits beyond its deadline; both then go on.
    if (comm.rank() == 1) {
      for (bool told = false; !told;) {
        std::this_thread::sleep_for(duration<double>(0.005));
        const std::lock_guard lock(mutex);
        told = !stalls.empty();
      }
    }
    watched->all_gather<double>(std::vector<double>{1});
  });
  ASSERT_GE(stalls.size(), 1u);
  EXPECT_EQ(stalls[0], "rank 0: call 2, all_gather of 8 bytes, has lasted 0.05 s");
}

TEST(Communicator, AFaultAtAnyCallEndsAllRanks) {
  for (std::int64_t at = 1; at <= 5; ++at) {
    EXPECT_THROW(run_thread_ranks(3,
                                  [&](Communicator& comm) {
                                    auto faulty = make_faulty_communicator(comm.duplicate(), comm.rank() == 1 ? at : 0,
                                                                           [] { throw CommError("injected"); });
                                    for (int i = 0; i < 5; ++i)
                                      faulty->all_reduce<double>(std::vector<double>{1}, Reduction::kSum);
                                  }),
                 CommError);
  }
}

}  // namespace
}  // namespace sojourn
