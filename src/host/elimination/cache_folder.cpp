#include "elimination/cache_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <random>

#include "expects.hpp"

namespace sojourn {
namespace fs = std::filesystem;
namespace {

constexpr char kEntries[] = "elimination";
constexpr char kQuarantine[] = "quarantine";
constexpr char kEnding[] = ".sjn";
constexpr char kTemporary[] = ".unfinished-";
constexpr std::size_t kKeyDigits = 32;
constexpr std::int64_t kSecondsOfADay = 24 * 3600;

/// Owner of a file descriptor.
struct Descriptor {
  int id;
  ~Descriptor() {
    if (id >= 0) ::close(id);
  }
};

std::string random_digits() {
  std::random_device source;
  return fmt::format("{:08x}{:08x}", source(), source());
}

bool is_temporary(const std::string& name) { return name.rfind(kTemporary, 0) == 0; }

/// Entries in quarantine carry random digits behind their name.
bool is_quarantined(const std::string& name) {
  const auto dot = name.rfind('.');
  return dot != std::string::npos && CacheFolder::key_in(name.substr(0, dot)).has_value();
}

/// Why a folder that exists cannot hold a cache.
std::string fault_of_folder(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return std::strerror(errno);
  if (!S_ISDIR(facts.st_mode)) return "it is no folder";
  if ((facts.st_mode & S_IWOTH) != 0)
    return fmt::format("everyone may write to it (mode {:o}), so its entries cannot be trusted; chmod o-w it",
                       facts.st_mode & 07777);
  // The superuser may write anywhere; a folder that nobody has the right to write to is meant to stay as it is.
  if ((facts.st_mode & 0222) == 0) return "it is read-only";
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0)
    return errno == EACCES ? "it is not writable" : std::strerror(errno);
  return {};
}

/// Makes a folder and its parents. @return 0 or errno.
int make_folders(const fs::path& path) {
  if (path.has_parent_path() && path != path.parent_path()) {
    struct stat facts {};
    if (::stat(path.parent_path().c_str(), &facts) != 0) {
      if (const int error = make_folders(path.parent_path())) return error;
    }
  }
  // Never writable by everyone, whatever the umask: such a folder would be refused.
  return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST ? 0 : errno;
}

std::vector<CacheFolder::File> files_in(const fs::path& folder) {
  std::vector<CacheFolder::File> files;
  std::error_code error;
  fs::directory_iterator items(folder, error);
  if (error == std::errc::no_such_file_or_directory) return files;
  SOJOURN_EXPECTS(!error, IoError, "cache: cannot read {}: {}; check SOJOURN_CACHE_DIR and the folder's rights",
                  folder.string(), error.message());
  for (const fs::directory_entry& item : items) {
    struct stat facts {};
    if (::lstat(item.path().c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;
    files.push_back({item.path().filename().string(), facts.st_size, facts.st_mtime});
  }
  std::sort(files.begin(), files.end(), [](const auto& x, const auto& y) { return x.name < y.name; });
  return files;
}

int write_whole(const std::string& path, const std::vector<unsigned char>& bytes) {
  const Descriptor file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644)};
  if (file.id < 0) return errno;
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::write(file.id, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    done += static_cast<std::size_t>(count);
  }
  return 0;
}

}  // namespace

std::string default_cache_folder() {
  const auto absolute = [](const char* variable) {
    const char* value = std::getenv(variable);
    return value != nullptr && value[0] == '/' ? std::string(value) : std::string();
  };
  if (const std::string base = absolute("XDG_CACHE_HOME"); !base.empty()) return base + "/sojourn";
  if (const std::string home = absolute("HOME"); !home.empty()) return home + "/.cache/sojourn";
  return {};
}

std::string CacheFolder::open(const std::string& root, bool create, CacheFolder& folder) {
  folder.root_.clear();
  if (root.empty()) return "there is no home folder; set SOJOURN_CACHE_DIR";
  struct stat facts {};
  if (::stat(root.c_str(), &facts) != 0) {
    if (errno == ENOENT && !create) return "there is no such folder; make it, or let sojourn precompute make it";
    if (errno != ENOENT) return std::strerror(errno);
    if (const int error = make_folders(root)) return std::strerror(error);
  }
  if (std::string fault = fault_of_folder(root); !fault.empty()) return fault;
  const std::string entries = root + '/' + kEntries;
  if (::mkdir(entries.c_str(), 0755) != 0 && errno != EEXIST)
    return fmt::format("{}/: {}", kEntries, std::strerror(errno));
  if (const std::string fault = fault_of_folder(entries); !fault.empty())
    return fmt::format("{}/: {}", kEntries, fault);
  folder.root_ = root;
  return {};
}

std::string CacheFolder::file_name(const ContentKey& key) { return key.hex() + kEnding; }

