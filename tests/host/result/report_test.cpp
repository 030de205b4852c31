#include "result/report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "host/result/made_up_run.hpp"
#include "result/density_estimate.hpp"

namespace sojourn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// First fault in the nesting of tags, or nothing. Knows HTML's void elements and quoted attributes.
std::string nesting_fault(const std::string& page) {
  static const std::set<std::string> kVoid = {"meta", "br", "link", "img", "hr"};
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    if (page.compare(at, 2, "<!") == 0) continue;
    std::size_t end = at + 1;
    for (bool quoted = false; end < page.size() && (quoted || page[end] != '>'); ++end) {
      if (page[end] == '"') quoted = !quoted;
      if (page[end] == '<') return "'<' inside a tag near " + page.substr(at, 60);
    }
    if (end == page.size()) return "tag without end: " + page.substr(at, 60);
    const bool closing = page[at + 1] == '/';
    const std::size_t from = at + (closing ? 2 : 1);
    const std::string name = page.substr(from, page.find_first_of(" >/\n", from) - from);
    if (name.empty()) return "nameless tag near " + page.substr(at, 60);
    if (closing) {
      if (open.empty() || open.back() != name)
        return "</" + name + "> closes <" + (open.empty() ? "" : open.back()) + ">";
      open.pop_back();
    } else if (page[end - 1] != '/' && !kVoid.contains(name)) {
      open.push_back(name);
    }
    if (name == "style" && !closing)
      at = page.find("</style", at) - 1;
    else
      at = end;
  }
  return open.empty() ? "" : "<" + open.back() + "> is never closed";
}

/// What holds for every page.
void expect_sound(const std::string& page) {
  EXPECT_EQ(nesting_fault(page), "");
  EXPECT_THAT(page, Not(HasSubstr("http")));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("@import")));
  EXPECT_THAT(page, Not(HasSubstr("url(")));
  EXPECT_THAT(page, Not(HasSubstr("nan")));
  EXPECT_FALSE(std::regex_search(page, std::regex(R"((d|x|y|width|height)="[^"]*(inf|nan))")));
  EXPECT_THAT(page, HasSubstr("<meta name=\"viewport\""));
}

TEST(NestingFault, FindsFaults) {
  EXPECT_EQ(nesting_fault("<p>a<br><b class=\"x>y\">b</b></p>"), "");
  EXPECT_NE(nesting_fault("<p><b></p></b>"), "");
  EXPECT_NE(nesting_fault("<p>"), "");
  EXPECT_NE(nesting_fault("a < b <p></p>"), "");
}

TEST(Report, WellFormedAndSelfContained) {
  const std::string page = report_html(made_up_run()->facts);
  expect_sound(page);
  EXPECT_THAT(page, HasSubstr("two &lt;demes&gt; &amp; a split"));
  EXPECT_THAT(page, HasSubstr("times &amp; places.csv"));
  EXPECT_THAT(page, HasSubstr("18446744073709551615"));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme:dark"));
  for (const char* section : {"Parameters", "Does the model fit the data?", "Posterior and prior",
                              "Pairs of parameters", "Did the particles settle?", "How it was run"}) {
    EXPECT_THAT(page, HasSubstr("<h2>" + std::string(section)));
  }
}

TEST(Report, PairsOnlyForTwoToSixParameters) {
  EXPECT_THAT(report_html(made_up_run(1)->facts), Not(HasSubstr("<h2>Pairs")));
  EXPECT_THAT(report_html(made_up_run(2)->facts), HasSubstr("<h2>Pairs"));
  EXPECT_THAT(report_html(made_up_run(6)->facts), HasSubstr("<h2>Pairs"));
  EXPECT_THAT(report_html(made_up_run(8)->facts), Not(HasSubstr("<h2>Pairs")));
}

TEST(Report, HostileTextIsEscaped) {
  auto run = made_up_run(2, 50);
  const std::string hostile = "</style><img src=x onerror='alert(1)'>\"\xff\x01{}";
  run->facts.parameters[0].summary.name = run->facts.parameters[1].summary.prior = hostile;
  run->result.model_name = run->result.command = run->result.device = run->observations.origin = hostile;
  run->result.warnings = {hostile};
  run->result.predictive.notes = {hostile};
  run->result.svgd.diagnostics = {{hostile, 1, hostile, hostile}};
  run->result.seconds = {{hostile, 1.0}};
  run->facts.fixed = {{hostile, 1.0}};
  const std::string page = report_html(run->facts);
  expect_sound(page);
  EXPECT_THAT(page, Not(HasSubstr("<img")));
}

