#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <random>

#include "sojourn/communicator.hpp"

/// What every communicator must do, run by every rank; thread ranks and MPI ranks share it.
namespace sojourn::comm_checks {

/// Distinct for every rank and place.
inline std::vector<double> values_of(int rank, std::size_t count) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = 1000.0 * rank + static_cast<double>(i) + 0.25;
  return values;
}

inline std::vector<double> of_all_ranks(int size, std::size_t count) {
  std::vector<double> all;
  for (int rank = 0; rank < size; ++rank) {
    const std::vector<double> values = values_of(rank, count);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

inline void check_movement(Communicator& comm, std::size_t count) {
  const int rank = comm.rank(), size = comm.size(), root = size - 1;
  const std::vector<double> own = values_of(rank, count), before = own;
  EXPECT_EQ(comm.all_gather<double>(own), of_all_ranks(size, count));
  EXPECT_EQ(comm.gather<double>(own, root), rank == root ? of_all_ranks(size, count) : std::vector<double>());
  EXPECT_EQ(comm.broadcast<double>(own, root), values_of(root, count));
  std::vector<double> there = own;
  comm.broadcast_in_place(std::span(there), root);
  EXPECT_EQ(there, values_of(root, count));
  EXPECT_EQ(comm.scatter<double>(rank == root ? of_all_ranks(size, count) : std::vector<double>(), count, root), own);
  // Block r of rank q holds 100 q + r: it comes to block q of rank r.
  std::vector<std::int32_t> blocks, expected;
  for (int other = 0; other < size; ++other) {
    blocks.insert(blocks.end(), count, 100 * rank + other);
    expected.insert(expected.end(), count, 100 * other + rank);
  }
  EXPECT_EQ(comm.all_to_all<std::int32_t>(blocks), expected);
  const int next = (rank + 1) % size, previous = (rank + size - 1) % size;
  EXPECT_EQ(comm.send_receive<double>(own, next, count, previous, 7), values_of(previous, count));
  EXPECT_EQ(own, before) << "inputs are never changed";
}

template <class T>
void check_reductions(Communicator& comm) {
  const int rank = comm.rank(), size = comm.size();
  const std::vector<T> own{static_cast<T>(rank + 1), static_cast<T>(size - rank), T{2}};
  T sum{}, product{1};
  for (int r = 1; r <= size; ++r) sum += static_cast<T>(r);
  for (int r = 0; r < size; ++r) product *= T{2};
  EXPECT_EQ(comm.all_reduce<T>(own, Reduction::kSum), (std::vector<T>{sum, sum, static_cast<T>(2 * size)}));
  EXPECT_EQ(comm.all_reduce<T>(own, Reduction::kProduct)[2], product);
  EXPECT_EQ(comm.all_reduce<T>(own, Reduction::kMin), (std::vector<T>{T{1}, T{1}, T{2}}));
  EXPECT_EQ(comm.all_reduce<T>(own, Reduction::kMax),
            (std::vector<T>{static_cast<T>(size), static_cast<T>(size), T{2}}));
  const std::vector<T> on_root = comm.reduce<T>(own, Reduction::kSum, 0);
  EXPECT_EQ(on_root, rank == 0 ? (std::vector<T>{sum, sum, static_cast<T>(2 * size)}) : std::vector<T>());
  const std::vector<T> prefix = comm.scan<T>(own, Reduction::kSum);
  EXPECT_EQ(prefix[0], static_cast<T>((rank + 1) * (rank + 2) / 2));
  EXPECT_EQ(prefix[2], static_cast<T>(2 * (rank + 1)));
  EXPECT_TRUE(comm.all_reduce<T>(std::span<const T>(), Reduction::kSum).empty());
}

/// Sums of arrays in which every place is one rank's own are exact, whatever the order of the sum.
inline void check_padded_sums(Communicator& comm) {
  constexpr std::size_t kCount = 1000;
  std::mt19937_64 random(3);
  std::vector<double> all(kCount), own(kCount, 0.0);
  for (double& value : all)
    value = std::ldexp(static_cast<double>(random() >> 11), static_cast<int>(random() % 200) - 100);
  const auto size = static_cast<std::size_t>(comm.size()), rank = static_cast<std::size_t>(comm.rank());
  for (std::size_t i = kCount * rank / size; i < kCount * (rank + 1) / size; ++i) own[i] = all[i];
  EXPECT_EQ(comm.all_reduce<double>(own, Reduction::kSum), all);
}

/// The same random calls on every rank, two communicators mixed: no deadlock, nothing meets the wrong message.
inline void check_random_order(Communicator& comm, Communicator& other, int num_calls) {
  std::mt19937 random(11);
  const int rank = comm.rank(), size = comm.size();
  for (int call = 0; call < num_calls; ++call) {
    Communicator& used = random() % 2 == 0 ? comm : other;
    const std::size_t count = random() % 40;
    const int root = static_cast<int>(random() % static_cast<unsigned>(size));
    switch (random() % 5) {
      case 0:
        ASSERT_EQ(used.all_gather<double>(values_of(rank + call, count)).size(),
                  count * static_cast<std::size_t>(size));
        break;
      case 1:
        ASSERT_EQ(used.broadcast<double>(values_of(rank + call, count), root), values_of(root + call, count));
        break;
      case 2:
        used.barrier();
        break;
      case 3: {
        const int shift = static_cast<int>(random() % static_cast<unsigned>(size));
        const int to = (rank + shift) % size, from = (rank + size - shift) % size;
        ASSERT_EQ(used.send_receive<double>(values_of(rank + call, count), to, count, from, call % 100),
                  values_of(from + call, count));
        break;
      }
      default: {
        const std::int64_t one = 1;
        ASSERT_EQ(used.all_reduce(std::span(&one, 1), Reduction::kSum)[0], size);
      }
    }
  }
}

inline void check_votes(Communicator& comm) {
  EXPECT_NO_THROW(vote(comm, ""));
  const int failing = comm.size() / 2;
  try {
    vote(comm, comm.rank() >= failing ? "no memory on " + std::to_string(comm.rank()) : "");
    ADD_FAILURE() << "a failed vote passed";
  } catch (const CommError& error) {
    const std::string rank = std::to_string(failing);
    EXPECT_EQ(std::string(error.what()), "rank " + rank + ": no memory on " + rank);
  }
  EXPECT_NO_THROW(expect_same_everywhere(comm, "model", "abc"));
  if (comm.size() == 1) return;
  try {
    expect_same_everywhere(comm, "config", comm.rank() == comm.size() - 1 ? "abd" : "abc");
    ADD_FAILURE() << "different digests passed";
  } catch (const CommError& error) {
    const std::string last = std::to_string(comm.size() - 1);
    EXPECT_EQ(std::string(error.what()).rfind("config hash differs: rank " + last + " has abd, rank 0 has abc", 0), 0u)
        << error.what();
  }
}

inline void check_messages_between_two(Communicator& comm) {
  if (comm.size() < 2) return;
  if (comm.rank() == 0) {
    comm.send<double>(values_of(0, 3), 1, 1);
    comm.send<double>(values_of(5, 2), 1, 2);
  } else if (comm.rank() == 1) {
    // By tag, not by arrival.
    EXPECT_EQ(comm.receive<double>(2, 0, 2), values_of(5, 2));
    EXPECT_EQ(comm.receive<double>(3, 0, 1), values_of(0, 3));
  }
  comm.barrier();
}

inline void check_refusals(Communicator& comm) {
  const std::vector<double> one{1.0};
  EXPECT_THROW(comm.broadcast<double>(one, comm.size()), UsageError);
  EXPECT_THROW(comm.send<double>(one, -1), UsageError);
  EXPECT_THROW(comm.receive<double>(1, 0, 40'000), UsageError);
  if (comm.size() > 1) {
    EXPECT_THROW(comm.all_to_all<double>(one), ShapeError);
  }
  if (comm.rank() == 0) {
    EXPECT_THROW(comm.scatter<double>(std::vector<double>(static_cast<std::size_t>(comm.size()) + 1), 1, 0),
                 ShapeError);
  }
}

inline void check_everything(Communicator& comm) {
  for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{1000}})
    check_movement(comm, count);
  check_reductions<std::int32_t>(comm);
  check_reductions<std::int64_t>(comm);
  check_reductions<std::uint64_t>(comm);
  check_reductions<float>(comm);
  check_reductions<double>(comm);
  check_padded_sums(comm);
  check_messages_between_two(comm);
  check_refusals(comm);
  check_votes(comm);
  const std::unique_ptr<Communicator> other = comm.duplicate();
  check_random_order(comm, *other, 300);
}

}  // namespace sojourn::comm_checks
