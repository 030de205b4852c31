// Run by mpirun with any number of ranks; every rank runs every test.
#include "comm/mpi/mpi_communicator.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <cctype>

#include "comm/mpi/mpi_device_memory.hpp"
#include "communicator_checks.hpp"
#include "device/comm/fake_nccl.hpp"
#include "device/comm/host_route.hpp"
#include "device/comm/rank_stream.hpp"
#include "host/sampler/analytic_targets.hpp"
#include "host/sampler/host_loop_svgd.hpp"
#include "host/sampler/resident_cases.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {
namespace {

using comm_checks::values_of;

class Mpi : public ::testing::Test {
 protected:
  void SetUp() override {
    comm_ = make_mpi_communicator();
    rank_ = comm_->rank();
    size_ = comm_->size();
  }
  std::unique_ptr<Communicator> comm_;
  int rank_ = 0, size_ = 1;
};

TEST_F(Mpi, DoesEverything) {
  EXPECT_EQ(comm_->name(), "mpi");
  comm_checks::check_everything(*comm_);
}

TEST_F(Mpi, WrappersPassEverythingOn) {
  std::vector<std::string> lines;
  auto wrapped =
      make_logged_communicator(make_watched_communicator(comm_->duplicate(), std::chrono::duration<double>(250),
                                                         [](const std::string& text) { FAIL() << text; }),
                               [&](const std::string& line) { lines.push_back(line); });
  comm_checks::check_everything(*wrapped);
  EXPECT_GT(lines.size(), 100u);
}

/// The same numbers as MPI's own calls, on its own communicator, in between ours.
TEST_F(Mpi, AgreesWithMpiItself) {
  constexpr int kCount = 13;
  const std::vector<double> own = values_of(rank_, kCount);
  const auto ranks = static_cast<std::size_t>(size_);
  std::vector<double> all(kCount * ranks), one(kCount);
  MPI_Allgather(own.data(), kCount, MPI_DOUBLE, all.data(), kCount, MPI_DOUBLE, MPI_COMM_WORLD);
  EXPECT_EQ(comm_->all_gather<double>(own), all);
  const std::vector<double> blocks = values_of(rank_, kCount * ranks);
  MPI_Alltoall(blocks.data(), kCount, MPI_DOUBLE, all.data(), kCount, MPI_DOUBLE, MPI_COMM_WORLD);
  EXPECT_EQ(comm_->all_to_all<double>(blocks), all);
  one = own;
  MPI_Bcast(one.data(), kCount, MPI_DOUBLE, 0, MPI_COMM_WORLD);
  EXPECT_EQ(comm_->broadcast<double>(own, 0), one);
  MPI_Gather(own.data(), kCount, MPI_DOUBLE, all.data(), kCount, MPI_DOUBLE, 0, MPI_COMM_WORLD);
  const std::vector<double> gathered = comm_->gather<double>(own, 0);
  if (rank_ == 0) {
    EXPECT_EQ(gathered, all);
  }
  MPI_Scatter(blocks.data(), kCount, MPI_DOUBLE, one.data(), kCount, MPI_DOUBLE, 0, MPI_COMM_WORLD);
  EXPECT_EQ(comm_->scatter<double>(blocks, kCount, 0), one);
  MPI_Allreduce(own.data(), one.data(), kCount, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  EXPECT_EQ(comm_->all_reduce<double>(own, Reduction::kSum), one);
  MPI_Reduce(own.data(), one.data(), kCount, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
  const std::vector<double> reduced = comm_->reduce<double>(own, Reduction::kMax, 0);
  if (rank_ == 0) {
    EXPECT_EQ(reduced, one);
  }
  MPI_Scan(own.data(), one.data(), kCount, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
  EXPECT_EQ(comm_->scan<double>(own, Reduction::kSum), one);
  const int next = (rank_ + 1) % size_, previous = (rank_ + size_ - 1) % size_;
  MPI_Sendrecv(own.data(), kCount, MPI_DOUBLE, next, 0, one.data(), kCount, MPI_DOUBLE, previous, 0, MPI_COMM_WORLD,
               MPI_STATUS_IGNORE);
  EXPECT_EQ(comm_->send_receive<double>(own, next, kCount, previous), one);
}

/// Ours never takes a message that a user's own code sent, same ranks and tag.
TEST_F(Mpi, KeepsApartFromTheUsersMessages) {
  if (size_ < 2) GTEST_SKIP() << "needs two ranks";
  const double theirs = 1.5;
  const std::vector<double> ours{2.5};
  if (rank_ == 0) {
    MPI_Request request;
    MPI_Isend(&theirs, 1, MPI_DOUBLE, 1, 3, MPI_COMM_WORLD, &request);
    comm_->send<double>(ours, 1, 3);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
  } else if (rank_ == 1) {
    EXPECT_EQ(comm_->receive<double>(1, 0, 3), ours);
    double got = 0;
    MPI_Recv(&got, 1, MPI_DOUBLE, 0, 3, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    EXPECT_EQ(got, theirs);
  }
  comm_->barrier();
}

/// Messages longer than a block of the type they travel as, and no multiple of it.
TEST_F(Mpi, SendsLongMessages) {
  const std::size_t count = (std::size_t{5} << 20) / sizeof(double) + 3;
  const std::vector<double> own = values_of(rank_, count);
  EXPECT_EQ(comm_->broadcast<double>(own, size_ - 1), values_of(size_ - 1, count));
  const int next = (rank_ + 1) % size_, previous = (rank_ + size_ - 1) % size_;
  EXPECT_EQ(comm_->send_receive<double>(own, next, count, previous), values_of(previous, count));
  const std::vector<double> all = comm_->all_gather<double>(own);
  EXPECT_EQ(all.size(), count * static_cast<std::size_t>(size_));
  EXPECT_EQ(all.back(), values_of(size_ - 1, count).back());
}

TEST_F(Mpi, AMessageOfAnotherLengthIsTold) {
  if (size_ < 2) GTEST_SKIP() << "needs two ranks";
  if (rank_ == 0) comm_->send<double>(std::vector<double>{1, 2}, 1, 9);
  if (rank_ == 1) {
    try {
      comm_->receive<double>(3, 0, 9);
      ADD_FAILURE() << "16 bytes passed for 24";
    } catch (const CommError& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("a message of 16 bytes from rank 0 with tag 9 where 24"));
    }
    EXPECT_EQ(comm_->receive<double>(2, 0, 9).size(), 2u) << "the message is still there";
  }
  comm_->barrier();
}

/// Particles on any number of processes are those of one, bit by bit.
TEST_F(Mpi, SvgdHasTheBitsOfOneProcess) {
  const auto target = testing::sheared_gaussian(2, 0.5, {1.0, 0.2});
  SvgdOptions options;
  options.num_particles = 101;
  options.num_iterations = 20;
  options.num_threads = 1;
  const SvgdResult alone = svgd(target, options);
  const SvgdResult together = svgd(target, options, *comm_);
  EXPECT_EQ(together.particles.values(), alone.particles.values());
  EXPECT_EQ(together.score.values(), alone.score.values());
  EXPECT_EQ(together.trace_step, alone.trace_step);
}

/// Device arrays by MPI itself and through the host: the same bits, in place and not, in one message or many.
TEST_F(Mpi, DeviceArraysGoBothWays) {
  fake_nccl::FakeMemory memory(rank_);
  testing::TakesDeviceMemory aware(comm_->duplicate());
  const std::size_t count = 1001, ranks = static_cast<std::size_t>(size_),
                    place = count * static_cast<std::size_t>(rank_);
  std::vector<double> all;
  for (int r = 0; r < size_; ++r) {
    const std::vector<double> part = values_of(r, count);
    all.insert(all.end(), part.begin(), part.end());
  }
  const std::vector<double> own = values_of(rank_, count);
  for (const auto& routed :
       {make_host_route(aware, memory, CudaAwareMpi::kAuto), make_host_route(aware, memory, CudaAwareMpi::kOff),
        make_staged_device_communicator(aware, memory, 1024)}) {
    SCOPED_TRACE(routed->name());
    std::vector<double> gathered(count * ranks), same(count * ranks), values = own, sum(count), rows(count * ranks);
    routed->all_gather(own.data(), gathered.data(), count * sizeof(double));
    std::ranges::copy(own, same.begin() + static_cast<std::ptrdiff_t>(place));
    routed->all_gather(same.data() + place, same.data(), count * sizeof(double));
    routed->broadcast(values.data(), count * sizeof(double), size_ - 1);
    routed->all_reduce(own.data(), sum.data(), count, Reduction::kMax);
    std::ranges::copy(own, rows.begin() + static_cast<std::ptrdiff_t>(place));
    routed->gather_rows(rows.data(), static_cast<std::int64_t>(ranks), 1, count);
    routed->wait();
    EXPECT_EQ(gathered, all);
    EXPECT_EQ(same, all);
    EXPECT_EQ(values, values_of(size_ - 1, count));
    EXPECT_EQ(sum, values_of(size_ - 1, count));
    EXPECT_EQ(rows, all);
  }
}

/// Whole iterations, with host loops in the devices' place: by MPI itself and through the host the bits of one process.
TEST_F(Mpi, IterationsOnDevicesGiveTheBitsOfOneProcess) {
  SvgdOptions options = testing::fifty_iterations(37);
  options.num_iterations = 8;
  for (const testing::ResidentCase& one : {testing::two_demes(), testing::on_a_line()[1], testing::narrow_support()}) {
    const auto posterior_on = [&](testing::HostStream* stream) {
      EvaluatorOptions evaluator;
      evaluator.num_threads = 1;
      auto posterior = std::make_unique<Posterior>(one.model, one.data, one.priors, std::map<std::string, double>{},
                                                   one.model.graph.unit_reward(), evaluator);
      posterior->use_device(std::make_shared<testing::HostLoopDevice>(1e12, stream));
      return posterior;
    };
    testing::HostLoopSvgd directions;
    SvgdControl control{.device = &directions};
    const SvgdResult alone = svgd(*posterior_on(nullptr), options, control);
    for (const char* const way : {"0", "1"}) {
      fake_nccl::Fabric fabric(size_);
      testing::RankStream stream(fabric, rank_, []() -> nccl::Table { throw CommError("no NCCL"); });
      testing::TakesDeviceMemory ranks(comm_->duplicate());
      control.messages.cuda_aware_mpi = way;
      const SvgdResult ours = svgd(*posterior_on(&stream), options, static_cast<Communicator&>(ranks), control);
      EXPECT_EQ(ours.particles.values(), alone.particles.values());
      EXPECT_EQ(ours.log_density, alone.log_density);
      EXPECT_EQ(ours.trace_step, alone.trace_step);
      EXPECT_EQ(ours.on_device.num_resident, 8);
      EXPECT_EQ(ours.on_device.num_halts, alone.on_device.num_halts);
      const std::string by = *way == '1' ? "CUDA-aware MPI" : "the host's memory (rank 0: no NCCL)";
      EXPECT_EQ(ours.on_device.messages, size_ > 1 ? by : "");
    }
  }
}

/// What this MPI says of CUDA decides, unless the switch forces it.
TEST_F(Mpi, CudaAwarenessIsAskedOfTheLibrary) {
  EXPECT_EQ(comm_->takes_device_memory(), mpi_takes_device_memory().value_or(false));
  if (comm_->takes_device_memory()) GTEST_SKIP() << "this MPI takes device memory";
  fake_nccl::FakeMemory memory(rank_);
  EXPECT_EQ(make_host_route(*comm_, memory, CudaAwareMpi::kAuto)->name(), "host");
  EXPECT_THROW(make_host_route(*comm_, memory, CudaAwareMpi::kOn), CommError);
}

TEST_F(Mpi, SaysWhichLibraryItIs) {
  EXPECT_FALSE(mpi_library_version().empty());
  EXPECT_TRUE(std::ranges::all_of(mpi_library_version(), [](unsigned char c) { return std::isprint(c) != 0; }));
}

}  // namespace
}  // namespace sojourn

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  const sojourn::MpiSession session;
  int failed = RUN_ALL_TESTS();
  // mpirun passes on the status of one rank; a failure anywhere is everybody's.
  MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  return failed;
}