TEST(Report, DegenerateRuns) {
  expect_sound(report_html(made_up_run(2, 1)->facts));  // one particle has no density
  expect_sound(report_html(made_up_run(2, 2)->facts));
  expect_sound(report_html(made_up_run(2, 10, false)->facts));
  auto run = made_up_run(2, 50);
  run->result.predictive = {};
  run->result.svgd.trace_mean_log_density.assign(500, -3.0);
  run->result.svgd.trace_step.assign(500, 0.0);
  run->result.svgd.diagnostics.clear();
  run->result.seconds.clear();
  run->result.routes = {};
  for (auto& value : run->facts.parameters[0].unconstrained) value = 1;
  expect_sound(report_html(run->facts));
}

TEST(Report, NumbersThatAreNotFinite) {
  auto run = made_up_run(2, 50);
  run->result.svgd.trace_mean_log_density[3] = -std::numeric_limits<double>::infinity();
  run->result.svgd.trace_mean_log_density[4] = std::nan("");
  run->result.svgd.trace_step[5] = std::nan("");
  run->facts.parameters[0].summary.sd = std::nan("");
  run->facts.parameters[1].unconstrained[0] = std::nan("");
  run->facts.parameters[1].natural[0] = std::nan("");
  run->result.predictive.lower[5] = std::nan("");
  expect_sound(report_html(run->facts));
}

TEST(Report, FailureIsTheFirstThingSaid) {
  auto run = made_up_run();
  run->result.svgd.diagnostics[0].verdict = "FAIL";
  const std::string page = report_html(run->facts);
  EXPECT_THAT(page, HasSubstr("Do not use these numbers yet. Failed: stein moment."));
}

TEST(Report, LongRunsStaySmall) {
  auto run = made_up_run(3, 5000, false);
  run->result.svgd.trace_mean_log_density.assign(200'000, -1.0);
  run->result.svgd.trace_step.assign(200'000, 0.1);
  PredictiveCheck& check = run->result.predictive;
  check.data_x = check.data_survival = {};
  for (int i = 0; i < 100'000; ++i) {
    check.data_x.push_back(6e-5 * i);
    check.data_survival.push_back(1 - 1e-5 * i);
  }
  check.data_lower = check.data_upper = check.data_survival;
  check.censored_x = check.data_x;
  // Every series is cut to what a screen can show: far below a megabyte whatever the run.
  EXPECT_LT(report_html(run->facts).size(), 300'000U);
}

TEST(DensityCurve, NormalParticlesGiveTheirDensityOnTheNaturalScale) {
  // Particles at the quantiles of a standard normal in z, theta = exp(z): the log-normal density comes out, widened by
  // the kernel: N(0, 1 + h^2).
  auto run = made_up_run(1, 4000);
  ParameterFacts& parameter = run->facts.parameters[0];
  FixedSequence random;
  for (double& z : parameter.unconstrained) z = random.normal();
  const DensityCurve curve = density_curve(parameter);
  ASSERT_EQ(curve.x.size(), 160U);
  double area = 0;
  for (std::size_t k = 0; k < curve.x.size(); ++k) {
    const double z = std::log(curve.x[k]);
    const double truth = std::exp(-0.5 * z * z - z) / std::sqrt(2 * std::numbers::pi);
    // Kernel estimate of 4000 draws: sd about sqrt(f_z / (2 sqrt(pi) n h)) = 0.02 on the z scale; five of them.
    EXPECT_NEAR(curve.posterior[k] * curve.x[k], truth * curve.x[k], 0.05);
    EXPECT_NEAR(curve.prior[k], truth, 1e-12 * (1 + truth));
    if (k > 0) area += 0.5 * (curve.posterior[k] + curve.posterior[k - 1]) * (curve.x[k] - curve.x[k - 1]);
  }
  EXPECT_NEAR(area, 0.99, 0.02);
}

}  // namespace
}  // namespace sojourn
