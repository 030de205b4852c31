#include <filesystem>

#include "result/failure_json.hpp"
#include "result/folder_swap.hpp"
#include "result/json_text.hpp"
#include "result/netcdf_file.hpp"
#include "result/output_files.hpp"
#include "result/report.hpp"
#include "result/run_facts.hpp"
#include "result/summary_json.hpp"
#include "result/tables.hpp"
#include "sojourn/result.hpp"

namespace sojourn {

namespace {

constexpr const char* kFailureFile = "failure.json";

/// What a folder may hold and still be replaced by --overwrite.
const std::vector<std::string>& names_of_output() {
  static const std::vector<std::string> names = {"summary.json", "particles.csv", "trace.csv",  "convergence.csv",
                                                 "posterior.nc", "report.html",   "checkpoint", kFailureFile};
  return names;
}

}  // namespace

void write_output_files(const std::string& folder, const RunFacts& facts, const OutputOptions& options) {
  FolderSwap swap(folder, options.overwrite, names_of_output());
  const auto& in = swap.folder();
  write_file(in / "summary.json", json_text(summary_json(facts)));
  write_file(in / "particles.csv", particles_csv(facts));
  write_file(in / "convergence.csv", convergence_csv(facts));
  if (!facts.result->svgd.history.empty()) write_file(in / "trace.csv", trace_csv(facts));
  write_posterior_netcdf((in / "posterior.nc").string(), facts);
  write_file(in / "report.html", report_html(facts));
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

void write_output_folder(const std::string& folder, const InferenceResult& result, const Posterior& posterior,
                         const OutputOptions& options) {
  write_output_files(folder, run_facts(result, posterior), options);
}

}  // namespace sojourn
