// Every route of messages between devices, with threads as ranks and host memory as that of their devices.
#include "device/comm/device_communicator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "comm/rank_mesh.hpp"
#include "comm/thread_group.hpp"
#include "comm/wrapped_communicator.hpp"
#include "device/comm/host_route.hpp"
#include "device/comm/nccl_communicator.hpp"
#include "fake_nccl.hpp"

namespace sojourn {
namespace {

using fake_nccl::Fabric;
using fake_nccl::FakeMemory;
using ::testing::HasSubstr;

/// Passes everything on, and says that it takes device memory: here that is the host's.
class TakesDeviceMemory final : public WrappedCommunicator {
 public:
  using WrappedCommunicator::WrappedCommunicator;
  [[nodiscard]] bool takes_device_memory() const override { return true; }
  [[nodiscard]] std::unique_ptr<Communicator> duplicate() override { return duplicate_inner(); }

 protected:
  void around(const CommCall&, const std::function<void()>& work) override { work(); }
};

enum class Route { kNccl, kDirect, kStaged, kStagedInChunks };
constexpr Route kRoutes[] = {Route::kNccl, Route::kDirect, Route::kStaged, Route::kStagedInChunks};
constexpr int kRankCounts[] = {1, 2, 3, 4, 7};

void on_all_ranks(Route route, int num_ranks, const std::function<void(DeviceCommunicator&)>& body) {
  Fabric fabric(num_ranks);
  std::atomic<int> num_done{0};
  run_thread_ranks(num_ranks, [&](Communicator& threads) {
    FakeMemory memory(threads.rank(), route == Route::kNccl ? &fabric : nullptr);
    TakesDeviceMemory host(threads.duplicate());
    std::unique_ptr<DeviceCommunicator> comm;
    if (route == Route::kNccl) {
      comm = make_nccl_communicator(fabric.table(threads.rank()), host, memory, {});
    } else if (route == Route::kDirect) {
      comm = make_direct_device_communicator(host, memory);
    } else {
      comm = make_staged_device_communicator(host, memory, route == Route::kStaged ? 1 << 20 : 24);
    }
    EXPECT_EQ(comm->rank(), threads.rank());
    EXPECT_EQ(comm->size(), num_ranks);
    EXPECT_EQ(comm->name(), route == Route::kNccl ? "nccl" : route == Route::kDirect ? "mpi" : "host");
    body(*comm);
    ++num_done;
  });
  EXPECT_EQ(num_done, num_ranks);
  if (route == Route::kNccl) {
    EXPECT_EQ(fabric.num_destroyed, num_ranks);
    EXPECT_EQ(fabric.num_aborted, 0);
  }
}

void on_all_routes(const std::function<void(DeviceCommunicator&)>& body) {
  for (const Route route : kRoutes) {
    for (const int num_ranks : kRankCounts) {
      SCOPED_TRACE("route " + std::to_string(static_cast<int>(route)) + ", " + std::to_string(num_ranks) + " ranks");
      on_all_ranks(route, num_ranks, body);
    }
  }
}

/// Numbers of all kinds that a sum or a conversion would spoil.
std::vector<double> odd_numbers(std::size_t count) {
  const double odd[] = {-0.0,
                        0.0,
                        std::numeric_limits<double>::infinity(),
                        std::numeric_limits<double>::denorm_min(),
                        std::bit_cast<double>(0x7ff80000deadbeefULL),
                        -1.5};
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = i % 7 < 6 ? odd[i % 7] : std::sqrt(static_cast<double>(i));
  return values;
}
std::vector<std::uint64_t> bits_of(const std::vector<double>& values) {
  std::vector<std::uint64_t> bits;
  for (const double value : values) bits.push_back(std::bit_cast<std::uint64_t>(value));
  return bits;
}
std::vector<double> values_of(int rank, std::size_t count) {
  std::vector<double> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = 1000.0 * rank + static_cast<double>(i) + 0.25;
  return values;
}

TEST(DeviceCommunicator, MovesArrays) {
  on_all_routes([](DeviceCommunicator& comm) {
    const auto size = static_cast<std::size_t>(comm.size()), rank = static_cast<std::size_t>(comm.rank());
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{100}}) {
      std::vector<double> expected;
      for (int r = 0; r < comm.size(); ++r) {
        const std::vector<double> part = values_of(r, count);
        expected.insert(expected.end(), part.begin(), part.end());
      }
      const std::vector<double> own = values_of(comm.rank(), count);
      std::vector<double> all(count * size, -1.0);
      comm.all_gather(own.data(), all.data(), count * sizeof(double));
      comm.wait();
      EXPECT_EQ(all, expected);
      // In place.
      std::vector<double> same(count * size, -1.0);
      std::copy(own.begin(), own.end(), same.begin() + static_cast<std::ptrdiff_t>(rank * count));
      comm.all_gather(same.data() + rank * count, same.data(), count * sizeof(double));
      comm.wait();
      EXPECT_EQ(same, expected);
      for (int root = 0; root < comm.size(); ++root) {
        std::vector<double> values = values_of(comm.rank(), count);
        comm.broadcast(values.data(), count * sizeof(double), root);
        comm.wait();
        EXPECT_EQ(values, values_of(root, count));
      }
    }
    // Several calls before one wait.
    std::vector<double> first = values_of(comm.rank(), 3), second = values_of(comm.rank() + 9, 4);
    comm.broadcast(first.data(), 3 * sizeof(double), comm.size() - 1);
    comm.broadcast(second.data(), 4 * sizeof(double), 0);
    comm.wait();
    EXPECT_EQ(first, values_of(comm.size() - 1, 3));
    EXPECT_EQ(second, values_of(9, 4));
  });
}

