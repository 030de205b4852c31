#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "expects.hpp"
#include "model/document.hpp"

namespace sojourn {
namespace {

/// Owns a file descriptor; standard input is borrowed.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ > STDIN_FILENO) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void fail_to_read(const DocumentLimits& limits, const std::string& path, int code) {
  throw IoError(fmt::format("{}: cannot read {}: {}; check the path and its permissions", limits.what, path,
                            std::strerror(code)));
}

void check_size(std::int64_t size, const std::string& path, const DocumentLimits& limits) {
  SOJOURN_EXPECTS(size <= limits.max_bytes, ModelError,
                  "{}: {}{} of {} bytes or more exceeds {} {}; raise that limit if the file is meant", path,
                  limits.what, limits.what.ends_with("file") ? "" : " file", size, limits.bytes_option,
                  limits.max_bytes);
}

/// Length of the well-formed UTF-8 sequence at `text[i]`, 0 where there is none (Unicode 15, table 3-7).
std::size_t utf8_length(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U; };
  const auto tail = [&](std::size_t k, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(k) >= low && byte(k) <= high;
  };
  const unsigned lead = byte(i);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(i + 1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return tail(i + 1, low, high) && tail(i + 2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return tail(i + 1, low, high) && tail(i + 2) && tail(i + 3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string read_text_file(const std::string& path, const DocumentLimits& limits) {
  const bool is_stdin = path == "-";
  // A path with a NUL inside would be cut silently by the system call.
  if (path.find('\0') != std::string::npos) fail_to_read(limits, path.substr(0, path.find('\0')), EINVAL);
  const Descriptor file(is_stdin ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail_to_read(limits, path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail_to_read(limits, path, errno);
  if (S_ISDIR(status.st_mode)) fail_to_read(limits, path, EISDIR);
  std::string text;
  if (S_ISREG(status.st_mode)) {
    check_size(status.st_size, path, limits);
    text.reserve(static_cast<std::size_t>(status.st_size) + 1);
  }
  std::string chunk(1 << 16, '\0');
  while (true) {
    const ssize_t count = ::read(file.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_to_read(limits, path, errno);
    if (count == 0) return text;
    text.append(chunk, 0, static_cast<std::size_t>(count));
    check_size(std::ssize(text), path, limits);
    // No text holds a NUL, as whoever reads this will say; what has one may be endless.
    if (std::memchr(chunk.data(), 0, static_cast<std::size_t>(count)) != nullptr) return text;
  }
}

void check_utf8(std::string_view text, const std::string& origin) {
  const auto starts = [&](std::string_view mark) { return text.substr(0, mark.size()) == mark; };
  using namespace std::string_view_literals;
  SOJOURN_EXPECTS(!starts("\xFE\xFF"sv) && !starts("\xFF\xFE"sv) && !starts("\0\0\xFE\xFF"sv), ModelError,
                  "{}: byte 0 is not UTF-8: it starts a UTF-16 or UTF-32 byte order mark; save the file as UTF-8",
                  origin);
  for (std::size_t i = 0; i < text.size();) {
    SOJOURN_EXPECTS(text[i] != '\0', ModelError,
                    "{}: byte {} is NUL, which no text file holds; save the file as plain UTF-8 text", origin, i);
    const std::size_t length = utf8_length(text, i);
    SOJOURN_EXPECTS(length > 0, ModelError, "{}: byte {} is not UTF-8 (0x{:02x}); save the file as UTF-8", origin, i,
                    static_cast<unsigned char>(text[i]));
    i += length;
  }
}

}  // namespace sojourn
