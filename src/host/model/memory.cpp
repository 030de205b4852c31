#include "sojourn/memory.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include "expects.hpp"

namespace sojourn {
namespace {

constexpr std::int64_t kUnknown = std::int64_t{1} << 62;
std::atomic<std::int64_t> limit_set{0};

/// The number that the first line of a file begins with; -1 where there is none.
std::int64_t number_in(const char* path) {
  std::ifstream file(path);
  std::int64_t number = -1;
  return file >> number ? number : -1;
}

/// MemAvailable of /proc/meminfo in bytes.
std::int64_t machine_has_free() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  std::int64_t kilobytes = 0;
  while (file >> name >> kilobytes) {
    if (name == "MemAvailable:") return kilobytes * 1024;
    std::getline(file, unit);
  }
  return kUnknown;
}

/// What a container's limit leaves, version 2 of control groups and then 1.
std::int64_t group_has_free() {
  const std::int64_t most = number_in("/sys/fs/cgroup/memory.max"), used = number_in("/sys/fs/cgroup/memory.current");
  if (most > 0 && used >= 0) return std::max<std::int64_t>(0, most - used);
  const std::int64_t old_most = number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
                     old_used = number_in("/sys/fs/cgroup/memory/memory.usage_in_bytes");
  return old_most > 0 && old_used >= 0 ? std::max<std::int64_t>(0, old_most - old_used) : kUnknown;
}

/// Resident memory of this process.
std::int64_t held_now() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  if (!(file >> total >> resident)) return 0;
  return resident * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

std::int64_t parse_memory_size(const char* text) {
  const std::string_view all(text);
  double number = 0;
  const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), number);
  if (error != std::errc() || !(number >= 0)) return -1;
  std::string_view unit(end, static_cast<std::size_t>(all.data() + all.size() - end));
  double factor = 1;
  if (!unit.empty()) {
    constexpr std::string_view kUnits = "KMGT";
    const std::size_t power = kUnits.find(unit.front());
    if (power != std::string_view::npos) {
      factor = std::ldexp(1.0, 10 * static_cast<int>(power + 1));
      unit.remove_prefix(1);
      if (unit == "iB") unit = {};
    }
    if (unit == "B") unit = {};
    if (!unit.empty()) return -1;
  }
  const double bytes = number * factor;
  return bytes < static_cast<double>(kUnknown) ? static_cast<std::int64_t>(bytes) : -1;
}

void set_memory_limit(std::int64_t bytes) {
  SOJOURN_EXPECTS(bytes >= 0, UsageError, "the memory limit {} must be >= 0 bytes", bytes);
  limit_set = bytes;
}

std::int64_t memory_limit() {
  if (limit_set > 0) return limit_set;
  const char* text = std::getenv("SOJOURN_MAX_MEMORY");
  if (text == nullptr || *text == '\0') return 0;
  const std::int64_t bytes = parse_memory_size(text);
  SOJOURN_EXPECTS(bytes > 0, UsageError, "SOJOURN_MAX_MEMORY='{}' is not a size; give one such as 24GiB, or unset it",
                  text);
  return bytes;
}

std::int64_t memory_left() {
  const std::int64_t limit = memory_limit();
  const std::int64_t free = std::min(machine_has_free(), group_has_free());
  return limit > 0 ? std::min(free, std::max<std::int64_t>(0, limit - held_now())) : free;
}

std::string format_bytes(double bytes) {
  const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  // From the kibibyte on a number that three digits would round to a thousand goes to the next unit.
  while (bytes >= (unit == 0 ? 1024 : 999.5) && unit < 4) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} bytes", bytes) : fmt::format("{:.3g} {}", bytes, units[unit]);
}

}  // namespace sojourn