TEST(DeviceCommunicator, Reduces) {
  on_all_routes([](DeviceCommunicator& comm) {
    const double rank = comm.rank(), size = comm.size();
    const std::vector<double> own{rank + 1, size - rank, 2.0, -rank, rank == 1 ? 8.0 : 1.0};
    const auto reduced = [&](Reduction reduction) {
      std::vector<double> result(own.size());
      comm.all_reduce(own.data(), result.data(), own.size(), reduction);
      comm.wait();
      return result;
    };
    const double sum = size * (size + 1) / 2;
    EXPECT_EQ(reduced(Reduction::kSum),
              (std::vector<double>{sum, sum, 2 * size, -size * (size - 1) / 2, size + (size > 1 ? 7 : 0)}));
    EXPECT_EQ(reduced(Reduction::kProduct)[2], std::pow(2.0, size));
    EXPECT_EQ(reduced(Reduction::kMin), (std::vector<double>{1, 1, 2, 1 - size, 1}));
    EXPECT_EQ(reduced(Reduction::kMax), (std::vector<double>{size, size, 2, 0, size > 1 ? 8.0 : 1.0}));
  });
}

/// Arrays in which every place is one rank's own have the same sum on any number of ranks, though NCCL promises no
/// order; -0 turns into 0, which is why rows travel by gather_rows.
TEST(DeviceCommunicator, SumsOfPaddedArraysAreExactInAnyOrder) {
  constexpr std::size_t kCount = 200;
  std::mt19937_64 random(3);
  std::vector<double> all(kCount);
  for (double& value : all)
    value = std::ldexp(static_cast<double>(random() >> 11), static_cast<int>(random() % 200) - 100);
  on_all_routes([&](DeviceCommunicator& comm) {
    const RankRows rows = rows_of_rank(kCount, 1, comm.rank(), comm.size());
    std::vector<double> own(kCount, 0.0), sum(kCount);
    std::copy(all.begin() + rows.begin, all.begin() + rows.end, own.begin() + rows.begin);
    comm.all_reduce(own.data(), sum.data(), kCount, Reduction::kSum);
    comm.wait();
    EXPECT_EQ(bits_of(sum), bits_of(all));
    const double minus_zero = comm.rank() == 0 ? -0.0 : 0.0;
    double zero = 1;
    comm.all_reduce(&minus_zero, &zero, 1, Reduction::kSum);
    comm.wait();
    EXPECT_EQ(std::signbit(zero), comm.size() == 1);
  });
  // The test's own ground: other sums do depend on the order that the fake takes.
  std::vector<double> sums;
  on_all_ranks(Route::kNccl, 7, [&](DeviceCommunicator& comm) {
    for (int repeat = 0; repeat < 40; ++repeat) {
      const double own = comm.rank() == 0 ? 1e16 : comm.rank() == 1 ? -1e16 : 1.1;
      double sum = 0;
      comm.all_reduce(&own, &sum, 1, Reduction::kSum);
      comm.wait();
      if (comm.rank() == 0) sums.push_back(sum);
    }
  });
  EXPECT_NE(*std::ranges::min_element(sums), *std::ranges::max_element(sums));
}

