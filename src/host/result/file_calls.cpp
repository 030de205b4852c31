#include "result/file_calls.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace sojourn::file_calls {
namespace {

Fault current_fault;

bool fails(std::string_view call) {
  if (!current_fault) return false;
  const int error = current_fault(call);
  if (error != 0) errno = error;
  return error != 0;
}

}  // namespace

void set_fault(Fault fault) { current_fault = std::move(fault); }

int open(const char* path, int flags, mode_t mode) { return open_at(AT_FDCWD, path, flags, mode); }

int open_at(int folder, const char* name, int flags, mode_t mode) {
  return fails("open") ? -1 : ::openat(folder, name, flags, mode);
}

ssize_t write(int file, const void* bytes, std::size_t count) {
  return fails("write") ? -1 : ::write(file, bytes, count);
}

int sync(int file) { return fails("sync") ? -1 : ::fsync(file); }

int rename_at(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  if (fails("rename")) return -1;
  return flags == 0 ? ::renameat(from_folder, from, to_folder, to)
                    : ::renameat2(from_folder, from, to_folder, to, flags);
}

int make_folder_at(int folder, const char* name) { return fails("make_folder") ? -1 : ::mkdirat(folder, name, 0777); }

int link_at(int from_folder, const char* from, int to_folder, const char* to) {
  return fails("link") ? -1 : ::linkat(from_folder, from, to_folder, to, 0);
}

}  // namespace sojourn::file_calls
