#include "comm/node_flag.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <random>

#include "expects.hpp"

namespace sojourn {
namespace {

// Processes share one without a lock.
static_assert(std::atomic_ref<int>::is_always_lock_free);

/// In memory where the system has a place for it. The name is one that no other run has.
std::string path_of(std::uint64_t name) {
  std::error_code error;
  const std::filesystem::path memory = "/dev/shm";
  const std::filesystem::path folder =
      std::filesystem::is_directory(memory, error) ? memory : std::filesystem::temp_directory_path(error);
  return (folder / fmt::format("sojourn-{:016x}", name)).string();
}

}  // namespace

NodeFlag::NodeFlag(Communicator& ranks) {
  std::random_device random;
  const std::uint64_t drawn = (std::uint64_t{random()} << 32) | random();
  const std::string path = path_of(ranks.broadcast(std::span(&drawn, 1), 0).front());
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  void* page = MAP_FAILED;
  if (descriptor >= 0 && ::ftruncate(descriptor, sizeof own_) == 0)
    page = ::mmap(nullptr, sizeof own_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (page != MAP_FAILED) {
    set_ = static_cast<int*>(page);  // zero, as all of a new file
  } else {
    fault_ = fmt::format("{}: {}", path, std::strerror(errno));
  }
  if (descriptor >= 0) ::close(descriptor);
  // All ranks of the node have it by then; the memory lasts as long as one of them.
  ranks.barrier();
  ::unlink(path.c_str());
}

NodeFlag::~NodeFlag() {
  if (set_ != &own_) ::munmap(set_, sizeof own_);
}

}  // namespace sojourn