/// Rows arrive bit by bit, whatever their numbers are and however few of them a rank has.
TEST(DeviceCommunicator, GathersRowsAsTheyAre) {
  on_all_routes([](DeviceCommunicator& comm) {
    for (const std::int64_t num_rows : {0, 1, 5, 37, 64}) {
      for (const std::int64_t unit : {1, 16}) {
        for (const std::size_t width : {std::size_t{1}, std::size_t{3}}) {
          const std::vector<double> all = odd_numbers(static_cast<std::size_t>(num_rows) * width);
          std::vector<double> own(all.size(), 4.75);
          const RankRows rows = rows_of_rank(num_rows, unit, comm.rank(), comm.size());
          const auto at = [&](std::int64_t row) { return row * static_cast<std::ptrdiff_t>(width); };
          std::copy(all.begin() + at(rows.begin), all.begin() + at(rows.end), own.begin() + at(rows.begin));
          comm.gather_rows(own.data(), num_rows, unit, width);
          comm.wait();
          EXPECT_EQ(bits_of(own), bits_of(all)) << num_rows << " rows in units of " << unit;
        }
      }
    }
  });
}

TEST(DeviceCommunicator, AnyOrderOfCallsWithoutADeadlock) {
  on_all_routes([](DeviceCommunicator& comm) {
    std::mt19937 random(11);
    for (int call = 0; call < 100; ++call) {
      const std::size_t count = random() % 20;
      const int root = static_cast<int>(random() % static_cast<unsigned>(comm.size()));
      std::vector<double> values = values_of(comm.rank() + call, count);
      if (random() % 2 == 0) {
        comm.broadcast(values.data(), count * sizeof(double), root);
        comm.wait();
        EXPECT_EQ(values, values_of(root + call, count));
      } else {
        std::vector<double> largest(count);
        comm.all_reduce(values.data(), largest.data(), count, Reduction::kMax);
        comm.wait();
        EXPECT_EQ(largest, values_of(comm.size() - 1 + call, count));
      }
    }
  });
}

std::string text_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return std::to_string(static_cast<int>(error.exit_code())) + " " + error.what();
  }
  return "went on";
}

TEST(HostRoute, SwitchOfCudaAwareMpi) {
  EXPECT_EQ(cuda_aware_mpi_from(""), CudaAwareMpi::kAuto);
  EXPECT_EQ(cuda_aware_mpi_from("auto"), CudaAwareMpi::kAuto);
  EXPECT_EQ(cuda_aware_mpi_from("0"), CudaAwareMpi::kOff);
  EXPECT_EQ(cuda_aware_mpi_from("1"), CudaAwareMpi::kOn);
  for (const char* const bad : {"yes", "2", "on", " 1"})
    EXPECT_EQ(text_of([&] { (void)cuda_aware_mpi_from(bad); }),
              "2 SOJOURN_CUDA_AWARE_MPI='" + std::string(bad) + "' must be 0, 1 or auto");
  const std::unique_ptr<Communicator> plain = make_serial_communicator();
  TakesDeviceMemory aware(make_serial_communicator());
  FakeMemory memory(0);
  const auto name = [&](Communicator& host, CudaAwareMpi wish) { return make_host_route(host, memory, wish)->name(); };
  EXPECT_EQ(name(aware, CudaAwareMpi::kAuto), "mpi");
  EXPECT_EQ(name(aware, CudaAwareMpi::kOn), "mpi");
  EXPECT_EQ(name(aware, CudaAwareMpi::kOff), "host");
  EXPECT_EQ(name(*plain, CudaAwareMpi::kAuto), "host");
  EXPECT_EQ(name(*plain, CudaAwareMpi::kOff), "host");
  // An error instead of the crash that a device's address would be on the host.
  EXPECT_THAT(text_of([&] { name(*plain, CudaAwareMpi::kOn); }),
              HasSubstr("6 SOJOURN_CUDA_AWARE_MPI=1, but serial takes no device memory"));
  EXPECT_THAT(text_of([&] { make_direct_device_communicator(*plain, memory); }), HasSubstr("takes no device memory"));
  EXPECT_THAT(text_of([&] { make_staged_device_communicator(*plain, memory, 12); }), HasSubstr("2 chunks of 12 bytes"));
}

TEST(HostRoute, WrappersSayWhatTheirCommunicatorTakes) {
  const auto wrapped = make_logged_communicator(std::make_unique<TakesDeviceMemory>(make_serial_communicator()),
                                                [](const std::string&) {});
  EXPECT_TRUE(wrapped->takes_device_memory());
  EXPECT_FALSE(make_logged_communicator(make_serial_communicator(), [](const std::string&) {})->takes_device_memory());
}

}  // namespace
}  // namespace sojourn
