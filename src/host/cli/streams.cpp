#include "cli/streams.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cli/interrupt.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

std::atomic<bool> speaks{true};

/// 0 when all of it was written, errno otherwise.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

void prepare_streams() {
  std::signal(SIGPIPE, SIG_IGN);
  for (const int descriptor : {0, 1, 2}) {
    if (::fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    // Opened against its direction, so that reading from 0 or writing to 1 still fails as on a closed descriptor.
    // The lowest free number is this one, as all below are open.
    [[maybe_unused]] const int opened = ::open("/dev/null", descriptor == 1 ? O_RDONLY : O_WRONLY);
  }
}

void write_stdout(std::string_view text) {
  const int error = write_all(STDOUT_FILENO, text);
  if (error == EPIPE || error == EBADF) throw OutputClosed{};
  SOJOURN_EXPECTS(error == 0, IoError, "standard output: cannot write: {}; free some space or write elsewhere",
                  std::strerror(error));
}

void write_stderr(std::string_view text) {
  if (speaks) write_all(STDERR_FILENO, text);
}
void speak(bool aloud) { speaks = aloud; }
void write_stderr_of_any(std::string_view text) { write_all(STDERR_FILENO, text); }

LogLevel log_level() {
  const char* variable = std::getenv("SOJOURN_LOG");
  const std::string name = variable == nullptr || *variable == '\0' ? "info" : variable;
  if (name == "error") return LogLevel::kError;
  if (name == "warning") return LogLevel::kWarning;
  SOJOURN_EXPECTS(name == "info" || name == "debug", UsageError,
                  "SOJOURN_LOG='{}' is no level; allowed: error, warning, info, debug", name);
  return name == "debug" ? LogLevel::kDebug : LogLevel::kInfo;
}

void warn(const std::string& message) {
  if (log_level() >= LogLevel::kWarning) write_stderr("warning: " + message + '\n');
}

void write_file(const std::string& path, std::string_view text, bool overwrite) {
  if (path.empty() || path == "-") {
    write_stdout(text);
    return;
  }
  struct stat status {};
  SOJOURN_EXPECTS(overwrite || ::lstat(path.c_str(), &status) != 0, UsageError,
                  "--output {}: the file exists; give --overwrite to replace it, or another name", path);
  const UninterruptedSection section;
  // A killed process that had our id, or one of another machine that has it now, may have taken a name.
  constexpr int kMostNames = 1000;
  const std::string first = path + ".part-" + std::to_string(::getpid());
  std::string temporary = first;
  int descriptor = -1;
  for (int attempt = 0; descriptor < 0 && attempt < kMostNames && (attempt == 0 || errno == EEXIST); ++attempt) {
    if (attempt > 0) temporary = first + '-' + std::to_string(attempt);
    descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }
  SOJOURN_EXPECTS(descriptor >= 0, IoError, "--output {}: cannot create {}: {}; check the folder", path, temporary,
                  std::strerror(errno));
  int error = write_all(descriptor, text);
  if (error == 0 && ::fsync(descriptor) != 0 && errno != EINVAL) error = errno;
  if (::close(descriptor) != 0 && error == 0) error = errno;
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) ::unlink(temporary.c_str());
  SOJOURN_EXPECTS(error == 0, IoError, "--output {}: cannot write: {}", path, std::strerror(error));
}

}  // namespace sojourn::cli
