#include "comm/mpi/mpi_communicator.hpp"

// The C interface alone: the C++ one is gone from the standard.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "comm/mpi/mpi_device_memory.hpp"
#include "expects.hpp"

namespace sojourn {
namespace {

/// Elements of one reduction call; longer arrays take several.
constexpr std::size_t kReducedAtOnce = std::size_t{1} << 27;
/// MPI counts in int; longer messages are made of blocks of this many bytes.
constexpr std::size_t kBlockBytes = std::size_t{1} << 20;

void check(int status, const char* call, int rank) {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(status, text, &length);
  throw CommError(fmt::format("rank {}: {}: {}", rank, call, std::string_view(text, static_cast<std::size_t>(length))));
}

/// A datatype of so many bytes in a row, of which one is a whole message.
class MessageType {
 public:
  explicit MessageType(std::size_t num_bytes) {
    const std::size_t blocks = num_bytes / kBlockBytes, rest = num_bytes % kBlockBytes;
    if (blocks == 0) {
      MPI_Type_contiguous(static_cast<int>(rest), MPI_BYTE, &type_);
    } else {
      MPI_Datatype block;
      MPI_Type_contiguous(static_cast<int>(kBlockBytes), MPI_BYTE, &block);
      int lengths[] = {static_cast<int>(blocks), static_cast<int>(rest)};
      MPI_Aint places[] = {0, static_cast<MPI_Aint>(blocks * kBlockBytes)};
      MPI_Datatype types[] = {block, MPI_BYTE};
      MPI_Type_create_struct(2, lengths, places, types, &type_);
      MPI_Type_free(&block);
    }
    MPI_Type_commit(&type_);
  }
  MessageType(const MessageType&) = delete;
  MessageType& operator=(const MessageType&) = delete;
  ~MessageType() { MPI_Type_free(&type_); }
  [[nodiscard]] MPI_Datatype get() const { return type_; }

