#include "cli/slurm_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <sstream>

#include "cli/json_writer.hpp"
#include "cli/slurm_script.hpp"
#include "sojourn/error.hpp"

namespace sojourn::cli {
namespace {

TEST(SlurmSeconds, EveryFormThatSlurmTakes) {
  // man sbatch: minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes, and with seconds.
  EXPECT_EQ(slurm_seconds("90"), 5400);
  EXPECT_EQ(slurm_seconds("90:30"), 5430);
  EXPECT_EQ(slurm_seconds("1:02:03"), 3723);
  EXPECT_EQ(slurm_seconds("100:00:00"), 360000);
  EXPECT_EQ(slurm_seconds("2-3"), 183600);
  EXPECT_EQ(slurm_seconds("2-3:04"), 183840);
  EXPECT_EQ(slurm_seconds("2-03:04:05"), 183845);
  for (const char* const text : {"", "-", "1-", "-1", ":", "1:", ":1", "1:60", "1:60:00", "1-0:60", "1:2:3:4",
                                 "1-2:3:4:5", "a", "1a", "1.5", " 1", "UNLIMITED", "1234567", "1-1-1"})
    EXPECT_EQ(slurm_seconds(text), -1) << text;
}

TEST(JobName, WhatIsLeftOfAnyText) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (unsigned n = random() % 80; n-- > 0;) text += static_cast<char>(random() % 255 + 1);
    EXPECT_NO_THROW(expect_job_name("name", as_job_name(text))) << text;
  }
  EXPECT_EQ(as_job_name("run 1"), "run-1");
  EXPECT_EQ(as_job_name("../x"), "x");
  EXPECT_EQ(as_job_name("..."), "sojourn");
}

/// Lines of the script that are none of values: what a text from outside may never add to.
std::vector<std::string> skeleton(const std::string& script) {
  std::vector<std::string> lines;
  std::istringstream text(script);
  for (std::string line; std::getline(text, line);) {
    const bool is_directive = line.rfind("#SBATCH", 0) == 0;
    lines.push_back(is_directive ? line.substr(0, line.find('=')) : line.substr(0, 6));
  }
  return lines;
}

TEST(SlurmScript, NoTextFromOutsideAddsALine) {
  constexpr std::string_view kBytes = "ab1 ;|&$`'\"\\\n\r\t#(){}<>*?!~=-+./,:@%^[]\x7f";
  std::mt19937 random(2);
  SlurmWork work = work_of_file("run.yaml", "python3");
  const auto script_of = [&](const std::string& value) {
    JsonWriter json;
    json.begin_object().member("partition", "p" + value).member("qos", "q");
    json.key("modules_to_load").begin_array().value("m" + value).end_array();
    json.key("env_vars").begin_object().member("A", value).end_object().end_object();
    return slurm_script(parse_slurm_config(json.take(), "c.json", {}), work);
  };
  const std::vector<std::string> expected = skeleton(script_of("x"));
  int accepted = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string value;
    for (unsigned n = random() % 4; n-- > 0;) value += kBytes[random() % kBytes.size()];
    try {
      const std::string script = script_of(value);
      ++accepted;
      ASSERT_EQ(skeleton(script), expected) << value;
      ASSERT_THAT(script, ::testing::HasSubstr("#SBATCH --partition=p" + value + "\n"));
    } catch (const UsageError&) {
      continue;
    }
  }
  EXPECT_GT(accepted, 500);
}

TEST(SlurmConfigFile, AnyTextIsAConfigurationOrAnError) {
  std::mt19937 random(3);
  const std::string good =
      "name: x\nnodes: 2\ncpus_per_node: 8\nmemory_per_cpu: 8G\ntime_limit: 1-02:03:04\nenv_vars: {A: b}\n";
  for (int round = 0; round < 5000; ++round) {
    std::string text = good;
    for (unsigned n = random() % 3 + 1; n-- > 0;) text[random() % text.size()] = static_cast<char>(random() % 256);
    try {
      (void)slurm_script(parse_slurm_config(text, "c.yaml", {}), work_of_file("run.yaml", "python3"));
    } catch (const Error& error) {
      EXPECT_THAT(static_cast<int>(error.exit_code()), ::testing::AnyOf(2, 3));
    }
  }
}

}  // namespace
}  // namespace sojourn::cli
