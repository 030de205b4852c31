#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "result/file_calls.hpp"
#include "result/folder_swap.hpp"
#include "result/output_files.hpp"
#include "sojourn/checkpoint.hpp"

namespace sojourn {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "step-", kSuffix = ".sojourn", kTemporary = ".tmp-";
constexpr std::size_t kNumKept = 2;
/// Digits of an iteration in a file's name, so that names sort as the iterations do.
constexpr std::size_t kNumDigits = 10;

std::string file_name(std::int64_t iteration) {
  return fmt::format("{}{:0{}}{}", kPrefix, iteration, kNumDigits, kSuffix);
}

bool is_checkpoint_name(std::string_view name) {
  if (name.size() != kPrefix.size() + kNumDigits + kSuffix.size()) return false;
  return name.starts_with(kPrefix) && name.ends_with(kSuffix) &&
         name.substr(kPrefix.size(), kNumDigits).find_first_not_of("0123456789") == name.npos;
}

bool is_temporary_name(std::string_view name) {
  const auto place = name.find(kTemporary);
  return place != name.npos && name.front() == '.' && is_checkpoint_name(name.substr(1, place - 1));
}

/// A file descriptor with its owner.
class Descriptor {
 public:
  explicit Descriptor(int id) : id_(id) {}
  ~Descriptor() {
    if (id_ >= 0) ::close(id_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int id() const { return id_; }

 private:
  int id_;
};

[[noreturn]] void fail(const fs::path& path, const char* what, int error) {
  const char* reason = error == ELOOP ? "it is a symbolic link, which is not followed" : std::strerror(error);
  throw IoError(fmt::format("{}: cannot {}: {}", path.string(), what, reason));
}

/// `open` reports a link to something that is no folder by either number.
int open_error(const fs::path& path, int error) {
  struct stat facts {};
  if ((error == ENOTDIR || error == EMLINK) && ::lstat(path.c_str(), &facts) == 0 && S_ISLNK(facts.st_mode))
    return ELOOP;
  return error;
}

fs::path resolved(const std::string& output) {
  std::error_code error;
  fs::path path = fs::weakly_canonical(fs::absolute(output, error), error);
  if (error) fail(output, "resolve", error.value());
  return path.has_filename() ? path : path.parent_path();
}

/// Forces to the disk; character devices and some network file systems have nothing to force.
void sync_to_disk(int file, const fs::path& path) {
  if (file_calls::sync(file) != 0 && errno != EINVAL && errno != EROFS) fail(path, "force to the disk", errno);
}

/// Writes a file of an open folder whole or not at all.
void write_into(const Descriptor& folder, const fs::path& folder_path, const std::string& name,
                std::string_view bytes) {
  const fs::path path = folder_path / name;
  struct stat facts {};
  if (::fstatat(folder.id(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(facts.st_mode))
    fail(path, "write", S_ISLNK(facts.st_mode) ? ELOOP : EEXIST);
  const std::string temporary = fmt::format(".{}{}{}", name, kTemporary, ::getpid());
  // One of a killed process that had our id is in the way.
  ::unlinkat(folder.id(), temporary.c_str(), 0);
  try {
    {
      const Descriptor file(file_calls::open_at(folder.id(), temporary.c_str(),
                                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
      if (file.id() < 0) fail(folder_path / temporary, "create", errno);
      for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t count = file_calls::write(file.id(), bytes.data() + done, bytes.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(path, "write", errno);
        done += static_cast<std::size_t>(count);
      }
      sync_to_disk(file.id(), path);
    }
    if (file_calls::rename_at(folder.id(), temporary.c_str(), folder.id(), name.c_str()) != 0)
      fail(path, "rename into place", errno);
  } catch (const IoError&) {
    ::unlinkat(folder.id(), temporary.c_str(), 0);
    throw;
  }
  sync_to_disk(folder.id(), folder_path);
}

/// Names of the checkpoints in a folder, newest first; none where it does not exist.
std::vector<std::string> checkpoint_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (const std::string name = entry->path().filename().string(); is_checkpoint_name(name)) names.push_back(name);
  }
  if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory)
    fail(folder, "read", error.value());
  std::ranges::sort(names, std::greater<>());
  return names;
}

/// The bytes of a file that says itself how long it is, so that a wrong one is not read whole first.
std::string read_file(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (file.id() < 0) fail(path, "read", open_error(path, errno));
  struct stat facts {};
  if (::fstat(file.id(), &facts) != 0) fail(path, "look at it", errno);
  if (!S_ISREG(facts.st_mode)) throw DamagedCheckpoint(path.string() + ": the checkpoint is damaged: it is no file");
  std::string bytes;
  // Past the end of the header only as far as the file's length and what it says of it agree.
  const auto read_upto = [&](std::size_t size) {
    const std::size_t before = bytes.size();
    bytes.resize(size);
    for (std::size_t done = before; done < size;) {
      const ssize_t count = ::read(file.id(), bytes.data() + done, size - done);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail(path, "read", errno);
      if (count == 0) {
        bytes.resize(done);
        return;
      }
      done += static_cast<std::size_t>(count);
    }
  };
  constexpr std::size_t kSizePlace = 16, kHeader = 24;
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  read_upto(static_cast<std::size_t>(std::min<std::uint64_t>(size, kHeader)));
  std::uint64_t claimed = 0;
  if (bytes.size() == kHeader) std::memcpy(&claimed, bytes.data() + kSizePlace, sizeof claimed);
  if (claimed != size && __builtin_bswap64(claimed) != size)
    throw DamagedCheckpoint(
        fmt::format("{}: the checkpoint is damaged: it has {} bytes, not as many as it says", path.string(), size));
  read_upto(static_cast<std::size_t>(size));
  return bytes;
}

}  // namespace

CheckpointWriter::CheckpointWriter(std::string output, const std::string& resumed_from) : output_(std::move(output)) {
  if (!resumed_from.empty()) own_.push_back(fs::path(resumed_from).filename().string());
}

std::string CheckpointWriter::write(const Checkpoint& checkpoint) {
  const std::string bytes = encode_checkpoint(checkpoint);
  const std::string name = file_name(checkpoint.iterations_before + checkpoint.state.iteration);
  const fs::path target = resolved(output_), folder = target / kCheckpointFolder;
  struct stat facts {};
  if (::lstat(target.c_str(), &facts) != 0) {
    FolderSwap swap(output_, false, names_of_output());
    const fs::path inner = swap.folder() / kCheckpointFolder;
    if (file_calls::make_folder_at(AT_FDCWD, inner.c_str()) != 0) fail(inner, "create", errno);
    write_file(inner / name, bytes);
    swap.commit();
  } else {
    const bool made = file_calls::make_folder_at(AT_FDCWD, folder.c_str()) == 0;
    if (!made && errno != EEXIST) fail(folder, "create", errno);
    const Descriptor opened(file_calls::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (opened.id() < 0) fail(folder, "open", open_error(folder, errno));
    try {
      write_into(opened, folder, name, bytes);
      if (made) sync_path(target);
    } catch (const IoError&) {
      if (made) ::rmdir(folder.c_str());
      throw;
    }
    std::erase(own_, name);
    own_.push_back(name);
    if (own_.size() > kNumKept) own_.erase(own_.begin());
    // Only now: those of a run that is being replaced, and whatever killed processes have left.
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      const std::string other = entry.path().filename().string();
      const bool ours = is_checkpoint_name(other) || is_temporary_name(other);
      if (ours && std::ranges::find(own_, other) == own_.end()) ::unlinkat(opened.id(), other.c_str(), 0);
    }
    return (fs::path(output_) / kCheckpointFolder / name).string();
  }
  own_ = {name};
  return (fs::path(output_) / kCheckpointFolder / name).string();
}

std::optional<FoundCheckpoint> find_checkpoint(const std::string& output, std::span<const RunField> identity,
                                               const std::function<std::string(const Checkpoint&)>& fault) {
  check_checkpoint_folder(output);
  const fs::path folder = fs::path(output) / kCheckpointFolder;
  std::string of_others;
  std::vector<std::string> passed_over;
  for (const std::string& name : checkpoint_names(folder)) {
    FoundCheckpoint found;
    found.path = (folder / name).string();
    try {
      found.bytes = read_file(found.path);
      found.checkpoint = decode_checkpoint(std::as_bytes(std::span(found.bytes)), found.path);
    } catch (const DamagedCheckpoint& damage) {
      passed_over.emplace_back(damage.what());
      continue;
    }
    if (const std::string differences = differing_fields(found.checkpoint.identity, identity); !differences.empty()) {
      if (of_others.empty())
        of_others = fmt::format("{}: the checkpoint is another run's: {}", found.path, differences);
      continue;
    }
    if (const std::string why = fault(found.checkpoint); !why.empty()) {
      passed_over.push_back(fmt::format("{}: the checkpoint is damaged: {}", found.path, why));
      continue;
    }
    found.warnings = std::move(passed_over);
    if (!of_others.empty()) found.warnings.push_back(of_others);
    return found;
  }
  if (!of_others.empty())
    throw ModelError(of_others +
                     "; go on with the run it belongs to, give another --output, or start anew with "
                     "--overwrite alone");
  if (passed_over.empty()) return std::nullopt;
  std::string text;
  for (const std::string& one : passed_over) text += (text.empty() ? "" : "; ") + one;
  throw IoError(text + "; no other can be used, so start anew with --overwrite alone");
}

std::string newest_checkpoint(const std::string& output) {
  const fs::path folder = fs::path(output) / kCheckpointFolder;
  std::error_code error;
  if (!fs::is_directory(folder, error)) return {};
  const std::vector<std::string> names = checkpoint_names(folder);
  return names.empty() ? std::string() : (folder / names.front()).string();
}

void check_checkpoint_folder(const std::string& output) {
  const fs::path folder = resolved(output) / kCheckpointFolder;
  struct stat facts {};
  if (::lstat(folder.c_str(), &facts) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) fail(folder, "look at it", errno);
    return;
  }
  if (S_ISLNK(facts.st_mode)) fail(folder, "keep checkpoints there", ELOOP);
  if (!S_ISDIR(facts.st_mode)) fail(folder, "keep checkpoints there", ENOTDIR);
}

void carry_checkpoints(const fs::path& from, const fs::path& to) {
  const fs::path source = from / kCheckpointFolder, target = to / kCheckpointFolder;
  check_checkpoint_folder(from.string());
  const std::vector<std::string> names = checkpoint_names(source);
  if (names.empty()) return;
  if (file_calls::make_folder_at(AT_FDCWD, target.c_str()) != 0) fail(target, "create", errno);
  for (const std::string& name : names) {
    const fs::path old = source / name, fresh = target / name;
    if (file_calls::link_at(AT_FDCWD, old.c_str(), AT_FDCWD, fresh.c_str()) == 0) continue;
    try {
      write_file(fresh, read_file(old));
    } catch (const DamagedCheckpoint&) {
      // Of no use to anybody.
    }
  }
  sync_path(target);
}

}  // namespace sojourn
