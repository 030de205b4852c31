#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sojourn {

/// Writes a file and forces it to the disk. @throws IoError with path and the system's reason.
void write_file(const std::filesystem::path& path, std::string_view text);

/// Forces a file or a folder to the disk. @throws IoError.
void sync_path(const std::filesystem::path& path);

/// Writes a file of an existing folder whole or not at all: a temporary file beside the folder, so that nothing strange
/// stays in it, forced to the disk and renamed over the old one. @throws IoError.
void replace_file(const std::filesystem::path& folder, const std::string& name, std::string_view text);

/// A folder that appears whole or not at all.
///
/// Files are written into `.<name>.tmp-<pid>` beside the target; `commit` forces them to the disk and renames the
/// folder into place. An existing target is exchanged in one step (where the file system can; else by two renames that
/// are undone on failure) and removed after. Without `commit` the destructor takes everything away again, parents that
/// were made for it included.
class FolderSwap {
 public:
  /// `allowed` names what an existing target may hold and still be replaced.
  /// @throws UsageError if the target exists and `overwrite` is false, or holds anything not in `allowed`; IoError.
  FolderSwap(const std::string& target, bool overwrite, std::vector<std::string> allowed);
  ~FolderSwap();
  FolderSwap(const FolderSwap&) = delete;
  FolderSwap& operator=(const FolderSwap&) = delete;

  [[nodiscard]] const std::filesystem::path& folder() const { return temporary_; }
  void commit();

 private:
  std::filesystem::path target_, temporary_;
  std::vector<std::filesystem::path> made_parents_;
  std::vector<std::string> allowed_;
  bool overwrite_;
  bool done_ = false;
};

/// Takes away what a killed process has left beside a target of its own: the temporary folders of its name. Where the
/// target is missing and was moved away to be replaced, it comes back. For a target that no other process is
/// writing.
void clear_leftovers(const std::string& target);

/// The checks of `FolderSwap`'s constructor, without making anything. Returns the target's full path, links resolved.
std::filesystem::path checked_target(const std::string& target, bool overwrite,
                                     const std::vector<std::string>& allowed);

}  // namespace sojourn
