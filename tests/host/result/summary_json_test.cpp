#include "result/summary_json.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "host/result/made_up_run.hpp"
#include "result/json_text.hpp"
#include "sojourn/info.hpp"

namespace sojourn {
namespace {

using Json = nlohmann::ordered_json;

TEST(JsonText, SeventeenDigitsAndNoNaN) {
  Json value;
  value["third"] = 1.0 / 3;
  value["nan"] = std::nan("");
  value["inf"] = std::numeric_limits<double>::infinity();
  value["whole"] = std::uint64_t{18446744073709551615ULL};
  value["row"] = {1.5, 2};
  value["text"] = "a\"b\xff";
  const std::string text = json_text(value);
  EXPECT_NE(text.find("0.33333333333333331"), std::string::npos);
  const Json back = Json::parse(text);
  EXPECT_EQ(back["third"].get<double>(), 1.0 / 3);
  EXPECT_TRUE(back["nan"].is_null());
  EXPECT_TRUE(back["inf"].is_null());
  EXPECT_EQ(back["whole"].get<std::uint64_t>(), 18446744073709551615ULL);
  EXPECT_EQ(back["text"].get<std::string>(), "a\"b\xEF\xBF\xBD");
  EXPECT_EQ(json_text(Json::object()), "{}\n");
}

TEST(SummaryJson, HasEveryPromisedKey) {
  const auto run = made_up_run();
  const Json json = Json::parse(json_text(summary_json(run->facts)));
  for (const char* key : {"schema",      "status",
                          "verdict",     "model",
                          "data",        "parameters",
                          "fixed",       "sampler",
                          "map",         "laplace_covariance",
                          "diagnostics", "timings_seconds",
                          "throughput",  "routes",
                          "predictive",  "data_compression",
                          "build",       "device",
                          "ranks",       "threads",
                          "seed",        "command",
                          "warnings",    "resumes"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json["status"], "ok");
  EXPECT_EQ(json["verdict"], "WARN");
  EXPECT_EQ(json["ranks"], 1);
  EXPECT_EQ(json["instruction_set"], to_string(instruction_set()));
  EXPECT_EQ(json["seed"].get<std::uint64_t>(), 18446744073709551615ULL);
  const Json& theta = json["parameters"]["theta"];
  for (const char* key : {"2.5", "5", "25", "50", "75", "95", "97.5"}) {
    EXPECT_TRUE(theta["quantiles"].contains(key)) << key;
  }
  EXPECT_EQ(theta["quantiles"]["97.5"].get<double>(), run->result.parameters[0].q975);
  EXPECT_EQ(theta["mean"].get<double>(), run->result.parameters[0].mean);
  EXPECT_EQ(theta["prior"], "lognormal(mean=0, sd=1)");
  EXPECT_EQ(theta["transform"], "log");
  EXPECT_EQ(theta["status"], "ok");
  EXPECT_EQ(json["map"]["theta"], 1);  // exp(0)
  EXPECT_EQ(json["fixed"]["split_time"], 1.5);
  EXPECT_EQ(json["data"]["weight"], 120);
  EXPECT_EQ(json["data"]["exact"].get<double>() + json["data"]["right_censored"].get<double>(), 120);
  EXPECT_EQ(json["diagnostics"].size(), 4U);
  EXPECT_EQ(json["diagnostics"][1]["verdict"], "WARN");
  EXPECT_EQ(json["throughput"]["particle_iterations_per_second"].get<double>(), 200 * 500 / 3.2);
  EXPECT_EQ(json["throughput"]["particle_likelihoods_per_second"].get<double>(), 200 * 500 / 2.6);
  EXPECT_EQ(json["routes"]["worst_error_bound"].get<double>(), 3.2e-10);
}

TEST(SummaryJson, NotFiniteBecomesNullWithAStatus) {
  auto run = made_up_run();
  run->facts.parameters[1].summary.sd = std::nan("");
  run->result.svgd.diagnostics[0].value = std::numeric_limits<double>::infinity();
  const std::string text = json_text(summary_json(run->facts));
  const Json json = Json::parse(text);
  EXPECT_TRUE(json["parameters"]["growth_rate"]["sd"].is_null());
  EXPECT_EQ(json["parameters"]["growth_rate"]["status"], "not_finite");
  EXPECT_EQ(json["parameters"]["theta"]["status"], "ok");
  EXPECT_TRUE(json["diagnostics"][0]["value"].is_null());
  EXPECT_EQ(json["status"], "not_finite");
}

TEST(SummaryJson, StagesAndResumes) {
  const auto run = made_up_run();
  EXPECT_FALSE(summary_json(run->facts).contains("stages"));
  run->result.stages = {{50, 200, 0.1, 1e-6, DataCompression::kOff, 1.5, "coarse", "c0", "d0"},
                        {200, 500, 0.05, 1e-9, DataCompression::kAuto, 0, "", "", ""}};
  run->result.resumed_at = {120, 640};
  const Json json = summary_json(run->facts);
  EXPECT_EQ(json["stages"].size(), 2u);
  EXPECT_EQ(json["stages"][0]["particles"], 50);
  EXPECT_EQ(json["stages"][0]["data_compression"], "off");
  EXPECT_EQ(json["stages"][0]["model"]["name"], "coarse");
  EXPECT_EQ(json["stages"][0]["model"]["digest"], "c0");
  EXPECT_EQ(json["stages"][0]["data"]["digest"], "d0");
  EXPECT_EQ(json["stages"][1]["tolerance"], 1e-9);
  EXPECT_EQ(json["resumes"]["count"], 2);
  EXPECT_EQ(json["resumes"]["at_iterations"][1], 640);
}

TEST(SummaryJson, CountsWhatADeviceLeftToTheCpu) {
  const auto run = made_up_run();
  EXPECT_TRUE(summary_json(run->facts)["device_likelihoods"].is_null());
  run->result.device_work = {.name = "cuda:0",
                             .num_served = 900,
                             .num_by_steps = 70,
                             .num_bad_rates = 1,
                             .num_not_real = 2,
                             .num_uncertified = 4,
                             .num_narrow = 8,
                             .num_in_doubt = 16,
                             .num_coarse = 32,
                             .num_many_steps = 64};
  const Json json = summary_json(run->facts)["device_likelihoods"];
  EXPECT_EQ(json["served"], 900);
  EXPECT_EQ(json["by_steps"], 70);
  EXPECT_EQ(json["on_cpu"], 127);
  EXPECT_EQ(json["on_cpu_because"], (Json{{"uncertified", 4},
                                          {"gradient_in_doubt", 16},
                                          {"poles_not_real", 2},
                                          {"too_many_steps", 64},
                                          {"bad_rates", 1},
                                          {"narrow_interval", 8},
                                          {"beyond_finest_level", 32}}));
}

TEST(SummaryJson, InterruptedSaysSo) {
  auto run = made_up_run();
  run->result.svgd.interrupted = true;
  EXPECT_EQ(summary_json(run->facts)["status"], "interrupted");
}

TEST(SummaryJson, NoTimeMeasuredGivesNullRates) {
  auto run = made_up_run();
  run->result.svgd.seconds_total = 0;
  EXPECT_TRUE(summary_json(run->facts)["throughput"]["particle_iterations_per_second"].is_null());
}

TEST(Verdict, WorstOfAll) {
  SvgdResult svgd;
  EXPECT_EQ(overall_verdict(svgd), "WARN");  // nothing vouches for the run
  svgd.diagnostics = {{"a", 0, "PASS", ""}};
  EXPECT_EQ(overall_verdict(svgd), "PASS");
  svgd.interrupted = true;
  EXPECT_EQ(overall_verdict(svgd), "WARN");
  svgd.diagnostics.push_back({"b", 0, "FAIL", ""});
  EXPECT_EQ(overall_verdict(svgd), "FAIL");
}

}  // namespace
}  // namespace sojourn
