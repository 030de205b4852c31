#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "result/failure_json.hpp"
#include "result/folder_swap.hpp"
#include "result/json_text.hpp"
#include "result/netcdf_file.hpp"
#include "result/output_files.hpp"
#include "result/report.hpp"
#include "result/run_facts.hpp"
#include "result/summary_json.hpp"
#include "result/tables.hpp"
#include "sojourn/checkpoint.hpp"
#include "sojourn/result.hpp"

namespace sojourn {

namespace {

constexpr const char* kFailureFile = "failure.json";

}  // namespace

const std::vector<std::string>& names_of_output() {
  static const std::vector<std::string> names = {"summary.json", "particles.csv", "trace.csv",       "convergence.csv",
                                                 "posterior.nc", "report.html",   kCheckpointFolder, kFailureFile};
  return names;
}

void write_output_files(const std::string& folder, const RunFacts& facts, const OutputOptions& options) {
  FolderSwap swap(folder, options.overwrite, names_of_output());
  const auto& in = swap.folder();
  write_file(in / "summary.json", json_text(summary_json(facts)));
  write_file(in / "particles.csv", particles_csv(facts));
  write_file(in / "convergence.csv", convergence_csv(facts));
  if (!facts.result->svgd.history.empty()) write_file(in / "trace.csv", trace_csv(facts));
  write_posterior_netcdf((in / "posterior.nc").string(), facts);
  write_file(in / "report.html", report_html(facts));
  if (options.keep_checkpoints) carry_checkpoints(folder, in);
  swap.commit();
}

void check_output_folder(const std::string& folder, const OutputOptions& options) {
  checked_target(folder, options.overwrite, names_of_output());
}

std::string write_failure_file(const std::string& folder, const RunFailure& failure, const OutputOptions& options) {
  const std::string text = json_text(failure_json(failure));
  const std::filesystem::path target = checked_target(folder, options.overwrite, names_of_output());
  if (std::filesystem::exists(target)) {
    replace_file(target, kFailureFile, text);
  } else {
    FolderSwap swap(folder, options.overwrite, names_of_output());
    write_file(swap.folder() / kFailureFile, text);
    swap.commit();
  }
  return (std::filesystem::path(folder) / kFailureFile).string();
}

bool holds_no_results(const std::string& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name == kFailureFile) continue;
    if (name != kCheckpointFolder || !newest_checkpoint(folder).empty()) return false;
  }
  return true;
}

bool holds_whole_results(const std::string& folder, std::int64_t num_iterations) {
  std::ifstream file(std::filesystem::path(folder) / "summary.json", std::ios::binary);
  const auto summary = nlohmann::json::parse(file, nullptr, false);
  if (!summary.is_object()) return false;
  const auto sampler = summary.find("sampler");
  return sampler != summary.end() && sampler->is_object() && sampler->contains("iterations") &&
         sampler->contains("interrupted") && (*sampler)["interrupted"] == false &&
         (*sampler)["iterations"] == num_iterations;
}

void write_output_folder(const std::string& folder, const InferenceResult& result, const Posterior& posterior,
                         const OutputOptions& options) {
  write_output_files(folder, run_facts(result, posterior), options);
}

}  // namespace sojourn
