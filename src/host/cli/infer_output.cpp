#include "cli/infer_output.hpp"

#include <xxhash.h>

#include <filesystem>

#include "cli/text_table.hpp"
#include "expects.hpp"
#include "result/efficiency_class.hpp"

namespace sojourn::cli {
std::string result_text(const InferenceResult& result, const std::string& folder) {
  const auto seconds = result.seconds.find("total");
  std::string text =
      fmt::format("{}: {} particles, {} iterations in {} (seed {}, {})\n", result.model_name,
                  result.particles.num_rows(), result.svgd.iterations_done,
                  format_duration(seconds == result.seconds.end() ? 0 : seconds->second), result.seed, result.device);
  if (const RankEfficiency& on_ranks = result.svgd.on_ranks; on_ranks.seconds_iteration > 0) {
    const std::string mesh = on_ranks.part_shares == 1 ? ""
                                                       : fmt::format(", {} x {} (particles x observations)",
                                                                     on_ranks.particle_shares, on_ranks.part_shares);
    const std::string advice = efficiency_advice(on_ranks.efficiency);
    text += fmt::format("{} ranks{}: {:.3g} ms an iteration, {:.3g} ms on one, efficiency {:.0f} % ({}{})\n",
                        result.num_ranks, mesh, 1e3 * on_ranks.seconds_iteration, 1e3 * on_ranks.seconds_alone,
                        100 * on_ranks.efficiency, efficiency_class(on_ranks.efficiency),
                        advice.empty() ? "" : ": " + advice);
  }
  text += '\n';
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
  text += fmt::format("\nresults  {}\nreport   {}\n", folder, (std::filesystem::path(folder) / "report.html").string());
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
