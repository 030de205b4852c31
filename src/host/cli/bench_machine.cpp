#include "cli/bench_machine.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "cli/bench_limits.hpp"
#include "cli/text_table.hpp"
#include "sojourn/info.hpp"
#include "sojourn/memory.hpp"

namespace sojourn::cli {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(':');
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos && colon + 2 < line.size())
      return line.substr(colon + 2);
  }
  return "unknown";
}

/// "512K" in bytes.
std::int64_t parse_size(const std::string& text) {
  char* end = nullptr;
  std::int64_t size = std::strtoll(text.c_str(), &end, 10);
  if (*end == 'K') size <<= 10;
  if (*end == 'M') size <<= 20;
  return size;
}

}  // namespace

BenchMachine bench_machine() {
  BenchMachine machine;
  machine.cpu = cpu_name();
  machine.num_cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  machine.num_usable_cores = num_usable_cores();
  for (int index = 0; index < 8; ++index) {
    const std::string cache = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/", index);
    const std::string level = first_line(cache + "level");
    const std::int64_t size = parse_size(first_line(cache + "size"));
    if (level == "1" && first_line(cache + "type") == "Data") machine.l1d = size;
    if (level == "2") machine.l2 = size;
    if (level == "3") machine.l3 = size;
  }
  machine.vectors = vector_name();
  return machine;
}

std::array<double, 3> load_average() {
  std::array<double, 3> load{-1, -1, -1};
  if (getloadavg(load.data(), 3) != 3) load = {-1, -1, -1};
  return load;
}

std::string describe(const BenchMachine& machine) {
  std::string text = fmt::format("{}, {} core{} ({} usable)", machine.cpu, machine.num_cores,
                                 machine.num_cores == 1 ? "" : "s", machine.num_usable_cores);
  std::string caches;
  const auto add = [&](const char* name, std::int64_t size) {
    if (size > 0)
      caches += fmt::format("{} {} {}", caches.empty() ? "" : ",", name, format_bytes(static_cast<double>(size)));
  };
  add("L1d", machine.l1d);
  add("L2", machine.l2);
  add("L3", machine.l3);
  if (!caches.empty()) text += ", caches" + caches;
  return text + ", " + machine.vectors;
}

}  // namespace sojourn::cli
