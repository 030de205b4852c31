#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "elimination/content_key.hpp"

namespace sojourn {

/// sojourn in XDG_CACHE_HOME, else in ~/.cache; empty where neither is an absolute path.
std::string default_cache_folder();

/// Bytes of a cached file and what identifies the file that held them.
struct CachedFile {
  std::vector<unsigned char> bytes;
  std::uint64_t device = 0, inode = 0;
};

/// The folder of the cache: entries in `elimination/`, what was not believed in `quarantine/`. Its files are data and
/// are never executed or loaded as code. Safe for any number of processes: entries appear whole, by rename.
class CacheFolder {
 public:
  /// Opens `root`, making it first where `create`. @return why it cannot be used, empty if it can: it is missing, no
  /// folder, not writable, or writable by everyone.
  static std::string open(const std::string& root, bool create, CacheFolder& folder);

  [[nodiscard]] const std::string& root() const { return root_; }
  static std::string file_name(const ContentKey& key);
  [[nodiscard]] std::string path_of(const std::string& file_name) const;

  /// Whether an entry is there, whatever is in it; its size, or -1.
  [[nodiscard]] std::int64_t size_of(const ContentKey& key) const;

  /// Reads an entry whole; nothing where there is none. What is no plain file is read as empty.
  [[nodiscard]] std::optional<CachedFile> read(const std::string& file_name) const {
    return read_at(root_, file_name, kWhole);
  }
  /// The same without opening the folder for use, no more than the first `max_bytes`.
  static std::optional<CachedFile> read_at(const std::string& root, const std::string& file_name,
                                           std::size_t max_bytes);
  static constexpr std::size_t kWhole = ~std::size_t{0};

  /// Writes an entry under a temporary name and renames it. @return 0 or errno; nothing is left behind on failure.
  /// Not forced to the disk: an entry cut short by a crash fails its checksum and is computed again.
  [[nodiscard]] int write(const std::string& file_name, const std::vector<unsigned char>& bytes) const;

  /// Moves an entry out of the way, unless another file stands in its place by now; removes it where it cannot be
  /// moved.
  /// @return whether the entry is gone from its place.
  bool quarantine(const std::string& file_name, const CachedFile& file) const;

  /// Removes temporary files older than a day, which killed writers left.
  void sweep() const;

  struct File {
    std::string name;
    std::int64_t bytes = 0, modified = 0;
  };
  /// Plain files of the cache by name: entries, then those in quarantine, then temporary ones. Files that are not
  /// Sojourn's are left out. @throws IoError where a folder exists and cannot be read.
  struct Listing {
    std::vector<File> entries, quarantined, unfinished;
  };
  static Listing list(const std::string& root);
  /// Removes what `list` finds. @throws IoError for a file that stays.
  static void remove(const std::string& root, const Listing& listing);

  /// The key in an entry's file name; nothing for other names.
  static std::optional<ContentKey> key_in(const std::string& file_name);

 private:
  std::string root_;
};

}  // namespace sojourn
