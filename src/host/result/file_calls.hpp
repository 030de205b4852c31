#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string_view>

/// The system calls by which results and checkpoints reach the disk, in one place so that a test can let any of them
/// fail.
namespace sojourn::file_calls {

int open(const char* path, int flags, mode_t mode = 0);
int open_at(int folder, const char* name, int flags, mode_t mode = 0);
ssize_t write(int file, const void* bytes, std::size_t count);
int sync(int file);
/// With flags of renameat2; 0 is the plain rename.
int rename_at(int from_folder, const char* from, int to_folder, const char* to, unsigned flags = 0);
int make_folder_at(int folder, const char* name);
int link_at(int from_folder, const char* from, int to_folder, const char* to);

/// Asked before every call, by its name here; anything but 0 is the errno that it fails with instead.
using Fault = std::function<int(std::string_view call)>;
/// For tests, which set it while no other thread writes files; an empty one ends it.
void set_fault(Fault fault);

}  // namespace sojourn::file_calls
