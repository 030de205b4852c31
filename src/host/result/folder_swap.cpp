#include "result/folder_swap.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "expects.hpp"
#include "result/file_calls.hpp"

namespace sojourn {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const fs::path& path, const char* what, int error) {
  throw IoError(fmt::format("{}: cannot {}: {}; choose another --output or mend the folder", path.string(), what,
                            std::strerror(error)));
}

/// Owner of a file descriptor.
struct Descriptor {
  int id;
  ~Descriptor() {
    if (id >= 0) close(id);
  }
};

int rename_path(const fs::path& from, const fs::path& to, unsigned flags = 0) {
  return file_calls::rename_at(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags);
}

/// Renames only if `to` does not exist yet, where the file system can promise that.
int rename_no_replace(const fs::path& from, const fs::path& to) {
  if (rename_path(from, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  return rename_path(from, to);
}

constexpr std::string_view kReplaced = "-replaced";

/// Whether a name is one that a `FolderSwap` of this target leaves behind when it is killed.
bool is_leftover(std::string_view name, const std::string& target_name) {
  const std::string prefix = "." + target_name + ".tmp-";
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  if (name.ends_with(kReplaced)) name.remove_suffix(kReplaced.size());
  return !name.empty() && name.front() != '-' && name.find_first_not_of("0123456789-") == name.npos;
}

}  // namespace

void write_file(const fs::path& path, std::string_view text) {
  const Descriptor file{file_calls::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
  if (file.id < 0) fail(path, "create", errno);
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = file_calls::write(file.id, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path, "write", errno);
    done += static_cast<std::size_t>(count);
  }
  // Character devices and some network file systems have nothing to force.
  if (file_calls::sync(file.id) != 0 && errno != EINVAL && errno != EROFS) fail(path, "force to the disk", errno);
}

void sync_path(const fs::path& path) {
  const Descriptor file{file_calls::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.id < 0) fail(path, "open", errno);
  if (file_calls::sync(file.id) != 0 && errno != EINVAL && errno != EROFS) fail(path, "force to the disk", errno);
}

void replace_file(const fs::path& folder, const std::string& name, std::string_view text) {
  const fs::path temporary =
      folder.parent_path() / fmt::format(".{}.{}.tmp-{}", folder.filename().string(), name, getpid());
  try {
    write_file(temporary, text);
    if (rename_path(temporary, folder / name) != 0) fail(folder / name, "rename into place", errno);
  } catch (const IoError&) {
    unlink(temporary.c_str());
    throw;
  }
  sync_path(folder);
}

fs::path checked_target(const std::string& target, bool overwrite, const std::vector<std::string>& allowed) {
  SOJOURN_EXPECTS(!target.empty(), UsageError, "output folder: the name is empty; give a folder to create");
  std::error_code error;
  fs::path path = fs::weakly_canonical(fs::absolute(target, error), error);
  if (error) fail(target, "resolve", error.value());
  if (!path.has_filename()) path = path.parent_path();  // "out/" names the same folder as "out"
  SOJOURN_EXPECTS(path.has_filename(), UsageError, "output folder {}: cannot be the root folder", target);

  struct stat facts {};
  if (lstat(path.c_str(), &facts) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      // The nearest parent that exists must be a folder we may write to.
      fs::path parent = path.parent_path();
      while (lstat(parent.c_str(), &facts) != 0 && parent.has_relative_path()) parent = parent.parent_path();
      if (!S_ISDIR(facts.st_mode)) fail(parent, "create a folder in it", ENOTDIR);
      if (access(parent.c_str(), W_OK | X_OK) != 0) fail(parent, "create a folder in it", errno);
      return path;
    }
    fail(path, "look at it", errno);
  }
  SOJOURN_EXPECTS(overwrite, UsageError, "output folder {} exists; give --overwrite to replace it, or another --output",
                  target);
  SOJOURN_EXPECTS(S_ISDIR(facts.st_mode), UsageError,
                  "output {} is a file, not a folder, and is left alone; give another --output", target);
  fs::directory_iterator entries(path, error);
  if (error) fail(path, "read", error.value());
  for (const fs::directory_entry& entry : entries) {
    const std::string name = entry.path().filename().string();
    SOJOURN_EXPECTS(std::find(allowed.begin(), allowed.end(), name) != allowed.end(), UsageError,
                    "output folder {} holds '{}', which Sojourn did not write; move it away or give another --output",
                    target, name);
  }
  if (access(path.parent_path().c_str(), W_OK | X_OK) != 0) fail(path.parent_path(), "create a folder in it", errno);
  return path;
}

