#include "comm/command_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include "expects.hpp"

extern char** environ;

namespace sojourn {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostBytes = std::size_t{1} << 20;

class Pipe {
 public:
  Pipe() { open_ = ::pipe2(ends_.data(), O_CLOEXEC) == 0; }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    if (!open_) return;
    ::close(ends_[0]);
    close_writer();
  }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }
  [[nodiscard]] bool is_open() const { return open_; }
  [[nodiscard]] int reader() const { return ends_[0]; }
  [[nodiscard]] int writer() const { return ends_[1]; }

 private:
  bool open_ = false;
  std::array<int, 2> ends_{-1, -1};
};

/// A child process that does not outlive its owner.
class Child {
 public:
  Child(const std::vector<std::string>& command, int output, Captured captured) {
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    if (captured == Captured::kOutputAndErrors) {
      posix_spawn_file_actions_adddup2(&actions, output, 2);
    } else {
      posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    }
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    // A group of its own, so that what it starts is killed with it; signals as a program expects them.
    sigset_t usual;
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    error_ = posix_spawnp(&id_, arguments[0], &actions, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error_ != 0) id_ = -1;
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (id_ <= 0) return;
    ::kill(-id_, SIGKILL);
    wait(0);
  }
  [[nodiscard]] int error() const { return error_; }
  /// Whether it has ended. @param options  WNOHANG to look only.
  bool wait(int options) {
    pid_t ended = 0;
    do {
      ended = ::waitpid(id_, &status_, options);
    } while (ended < 0 && errno == EINTR);
    if (ended == 0) return false;
    id_ = -1;
    return true;
  }
  [[nodiscard]] int status() const { return status_; }

 private:
  pid_t id_ = -1;
  int error_ = 0, status_ = 0;
};

}  // namespace

std::optional<std::string> command_output(const std::vector<std::string>& command,
                                          std::chrono::duration<double> deadline, std::string& fault,
                                          Captured captured) {
  fault.clear();
  Pipe pipe;
  if (!pipe.is_open()) {
    fault = std::strerror(errno);
    return {};
  }
  Child child(command, pipe.writer(), captured);
  if (child.error() != 0) {
    fault = child.error() == ENOENT ? "is not there" : std::strerror(child.error());
    return {};
  }
  pipe.close_writer();
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(deadline);
  const auto late = [&] {
    fault = fmt::format("gave no answer within {:g} s", deadline.count());
    return std::nullopt;
  };
  std::string output;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0) return late();
    pollfd ready{pipe.reader(), POLLIN, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, 1000)));
    if (count <= 0) continue;
    std::array<char, 4096> buffer{};
    const ssize_t length = ::read(pipe.reader(), buffer.data(), buffer.size());
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) break;
    output.append(buffer.data(), static_cast<std::size_t>(length));
    if (output.size() > kMostBytes) {
      fault = fmt::format("wrote more than {} bytes", kMostBytes);
      return {};
    }
  }
  while (!child.wait(WNOHANG)) {
    if (Clock::now() > end) return late();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (WIFEXITED(child.status()) && WEXITSTATUS(child.status()) == 0) return output;
  fault = WIFEXITED(child.status()) ? fmt::format("ended with status {}", WEXITSTATUS(child.status()))
                                    : fmt::format("was ended by signal {}", WTERMSIG(child.status()));
  return {};
}

}  // namespace sojourn
