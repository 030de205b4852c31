#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

/// The few parts of NCCL that are used, declared here so that no build needs its header: the library is opened when the
/// first communicator is made. Where a build finds nccl.h, nccl_header.cpp holds these against it.
namespace sojourn::nccl {

struct Comm;  ///< NCCL's own
using Handle = Comm*;

inline constexpr std::size_t kUniqueIdBytes = 128;
struct UniqueId {
  char internal[kUniqueIdBytes];
};

enum Result : int { kSuccess = 0, kUnhandledCudaError = 1, kSystemError = 2, kRemoteError = 6, kInProgress = 7 };
enum DataType : int { kUint8 = 1, kFloat64 = 8 };
enum Operation : int { kSum = 0, kProduct = 1, kMax = 2, kMin = 3 };

/// The oldest version that has all of the table and tells of remote errors: 2.13.4.
inline constexpr int kLeastVersion = 21304;

/// Functions of NCCL, or of what stands for it in tests.
struct Table {
  std::function<Result(int* version)> get_version;
  std::function<Result(UniqueId*)> get_unique_id;
  std::function<Result(Handle*, int num_ranks, UniqueId, int rank)> comm_init_rank;
  std::function<Result(Handle)> comm_destroy;
  std::function<Result(Handle)> comm_abort;
  std::function<Result(Handle, Result*)> comm_get_async_error;
  std::function<const char*(Result)> get_error_string;
  std::function<const char*(Handle)> get_last_error;
  std::function<Result(const void* own, void* all, std::size_t count, DataType, Handle, void* stream)> all_gather;
  std::function<Result(const void* own, void* result, std::size_t count, DataType, Operation, Handle, void* stream)>
      all_reduce;
  std::function<Result(const void* from, void* to, std::size_t count, DataType, int root, Handle, void* stream)>
      broadcast;
  std::function<Result()> group_start;
  std::function<Result()> group_end;
};

/// Opens the library `path`, and leaves it open. @throws CommError with the loader's words, naming what is missing, or
/// the version where it is older than `kLeastVersion`.
Table load(const std::string& path = "libnccl.so.2");

/// 22809 as "2.28.9".
std::string version_text(int version);

}  // namespace sojourn::nccl