void clear_leftovers(const std::string& target) {
  std::error_code error;
  fs::path path = fs::weakly_canonical(fs::absolute(target, error), error);
  if (!path.has_filename()) path = path.parent_path();
  std::vector<fs::path> leftovers;
  for (fs::directory_iterator entry(path.parent_path(), error), end; !error && entry != end; entry.increment(error)) {
    if (is_leftover(entry->path().filename().string(), path.filename().string())) leftovers.push_back(entry->path());
  }
  if (!fs::exists(fs::symlink_status(path, error))) {
    // Killed between the two renames of a file system that cannot exchange: what was moved away goes back.
    std::vector<fs::path> replaced;
    std::ranges::copy_if(leftovers, std::back_inserter(replaced),
                         [](const fs::path& one) { return one.string().ends_with(kReplaced); });
    if (replaced.size() == 1) rename_no_replace(replaced.front(), path);
  }
  for (const fs::path& leftover : leftovers) {
    if (fs::exists(fs::symlink_status(path, error)) || !leftover.string().ends_with(kReplaced))
      fs::remove_all(leftover, error);
  }
}

FolderSwap::FolderSwap(const std::string& target, bool overwrite, std::vector<std::string> allowed)
    : target_(checked_target(target, overwrite, allowed)), allowed_(std::move(allowed)), overwrite_(overwrite) {
  std::vector<fs::path> missing;
  for (fs::path parent = target_.parent_path(); !fs::exists(parent); parent = parent.parent_path()) {
    missing.push_back(parent);
  }
  int error = 0;
  fs::path failed;
  for (auto parent = missing.rbegin(); parent != missing.rend() && error == 0; ++parent) {
    if (file_calls::make_folder_at(AT_FDCWD, parent->c_str()) == 0) {
      made_parents_.push_back(*parent);
    } else if (errno != EEXIST) {
      error = errno;
      failed = *parent;
    }
  }
  // Another machine on the same file system may hold our process id: never touch a folder we did not make.
  for (int attempt = 0; error == 0 && temporary_.empty(); ++attempt) {
    const std::string suffix = attempt == 0 ? "" : fmt::format("-{}", attempt);
    const fs::path candidate =
        target_.parent_path() / fmt::format(".{}.tmp-{}{}", target_.filename().string(), getpid(), suffix);
    if (file_calls::make_folder_at(AT_FDCWD, candidate.c_str()) == 0) {
      temporary_ = candidate;
    } else if (errno != EEXIST || attempt == 1000) {
      error = errno;
      failed = candidate;
    }
  }
  if (error != 0) {
    // No destructor runs for a constructor that throws.
    for (auto parent = made_parents_.rbegin(); parent != made_parents_.rend(); ++parent) rmdir(parent->c_str());
    fail(failed, "create", error);
  }
}

FolderSwap::~FolderSwap() {
  if (done_) return;
  std::error_code ignored;  // a destructor has nobody to tell
  fs::remove_all(temporary_, ignored);
  for (auto parent = made_parents_.rbegin(); parent != made_parents_.rend(); ++parent) rmdir(parent->c_str());
}

void FolderSwap::commit() {
  for (const fs::directory_entry& entry : fs::directory_iterator(temporary_)) sync_path(entry.path());
  sync_path(temporary_);

  fs::path replaced;
  if (rename_no_replace(temporary_, target_) != 0) {
    const int reason = errno;
    if (reason != EEXIST && reason != ENOTEMPTY) fail(target_, "rename into place", reason);
    // The target may have come into being, or have been filled, since the constructor looked.
    checked_target(target_.string(), overwrite_, allowed_);
    if (rename_path(temporary_, target_, RENAME_EXCHANGE) == 0) {
      replaced = temporary_;
    } else {
      if (errno != EINVAL && errno != ENOSYS) fail(target_, "rename into place", errno);
      replaced = temporary_.string() + std::string(kReplaced);
      if (rename_path(target_, replaced) != 0) fail(target_, "move the old folder away", errno);
      if (rename_path(temporary_, target_) != 0) {
        const int error = errno;
        rename_path(replaced, target_);
        fail(target_, "rename into place", error);
      }
    }
  }
  done_ = true;
  sync_path(target_.parent_path());
  for (const fs::path& parent : made_parents_) sync_path(parent.parent_path());
  if (!replaced.empty()) {
    std::error_code error;
    fs::remove_all(replaced, error);
    if (error) fail(replaced, "remove the folder that was replaced (the new one is in place)", error.value());
  }
}

}  // namespace sojourn
