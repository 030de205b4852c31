#include "cli/infer_output.hpp"

#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/text_table.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

namespace fs = std::filesystem;

}  // namespace

void check_output_folder(const std::string& folder, bool overwrite) {
  SOJOURN_EXPECTS(!folder.empty(), UsageError, "--output: the folder's name is empty");
  std::error_code error;
  const fs::path path(folder);
  const fs::file_status status = fs::symlink_status(path, error);
  if (fs::exists(status)) {
    SOJOURN_EXPECTS(overwrite, UsageError,
                    "--output {}: it exists already; give --overwrite to replace it, or another folder", folder);
    SOJOURN_EXPECTS(fs::is_directory(status), UsageError,
                    "--output {}: it exists and is not a folder; --overwrite replaces result folders only", folder);
    SOJOURN_EXPECTS(fs::is_empty(path, error) || fs::exists(path / "summary.json", error), UsageError,
                    "--output {}: the folder holds something else than results (no summary.json); --overwrite would "
                    "delete it, so choose another folder",
                    folder);
  }
  fs::path parent = fs::absolute(path, error).lexically_normal();
  if (!parent.has_filename()) parent = parent.parent_path();
  parent = parent.parent_path();
  SOJOURN_EXPECTS(fs::is_directory(parent, error), IoError,
                  "--output {}: the folder {} does not exist; create it first", folder, parent.string());
  SOJOURN_EXPECTS(::access(parent.c_str(), W_OK | X_OK) == 0, IoError, "--output {}: cannot write into {}: {}", folder,
                  parent.string(), std::strerror(errno));
}

std::string result_text(const InferenceResult& result, const std::string& folder) {
  const auto seconds = result.seconds.find("total");
  std::string text =
      fmt::format("{}: {} particles, {} iterations in {} (seed {}, {})\n\n", result.model_name,
                  result.particles.num_rows(), result.svgd.iterations_done,
                  format_duration(seconds == result.seconds.end() ? 0 : seconds->second), result.seed, result.device);
  TextTable table({"parameter", "mean", "sd", "2.5 %", "50 %", "97.5 %", "prior"});
  for (const ParameterSummary& parameter : result.parameters) {
    table.add({parameter.name, format_short(parameter.mean), format_short(parameter.sd), format_short(parameter.q025),
               format_short(parameter.q50), format_short(parameter.q975), parameter.prior});
  }
  text += table.text() + '\n';
  for (const Diagnostic& diagnostic : result.svgd.diagnostics) {
    text += fmt::format("{:<5} {} = {}\n", diagnostic.verdict, diagnostic.name, format_short(diagnostic.value));
    if (diagnostic.verdict != "PASS") text += fmt::format("      {}\n", diagnostic.explanation);
  }
  text += fmt::format("\nresults  {}\nreport   {}\n", folder, (fs::path(folder) / "report.html").string());
  return text;
}

std::string data_digest(const Observations& observations) {
  XXH64_state_t* state = XXH64_createState();
  XXH64_reset(state, 0);
  for (const Observation& item : observations.items) {
    const double numbers[] = {item.lower, item.upper, item.entry, item.weight, item.left_censored ? 1.0 : 0.0};
    XXH64_update(state, numbers, sizeof numbers);
  }
  const auto hash = XXH64_digest(state);
  XXH64_freeState(state);
  return fmt::format("{:016x}", hash);
}

}  // namespace sojourn::cli
