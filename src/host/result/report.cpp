#include "result/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "result/build_facts.hpp"
#include "result/efficiency_class.hpp"
#include "result/page_text.hpp"
#include "result/report_figures.hpp"

namespace sojourn {

namespace {

template <class... Args>
void add(std::string& page, fmt::format_string<Args...> text, Args&&... args) {
  fmt::format_to(std::back_inserter(page), text, std::forward<Args>(args)...);
}

std::string counted(double count, const char* one, const char* many) {
  return grouped(count) + " " + (count == 1 ? one : many);
}

/// A name of the files as words.
std::string spoken(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string lead(const RunFacts& facts) {
  const InferenceResult& result = *facts.result;
  double weight = 0, censored = 0, interval = 0;
  for (const Observation& item : facts.observations->items) {
    weight += item.weight;
    if (item.right_censored()) censored += item.weight;
    if (!item.right_censored() && !item.exact()) interval += item.weight;
  }
  std::string kinds;
  if (censored > 0) kinds += fmt::format("{} right-censored", grouped(censored));
  if (interval > 0) kinds += fmt::format("{}{} interval-censored", kinds.empty() ? "" : ", ", grouped(interval));
  return fmt::format("{} moved for {} by Stein variational gradient descent (SVGD) on {}{}{}.",
                     counted(static_cast<double>(result.svgd.particles.num_rows()), "particle", "particles"),
                     counted(static_cast<double>(result.svgd.iterations_done), "iteration", "iterations"),
                     counted(weight, "observation", "observations"), kinds.empty() ? "" : " (" + kinds + ")",
                     facts.observations->origin.empty() ? "" : " from " + escape_html(facts.observations->origin));
}

std::string verdict_sentence(const SvgdResult& svgd, const std::string& verdict) {
  std::string doubtful, failed;
  for (const Diagnostic& diagnostic : svgd.diagnostics) {
    if (diagnostic.verdict == "PASS") continue;
    std::string& list = diagnostic.verdict == "FAIL" ? failed : doubtful;
    list += (list.empty() ? "" : ", ") + spoken(diagnostic.name);
  }
  if (verdict == "FAIL") return fmt::format("Do not use these numbers yet. Failed: {}.", failed);
  if (svgd.diagnostics.empty()) return "No convergence check was made, so nothing vouches for these numbers.";
  if (svgd.interrupted) {
    return "The run was stopped early" + (doubtful.empty() ? std::string(".") : "; look at: " + doubtful + ".");
  }
  if (verdict == "WARN") return fmt::format("Usable with care. Look at: {}.", doubtful);
  return fmt::format("All {} convergence checks passed.", svgd.diagnostics.size());
}

void add_head(std::string& page, const RunFacts& facts) {
  const InferenceResult& result = *facts.result;
  const std::string title = "Posterior" + (result.model_name.empty() ? "" : " of " + escape_html(result.model_name));
  add(page,
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n"
      "<main>\n<h1>{0}</h1>\n<p class=\"lead\">{2}</p>\n",
      title, report_style(), lead(facts));
  const std::string verdict = overall_verdict(result.svgd);
  add(page, "<p class=\"verdict {0}\"><b class=\"tag\">{0}</b><span>{1}</span></p>\n", verdict,
      escape_html(verdict_sentence(result.svgd, verdict)));
  if (!result.warnings.empty()) {
    page += "<ul class=\"warnings\">";
    for (const std::string& warning : result.warnings) add(page, "<li><span>{}</span></li>", escape_html(warning));
    page += "</ul>\n";
  }
}

void add_parameters(std::string& page, const RunFacts& facts) {
  page +=
      "<h2>Parameters</h2>\n<p>On the natural scale. An interval holds the named share of the posterior, the rest "
      "split "
      "evenly between its two sides.</p>\n<table class=\"stack\"><thead><tr><th>Parameter</th><th>Mean</th><th>sd</th>"
      "<th>Median</th><th>90 % interval</th><th>95 % interval</th></tr></thead><tbody>\n";
  for (const ParameterFacts& parameter : facts.parameters) {
    const ParameterSummary& s = parameter.summary;
    add(page,
        "<tr><th>{}</th><td data-label=\"Mean\">{}</td><td data-label=\"sd\">{}</td><td data-label=\"Median\">{}</td>"
        "<td data-label=\"90 % interval\" class=\"nowrap\">{} to {}</td>"
        "<td data-label=\"95 % interval\" class=\"nowrap\">{} to {}</td></tr>\n",
        escape_html(s.name), short_number(s.mean), short_number(s.sd), short_number(s.q50), short_number(s.q05),
        short_number(s.q95), short_number(s.q025), short_number(s.q975));
  }
  page += "</tbody></table>\n";
  if (!facts.fixed.empty()) {
    page += "<p>Held fixed: ";
    for (std::size_t i = 0; i < facts.fixed.size(); ++i) {
      add(page, "{}{} = {}", i > 0 ? ", " : "", escape_html(facts.fixed[i].first),
          fmt::format("{:.6g}", facts.fixed[i].second));
    }
    page += ".</p>\n";
  }
}

void add_figure(std::string& page, const Figure& figure, const char* css = "") {
  if (figure.svg.empty() && figure.caption.empty()) return;
  add(page, "<figure{}>{}<figcaption>{}</figcaption></figure>\n", css, figure.svg, figure.caption);
}

void add_densities(std::string& page, const RunFacts& facts, const std::vector<DensityCurve>& curves) {
  page +=
      "<h2>Posterior and prior</h2>\n<p>Where the posterior is much narrower than the prior, the data speak; where the "
      "two agree, the data say little about that parameter.</p>\n<p><span class=\"key\"><i class=\"fifty\"></i>central "
      "50 %</span> <span class=\"key\"><i class=\"ninety\"></i>central 95 %</span> <span class=\"key\"><i "
      "class=\"prior\"></i>prior</span></p>\n<div class=\"figures\">\n";
  for (std::size_t k = 0; k < curves.size(); ++k) add_figure(page, density_figure(facts.parameters[k], curves[k]));
  page += "</div>\n";
  const Figure pairs = pair_figure(facts, curves);
  if (!pairs.svg.empty()) {
    page += "<h2>Pairs of parameters</h2>\n";
    add_figure(page, pairs, " class=\"big\"");
  }
}

void add_predictive(std::string& page, const RunFacts& facts) {
  const Figure figure = predictive_figure(facts);
  if (figure.svg.empty()) return;
  page += "<h2>Does the model fit the data?</h2>\n";
  add_figure(page, figure, " class=\"big\"");
}

void add_convergence(std::string& page, const RunFacts& facts) {
  const SvgdResult& svgd = facts.result->svgd;
  page += "<h2>Did the particles settle?</h2>\n";
  if (!svgd.diagnostics.empty()) {
    page +=
        "<table class=\"stack\"><thead><tr><th>Check</th><th>Value</th><th>Verdict</th><th class=\"text\">What it "
        "means</th></tr>"
        "</thead><tbody>\n";
    for (const Diagnostic& diagnostic : svgd.diagnostics) {
      const bool known = diagnostic.verdict == "PASS" || diagnostic.verdict == "FAIL";
      add(page,
          "<tr><th>{}</th><td data-label=\"Value\">{}</td><td data-label=\"Verdict\"><b class=\"tag {}\">{}</b></td>"
          "<td class=\"text\">{}</td></tr>\n",
          escape_html(spoken(diagnostic.name)), short_number(diagnostic.value), known ? diagnostic.verdict : "WARN",
          escape_html(diagnostic.verdict), escape_html(diagnostic.explanation));
    }
    page += "</tbody></table>\n<p></p>\n";
  }
  const std::vector<Figure> figures = convergence_figures(svgd);
  page += "<div class=\"figures\">\n";
  for (const Figure& figure : figures) add_figure(page, figure);
  if (svgd.history.size() > 1) {
    for (std::size_t k = 0; k < facts.parameters.size(); ++k) add_figure(page, trace_figure(facts, k));
  }
  page += "</div>\n";
}

std::string routes_text(const Posterior::RouteCounts& routes) {
  std::string text;
  const auto part = [&text](std::int64_t count, const char* name) {
    if (count > 0)
      text += fmt::format("{}{} by {}", text.empty() ? "" : ", ", grouped(static_cast<double>(count)), name);
  };
  part(routes.contour, "contour");
  part(routes.saddlepoint, "saddlepoint");
  part(routes.uniformization, "uniformization");
  part(routes.stepping, "stepping");
  part(routes.closed, "closed form");
  if (text.empty()) return text;
  return text + fmt::format("; worst relative error bound {}", short_number(routes.worst_error_bound));
}

void add_row(std::string& page, const char* term, const std::string& text, bool code = false) {
  if (text.empty()) return;
  add(page, "<dt>{}</dt><dd>{}{}{}</dd>\n", term, code ? "<code>" : "", escape_html(text), code ? "</code>" : "");
}

void add_run(std::string& page, const RunFacts& facts) {
  const InferenceResult& result = *facts.result;
  const BuildInfo build = build_facts();
  page += "<h2>How it was run</h2>\n<dl>\n";
  add_row(page, "Command", result.command, true);
  add_row(page, "Seed", std::to_string(result.seed));
  add_row(page, "Device", fmt::format("{}, {} kernels", result.device, to_string(instruction_set())));
  add_row(page, "Threads", fmt::format("{} on {}", result.num_threads, counted(result.num_ranks, "rank", "ranks")));
  if (result.num_ranks > 1) {
    add_row(page, "Communication",
            fmt::format("{:.1f} % of the time on the first rank, waiting included; {} calls, {:.3g} MB",
                        100 * result.communication_share, result.communication.num_calls,
                        static_cast<double>(result.communication.bytes) / 1e6));
  }
  if (const RankEfficiency& on_ranks = result.svgd.on_ranks; on_ranks.seconds_iteration > 0) {
    add_row(page, "Efficiency",
            fmt::format(
                "{:.0f} % ({}): an iteration took {:.3g} ms on {} ranks and would take {:.3g} ms on one, whose share "
                "of the particles was timed alone",
                100 * on_ranks.efficiency, efficiency_class(on_ranks.efficiency), 1e3 * on_ranks.seconds_iteration,
                result.num_ranks, 1e3 * on_ranks.seconds_alone));
  }
  add_row(page, "Model digest", result.model_digest, true);
  add_row(page, "Data digest", result.data_digest, true);
  add_row(page, "Likelihood terms", routes_text(result.routes));
  add_row(page, "Data compression", compression_text(result.compression));
  std::string parts;
  if (build.openmp) parts += ", OpenMP";
  if (build.cuda) parts += ", CUDA " + build.cuda_version;
  if (build.nccl) parts += ", NCCL " + build.nccl_version;
  if (build.mpi) parts += ", MPI " + build.mpi_version;
  add_row(page, "Build", fmt::format("Sojourn {}, {}, {}{}", build.version, build.compiler, build.build_type, parts));
  page += "</dl>\n";
  if (result.seconds.empty()) return;
  std::vector<std::pair<std::string, double>> phases(result.seconds.begin(), result.seconds.end());
  std::stable_sort(phases.begin(), phases.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  const double longest = std::max(phases.front().second, 1e-300);
  page += "<table><thead><tr><th>Phase</th><th>Time</th><th></th></tr></thead><tbody>\n";
  for (const auto& [phase, seconds] : phases) {
    add(page,
        "<tr><th>{}</th><td class=\"nowrap\">{}</td><td class=\"bars\"><i class=\"bar\" "
        "style=\"width:{:.1f}%\"></i></td></tr>\n",
        escape_html(phase), short_seconds(seconds), std::clamp(100 * seconds / longest, 0.0, 100.0));
  }
  page += "</tbody></table>\n";
}

}  // namespace

std::string report_html(const RunFacts& facts) {
  std::vector<DensityCurve> curves;
  for (const ParameterFacts& parameter : facts.parameters) curves.push_back(density_curve(parameter));
  std::string page;
  add_head(page, facts);
  add_parameters(page, facts);
  add_predictive(page, facts);
  add_densities(page, facts, curves);
  add_convergence(page, facts);
  add_run(page, facts);
  page +=
      "<footer>Numbers behind this page: summary.json, particles.csv, convergence.csv and posterior.nc in the same "
      "folder.</footer>\n</main>\n</body>\n</html>\n";
  return page;
}

}  // namespace sojourn