 private:
  MPI_Datatype type_{};
};

MPI_Datatype mpi_type(ElementType type) {
  switch (type) {
    case ElementType::kInt32:
      return MPI_INT32_T;
    case ElementType::kInt64:
      return MPI_INT64_T;
    case ElementType::kUint64:
      return MPI_UINT64_T;
    case ElementType::kFloat:
      return MPI_FLOAT;
    case ElementType::kDouble:
      return MPI_DOUBLE;
  }
  return MPI_DATATYPE_NULL;
}

MPI_Op mpi_operation(Reduction reduction) {
  switch (reduction) {
    case Reduction::kSum:
      return MPI_SUM;
    case Reduction::kProduct:
      return MPI_PROD;
    case Reduction::kMin:
      return MPI_MIN;
    case Reduction::kMax:
      return MPI_MAX;
  }
  return MPI_OP_NULL;
}

/// MPI forbids that what is sent lies in what is received. MPICH refuses it, Open MPI may return anything.
void expect_apart(const void* sent, std::size_t sent_bytes, const void* received, std::size_t received_bytes,
                  const char* call, int rank) {
  if (sent == nullptr || received == nullptr) return;
  const auto from = reinterpret_cast<std::uintptr_t>(sent), to = reinterpret_cast<std::uintptr_t>(received);
  SOJOURN_EXPECTS(from + sent_bytes <= to || to + received_bytes <= from, CommError,
                  "rank {}: {}: {} bytes to send lie in the {} bytes to receive; send from another array", rank, call,
                  sent_bytes, received_bytes);
}

std::size_t size_of(ElementType type) { return type == ElementType::kInt32 || type == ElementType::kFloat ? 4 : 8; }

class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(MPI_Comm parent) {
    check(MPI_Comm_dup(parent, &comm_), "MPI_Comm_dup", -1);
    MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
    MPI_Comm_rank(comm_, &rank_);
    MPI_Comm_size(comm_, &size_);
  }
  ~MpiCommunicator() override {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized == 0) MPI_Comm_free(&comm_);
  }

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] std::string name() const override { return "mpi"; }
  [[nodiscard]] bool takes_device_memory() const override { return mpi_takes_device_memory().value_or(false); }
  [[nodiscard]] std::unique_ptr<Communicator> duplicate() override { return std::make_unique<MpiCommunicator>(comm_); }
  void barrier() override { check(MPI_Barrier(comm_), "MPI_Barrier", rank_); }

 protected:
  // Empty arrays have no address, and MPICH takes two missing ones for the same buffer. A barrier keeps every rank from
  // running ahead.
  void all_gather_bytes(Bytes own, MutableBytes all) override {
    if (own.empty()) return barrier();
    expect_apart(own.data(), own.size(), all.data(), all.size(), "MPI_Allgather", rank_);
    const MessageType type(own.size());
    check(MPI_Allgather(own.data(), 1, type.get(), all.data(), 1, type.get(), comm_), "MPI_Allgather", rank_);
  }
  void all_to_all_bytes(Bytes blocks, MutableBytes received) override {
    if (blocks.empty()) return barrier();
    const MessageType type(blocks.size() / static_cast<std::size_t>(size_));
    check(MPI_Alltoall(blocks.data(), 1, type.get(), received.data(), 1, type.get(), comm_), "MPI_Alltoall", rank_);
  }
  void broadcast_bytes(MutableBytes values, int root) override {
    if (values.empty()) return barrier();
    const MessageType type(values.size());
    check(MPI_Bcast(values.data(), 1, type.get(), root, comm_), "MPI_Bcast", rank_);
  }
  void gather_bytes(Bytes own, MutableBytes all, int root) override {
    if (own.empty()) return barrier();
    const MessageType type(own.size());
    check(MPI_Gather(own.data(), 1, type.get(), all.data(), 1, type.get(), root, comm_), "MPI_Gather", rank_);
  }
  void scatter_bytes(Bytes blocks, MutableBytes own, int root) override {
    if (own.empty()) return barrier();
    const MessageType type(own.size());
    check(MPI_Scatter(blocks.data(), 1, type.get(), own.data(), 1, type.get(), root, comm_), "MPI_Scatter", rank_);
  }
  void reduce_elements(Scope scope, const void* own, void* result, std::size_t num_elements, ElementType type,
                       Reduction reduction, int root) override {
    const auto* const from = static_cast<const std::byte*>(own);
    auto* const to = static_cast<std::byte*>(result);
    if (num_elements == 0) return barrier();
    expect_apart(own, num_elements * size_of(type), result, num_elements * size_of(type), "reduction", rank_);
    for (std::size_t first = 0; first < num_elements;) {
      const int count = static_cast<int>(std::min(kReducedAtOnce, num_elements - first));
      const std::byte* const part = from + first * size_of(type);
      std::byte* const place = to == nullptr ? nullptr : to + first * size_of(type);
      switch (scope) {
        case Scope::kAll:
          check(MPI_Allreduce(part, place, count, mpi_type(type), mpi_operation(reduction), comm_), "MPI_Allreduce",
                rank_);
          break;
        case Scope::kRoot:
          check(MPI_Reduce(part, place, count, mpi_type(type), mpi_operation(reduction), root, comm_), "MPI_Reduce",
                rank_);
          break;
        case Scope::kUpToRank:
          check(MPI_Scan(part, place, count, mpi_type(type), mpi_operation(reduction), comm_), "MPI_Scan", rank_);
          break;
      }
      first += static_cast<std::size_t>(count);
    }
  }
  void send_bytes(Bytes values, int to, int tag) override {
    const MessageType type(values.size());
    check(MPI_Send(values.data(), 1, type.get(), to, tag, comm_), "MPI_Send", rank_);
  }
  void receive_bytes(MutableBytes values, int from, int tag) override {
    // A message is looked at before it is taken: one of another length would be cut, or leave values unset.
    MPI_Status status;
    check(MPI_Probe(from, tag, comm_, &status), "MPI_Probe", rank_);
    MPI_Count length = 0;
    MPI_Get_elements_x(&status, MPI_BYTE, &length);
    SOJOURN_EXPECTS(std::cmp_equal(length, values.size()), CommError,
                    "rank {}: a message of {} bytes from rank {} with tag {} where {} were awaited", rank_,
                    static_cast<std::int64_t>(length), from, tag, values.size());
    const MessageType type(values.size());
    check(MPI_Recv(values.data(), 1, type.get(), from, tag, comm_, MPI_STATUS_IGNORE), "MPI_Recv", rank_);
  }
  void send_receive_bytes(Bytes values, int to, MutableBytes received, int from, int tag) override {
    const MessageType type(values.size());
    MPI_Request sent;
    check(MPI_Isend(values.data(), 1, type.get(), to, tag, comm_, &sent), "MPI_Isend", rank_);
    receive_bytes(received, from, tag);
    check(MPI_Wait(&sent, MPI_STATUS_IGNORE), "MPI_Wait", rank_);
  }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
};

}  // namespace

MpiSession::MpiSession() {
  int running = 0;
  MPI_Initialized(&running);
  if (running != 0) return;
  int provided = 0;
  const int status = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  SOJOURN_EXPECTS(status == MPI_SUCCESS, CommError, "MPI_Init_thread failed with status {}", status);
  owns_ = true;
}

MpiSession::~MpiSession() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (owns_ && finalized == 0) MPI_Finalize();
}

std::unique_ptr<Communicator> make_mpi_communicator() {
  int running = 0, finalized = 0;
  MPI_Initialized(&running);
  MPI_Finalized(&finalized);
  SOJOURN_EXPECTS(running != 0 && finalized == 0, CommError, "MPI is not running; make an MpiSession first");
  return std::make_unique<MpiCommunicator>(MPI_COMM_WORLD);
}

std::string mpi_library_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(text, &length);
  // Open MPI counts the terminating zero.
  const std::string_view version =
      std::string_view(text, static_cast<std::size_t>(length)).substr(0, std::strlen(text));
  std::string line(version.substr(0, version.find('\n')));
  // MPICH has tabs in it.
  std::ranges::replace(line, '\t', ' ');
  return line;
}

void abort_all_ranks(int exit_status) {
  MPI_Abort(MPI_COMM_WORLD, exit_status);
  std::abort();
}

}  // namespace sojourn
