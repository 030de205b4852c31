#include "device/comm/nccl_table.hpp"

#include <dlfcn.h>

#include "expects.hpp"

namespace sojourn::nccl {
namespace {

template <class Result, class... Arguments>
void find(void* library, const std::string& path, const char* name, std::function<Result(Arguments...)>& function) {
  void* const found = ::dlsym(library, name);
  SOJOURN_EXPECTS(found != nullptr, CommError, "{} has no {}: it is no NCCL, or one before {}; install a newer NCCL",
                  path, name, version_text(kLeastVersion));
  function = reinterpret_cast<Result (*)(Arguments...)>(found);
}

}  // namespace

Table load(const std::string& path) {
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  SOJOURN_EXPECTS(library != nullptr, CommError,
                  "NCCL cannot be opened: {}; install it, or put the folder of its libnccl.so.2 into LD_LIBRARY_PATH",
                  ::dlerror());
  Table table;
  find(library, path, "ncclGetVersion", table.get_version);
  int version = 0;
  const Result status = table.get_version(&version);
  SOJOURN_EXPECTS(status == kSuccess && version >= kLeastVersion, CommError,
                  "{} is NCCL {} (status {}); must be {} or newer", path, version_text(version),
                  static_cast<int>(status), version_text(kLeastVersion));
  find(library, path, "ncclGetUniqueId", table.get_unique_id);
  find(library, path, "ncclCommInitRank", table.comm_init_rank);
  find(library, path, "ncclCommDestroy", table.comm_destroy);
  find(library, path, "ncclCommAbort", table.comm_abort);
  find(library, path, "ncclCommGetAsyncError", table.comm_get_async_error);
  find(library, path, "ncclGetErrorString", table.get_error_string);
  find(library, path, "ncclGetLastError", table.get_last_error);
  find(library, path, "ncclAllGather", table.all_gather);
  find(library, path, "ncclAllReduce", table.all_reduce);
  find(library, path, "ncclBroadcast", table.broadcast);
  find(library, path, "ncclGroupStart", table.group_start);
  find(library, path, "ncclGroupEnd", table.group_end);
  return table;
}

std::string version_text(int version) {
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace sojourn::nccl
