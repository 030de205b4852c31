#include "cli/run_memory.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "cli/text_table.hpp"
#include "expects.hpp"
#include "sojourn/memory.hpp"

namespace sojourn::cli {
namespace {

/// A text that is appended to doubles its room, and holds both while it moves.
double grown(double bytes) {
  double room = 16;
  while (2 * room < bytes) room *= 2;
  return std::max(bytes, 2 * room);
}

/// Doubles of n x d that iterations hold: particles, scores and two moments, which are the state; three of steps, and
/// whitened particles, scores and directions; particles and scores of a batch.
constexpr double kStateMatrices = 4, kMatrices = kStateMatrices + 8;
/// Bytes for each particle beside: what became of its evaluation, two words of status, its density and place.
constexpr double kBytesPerParticle = 200;
/// Of a number with 17 digits in a table, and of the row's own numbers.
constexpr double kDigits = 21, kRowDigits = 12;
/// Figures, tables and the code that draws them; measured with models of two states.
constexpr double kReport = 8.0 * (1 << 20);

double number_after(std::istream& file, const std::string& name) {
  file.clear();
  file.seekg(0);
  for (std::string word; file >> word;) {
    double kilobytes = 0;
    if (word == name && file >> kilobytes) return 1024 * kilobytes;
  }
  return 0;
}

}  // namespace

double RunMemory::still_to_come() const { return particles + history + std::max(checkpoint, results); }

std::vector<std::pair<std::string, double>> RunMemory::parts() const {
  return {{"graph", static_cast<double>(posterior.graph)},
          {"program", static_cast<double>(posterior.program)},
          {"data", static_cast<double>(posterior.data)},
          {"workspaces", workspaces()},
          {"particles", particles},
          {"history", history},
          {"checkpoint", checkpoint},
          {"results", results}};
}

RunMemory run_memory(const Posterior& posterior, const SvgdOptions& options, int num_threads, bool is_first) {
  RunMemory memory{.posterior = posterior.bytes(), .num_threads = num_threads};
  const auto n = static_cast<double>(options.num_particles), d = static_cast<double>(posterior.dimension());
  const double matrix = 8 * n * d;
  memory.particles = kMatrices * matrix + kBytesPerParticle * n;
  const double frames =
      options.history_every > 0
          ? std::floor(static_cast<double>(options.num_iterations) / static_cast<double>(options.history_every)) + 1
          : 0;
  memory.history = matrix * frames;
  if (!is_first) return memory;
  const double state = kStateMatrices * matrix + memory.history;
  memory.checkpoint = state + grown(state);
  const double curves = static_cast<double>(memory.posterior.curve) * static_cast<double>(num_threads);
  const double row = kRowDigits + kDigits * d;
  // One after the other: curves let go of their workspaces before tables are written.
  memory.results = std::max(curves, kReport + grown(row * n * std::max(frames, 1.0)));
  return memory;
}

ProcessMemory process_memory() {
  std::ifstream file("/proc/self/status");
  return {number_after(file, "VmRSS:"), number_after(file, "VmHWM:")};
}

std::string check_memory(const RunMemory& memory, const SvgdOptions& options) {
  const double needed = memory.workspaces() + memory.particles + memory.history;
  const double at_end = memory.workspaces() + memory.still_to_come();
  const auto left = static_cast<double>(memory_left());
  const char* const larger = options.history_every > 0 ? " or a larger history_every" : "";
  SOJOURN_EXPECTS(needed <= left, UsageError,
                  "{} particles on {} thread{} need about {} of memory beside the model (workspaces of threads {}, "
                  "particles {}, history {}), {} is left; use fewer particles{}, fewer threads (--threads), or raise "
                  "--max-memory where the machine has more",
                  options.num_particles, memory.num_threads, memory.num_threads == 1 ? "" : "s", format_bytes(needed),
                  format_bytes(memory.workspaces()), format_bytes(memory.particles), format_bytes(memory.history),
                  format_bytes(left), larger);
  if (at_end <= left) return {};
  return fmt::format(
      "at the end of {} iterations the run would hold about {} beside the model (history {}, checkpoints {}, results "
      "{}), {} is left; use fewer particles{}, or stop it before",
      options.num_iterations, format_bytes(at_end), format_bytes(memory.history), format_bytes(memory.checkpoint),
      format_bytes(memory.results), format_bytes(left), larger);
}

}  // namespace sojourn::cli