std::optional<ContentKey> CacheFolder::key_in(const std::string& file_name) {
  if (file_name.size() != kKeyDigits + std::strlen(kEnding) || file_name.substr(kKeyDigits) != kEnding) return {};
  ContentKey key;
  const char* digits = file_name.data();
  if (std::from_chars(digits, digits + 16, key.high, 16).ptr != digits + 16) return {};
  if (std::from_chars(digits + 16, digits + 32, key.low, 16).ptr != digits + 32) return {};
  if (key.hex() != file_name.substr(0, kKeyDigits)) return {};
  return key;
}

std::string CacheFolder::path_of(const std::string& file_name) const {
  return root_ + '/' + kEntries + '/' + file_name;
}

std::int64_t CacheFolder::size_of(const ContentKey& key) const {
  struct stat facts {};
  return ::lstat(path_of(file_name(key)).c_str(), &facts) == 0 ? facts.st_size : -1;
}

std::optional<CachedFile> CacheFolder::read_at(const std::string& root, const std::string& file_name,
                                               std::size_t max_bytes) {
  const std::string path = root + '/' + kEntries + '/' + file_name;
  // Not through links, and not waiting for the other end of a pipe that stands in an entry's place.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.id < 0) {
    if (errno == ENOENT) return {};
    struct stat link {};
    CachedFile content;
    if (::lstat(path.c_str(), &link) == 0) content.device = link.st_dev, content.inode = link.st_ino;
    return content;
  }
  struct stat facts {};
  if (::fstat(file.id, &facts) != 0) return {};
  CachedFile content;
  content.device = facts.st_dev;
  content.inode = facts.st_ino;
  if (!S_ISREG(facts.st_mode)) return content;
  content.bytes.resize(std::min<std::size_t>(facts.st_size, max_bytes));
  std::size_t done = 0;
  while (done < content.bytes.size()) {
    const ssize_t count = ::read(file.id, content.bytes.data() + done, content.bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  content.bytes.resize(done);
  return content;
}

int CacheFolder::write(const std::string& file_name, const std::vector<unsigned char>& bytes) const {
  const std::string temporary = path_of(kTemporary + random_digits());
  int error = write_whole(temporary, bytes);
  if (error == 0 && ::rename(temporary.c_str(), path_of(file_name).c_str()) != 0) error = errno;
  if (error != 0) ::unlink(temporary.c_str());
  return error;
}

bool CacheFolder::quarantine(const std::string& file_name, const CachedFile& file) const {
  const std::string path = path_of(file_name);
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0 || facts.st_dev != file.device || facts.st_ino != file.inode) return true;
  const std::string folder = root_ + '/' + kQuarantine;
  ::mkdir(folder.c_str(), 0755);
  if (::rename(path.c_str(), (folder + '/' + file_name + '.' + random_digits()).c_str()) == 0) return true;
  return ::unlink(path.c_str()) == 0;
}

void CacheFolder::sweep() const {
  std::error_code error;
  const std::int64_t now = std::time(nullptr);
  for (fs::directory_iterator item(fs::path(root_) / kEntries, error), end; !error && item != end;
       item.increment(error)) {
    struct stat facts {};
    if (!is_temporary(item->path().filename().string()) || ::lstat(item->path().c_str(), &facts) != 0) continue;
    if (S_ISREG(facts.st_mode) && now - facts.st_mtime > kSecondsOfADay) ::unlink(item->path().c_str());
  }
}

CacheFolder::Listing CacheFolder::list(const std::string& root) {
  Listing listing;
  if (root.empty()) return listing;
  struct stat facts {};
  if (::stat(root.c_str(), &facts) != 0 && errno == ENOENT) return listing;
  SOJOURN_EXPECTS(S_ISDIR(facts.st_mode), IoError, "cache: {} is no folder; set SOJOURN_CACHE_DIR to a folder", root);
  for (File& file : files_in(root + '/' + kEntries)) {
    if (is_temporary(file.name)) {
      listing.unfinished.push_back(std::move(file));
    } else if (key_in(file.name)) {
      listing.entries.push_back(std::move(file));
    }
  }
  for (File& file : files_in(root + '/' + kQuarantine)) {
    if (is_quarantined(file.name)) listing.quarantined.push_back(std::move(file));
  }
  return listing;
}

void CacheFolder::remove(const std::string& root, const Listing& listing) {
  const auto remove_all = [&](const char* folder, const std::vector<File>& files) {
    for (const File& file : files) {
      const std::string path = root + '/' + folder + '/' + file.name;
      SOJOURN_EXPECTS(::unlink(path.c_str()) == 0 || errno == ENOENT, IoError, "cache: cannot remove {}: {}", path,
                      std::strerror(errno));
    }
  };
  remove_all(kEntries, listing.entries);
  remove_all(kEntries, listing.unfinished);
  remove_all(kQuarantine, listing.quarantined);
}

}  // namespace sojourn
