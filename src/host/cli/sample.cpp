#include "sojourn/sample.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/json_writer.hpp"
#include "cli/numbers.hpp"
#include "cli/streams.hpp"
#include "cli/text_table.hpp"
#include "cli/theta.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

constexpr std::int64_t kMaxDraws = 1'000'000'000;
constexpr std::size_t kFlushBytes = 1 << 20;

struct SampleOptions {
  CommonOptions common;
  std::string model, theta, num_draws = "1", seed = "1";
  std::vector<std::string> rewards;
  bool json = false, header = false;
};

ExitCode draw(const SampleOptions& options) {
  const std::int64_t num_draws = parse_whole("-n", options.num_draws, 1, kMaxDraws);
  const std::uint64_t seed = parse_seed("--seed", options.seed);
  const int num_threads = options.common.num_threads();
  const Model model = load_model(options.model, options.common.limits());
  print_warnings(model);
  SOJOURN_EXPECTS(!options.theta.empty() || model.parameters.empty(), UsageError,
                  "no parameters given; add --theta with one value per parameter");
  const std::vector<double> theta = options.theta.empty() ? std::vector<double>() : parse_theta(model, options.theta);
  const std::vector<NamedReward> rewards = choose_rewards(model, options.rewards);
  std::vector<std::span<const double>> vectors;
  std::vector<std::string> names;
  for (const NamedReward& reward : rewards) {
    vectors.emplace_back(reward.values);
    names.push_back(reward.name);
  }
  const Device device = open_device(options.common.device);
  const Matrix<double> draws = device ? sample(model, theta, vectors, num_draws, seed, *device.sampling)
                                      : sample(model, theta, vectors, num_draws, seed, num_threads);
  if (device) write_stderr(fmt::format("{} draws on {}\n", format_count(num_draws), device.sampling->name()));
  const auto outside = std::ranges::count_if(draws.values(), [](double draw) { return !std::isfinite(draw); });
  const ExitCode code = outside == 0 ? ExitCode::kDone : ExitCode::kNumerical;
  if (outside > 0)
    write_stderr(
        fmt::format("error: {}: {} number{} drawn {} beyond the range of double precision; change the unit "
                    "of the rates\n",
                    describe_theta(model, theta), outside, outside == 1 ? "" : "s", outside == 1 ? "is" : "are"));
  if (options.json) {
    JsonWriter json;
    json.begin_object().member("model", model.name).member("seed", seed);
    json.key("theta").values(theta).key("rewards").values(names);
    json.key("draws").nested(draws.values(), std::vector<std::size_t>{draws.num_rows(), draws.num_cols()});
    write_stdout(json.end_object().take());
    return code;
  }
  std::string text;
  if (options.header) {
    for (std::size_t r = 0; r < names.size(); ++r) text += (r > 0 ? "," : "") + names[r];
    text += '\n';
  }
  for (std::size_t i = 0; i < draws.num_rows(); ++i) {
    for (std::size_t r = 0; r < draws.num_cols(); ++r) {
      if (r > 0) text += ',';
      text += format_number(draws(i, r));
    }
    text += '\n';
    if (text.size() >= kFlushBytes) {
      write_stdout(text);
      text.clear();
    }
  }
  write_stdout(text);
  return code;
}

}  // namespace

Action add_sample(CLI::App& app) {
  const auto options = std::make_shared<SampleOptions>();
  app.add_option("MODEL", options->model, "Model file; - is standard input")->required();
  app.add_option("--theta", options->theta, "One value per parameter, in the model's order")->type_name("A,B,...");
  app.add_option("-n,--draws", options->num_draws, "Number of draws")->type_name("N")->default_str("1");
  app.add_option("--seed", options->seed,
                 "Whole number; the same seed gives the same draws on any machine, on a GPU to 14 digits")
      ->type_name("S")
      ->default_str("1");
  add_repeatable(app, "--rewards", options->rewards, "NAME", "Reward to gather [time]; repeatable: one column each");
  app.add_flag("--header", options->header, "Print the names of the rewards as the first line");
  app.add_flag("--json", options->json, "Print one JSON object with member draws [draw][reward]");
  add_device_option(app, options->common);
  add_thread_option(app, options->common);
  add_limit_options(app, options->common);
  app.footer(
      "Prints one draw per line, columns parted by commas.\n\n"
      "Example:\n  sojourn sample kingman.yaml --theta 1.5 -n 1000 --seed 7 > heights.txt");
  return [options] { return draw(*options); };
}

}  // namespace sojourn::cli
