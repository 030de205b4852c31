// Moments and log likelihoods on the current CUDA device beside the same on one CPU thread, as shares of what shared
// memory allows. Usage: device_bench [--lanes N] [--repetitions N] [--only moments|likelihoods|iterations] [--profile]
//                                        prints one JSON object, with the rows of one kind alone or of all
//                       device_bench --plan    what is predicted; needs no GPU
// --profile: each kernel once and nothing on the CPU beside it, for ncu.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "device/evaluation/moment_kernel.hpp"
#include "device/support/buffer.cuh"
#include "device/support/device_ceiling.hpp"
#include "device_iteration.hpp"
#include "device_likelihood.hpp"
#include "device_plan.hpp"
#include "elimination/level_schedule.hpp"
#include "elimination/prc_arrays.hpp"
#include "evaluation/moment_lane_shape.hpp"
#include "evaluation/moment_replay.hpp"
#include "sojourn/families.hpp"

namespace sojourn::bench {
namespace {

struct Case {
  std::string name;
  Model model;
  int order;
  bool gradient;
  bool single = false;
};

constexpr int kWarmUp = 3;

struct Row {
  double microseconds = 0, low = 0, high = 0;  ///< of all lanes on the device, kernel alone
  double host_microseconds = 0;                ///< the same on one CPU thread
  double worst_difference = 0;                 ///< relative, of values
  double multiply_adds = 0;                    ///< a lane
  Mapping mapping;
  bool chosen = false;  ///< the mapping that is taken where none is asked for
};

Matrix<double> scattered(std::size_t num_lanes, std::size_t num_rates) {
  Matrix<double> phi(num_lanes, num_rates);
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> factor(0, 0.2);
  for (double& value : phi.values()) value = factor(random);
  return phi;
}

/// Both mappings of one case, beside each other.
std::vector<Row> measure(const Case& one, std::size_t num_lanes, int repetitions, bool profile) {
  const Prc prc = eliminate(one.model.graph);
  const PrcArrays& arrays = prc.arrays();
  const DeviceProgram program(by_level(arrays));
  const MomentLaneShape shape = moment_lane_shape(arrays, one.order, one.gradient, one.single);
  const auto num_rates = static_cast<std::size_t>(one.model.rates.num_rates());
  const Matrix<double> phi = scattered(num_lanes, num_rates);
  std::vector<double> reward(arrays.state_of_row.size(), 1.0), lane_phi(phi.size());
  for (std::size_t l = 0; l < num_lanes; ++l)
    for (std::size_t r = 0; r < num_rates; ++r) lane_phi[r * num_lanes + l] = phi(l, r);

  const auto count = static_cast<std::int64_t>(num_lanes);
  const DeviceStream stream;
  DeviceBuffer<double> device_reward(reward.size()), device_phi(lane_phi.size()), values(num_lanes * one.order),
      gradient(one.gradient ? num_lanes * one.order * num_rates : 0);
  DeviceBuffer<unsigned char> in_doubt(num_lanes);
  device_reward.upload(reward, stream.get());
  device_phi.upload(lane_phi, stream.get());
  std::vector<double> host(num_lanes * one.order), by_rate(one.gradient ? host.size() * num_rates : 0);
  const auto start = std::chrono::steady_clock::now();
  if (!profile)
    replay_moments(one.model.graph, prc, phi.view(), one.model.graph.unit_reward(), one.order, host, by_rate, 1);
  const double host_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  struct Contender {
    MomentWay way;
    DeviceBuffer<double> slots;
    std::vector<double> times;
  };
  std::vector<Contender> contenders;
  for (const MappingChoice choice : {MappingChoice::kThreads, MappingChoice::kLevels}) {
    Contender& contender = contenders.emplace_back();
    contender.way = way_of_moments(program, shape, count, choice);
    const Mapping& mapping = contender.way.mapping;
    const std::int64_t in_work =
        std::min(contender.way.resident_lanes, mapping.num_blocks(count) * mapping.lanes_per_block);
    contender.slots = DeviceBuffer<double>(static_cast<std::size_t>(in_work * mapping.global_slots));
    if (!contenders.back().way.mapping.by_levels && choice == MappingChoice::kLevels) contenders.pop_back();
  }
  cudaEvent_t begin, end;
  SOJOURN_CUDA_TRY(cudaEventCreate(&begin));
  SOJOURN_CUDA_TRY(cudaEventCreate(&end));
  const auto launch = [&](Contender& contender) {
    launch_moments({&program,
                    device_reward.data(),
                    device_phi.data(),
                    count,
                    contender.slots.data(),
                    {values.data(), gradient.data(), in_doubt.data()}},
                   contender.way, stream.get());
  };
  for (int repetition = profile ? 0 : -kWarmUp; repetition < repetitions; ++repetition) {
    for (Contender& contender : contenders) {
      SOJOURN_CUDA_TRY(cudaEventRecord(begin, stream.get()));
      launch(contender);
      SOJOURN_CUDA_TRY(cudaEventRecord(end, stream.get()));
      SOJOURN_CUDA_TRY(cudaEventSynchronize(end));
      float milliseconds = 0;
      SOJOURN_CUDA_TRY(cudaEventElapsedTime(&milliseconds, begin, end));
      if (repetition >= 0) contender.times.push_back(1e3 * milliseconds);
    }
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);

  const std::string chosen = way_of_moments(program, shape, count, MappingChoice::kAuto).mapping.to_string();
  const double solves = one.order * (one.gradient ? 2.0 : 1.0), factors = one.gradient ? 2 : 1;
  std::vector<Row> rows;
  for (Contender& contender : contenders) {
    Row& row = rows.emplace_back();
    std::sort(contender.times.begin(), contender.times.end());
    row.microseconds = contender.times[contender.times.size() / 2];
    row.low = contender.times.front();
    row.high = contender.times.back();
    row.host_microseconds = 1e6 * host_seconds;
    row.multiply_adds = factors * static_cast<double>(arrays.cost.factor_multiply_adds) +
                        solves * static_cast<double>(arrays.cost.solve_multiply_adds);
    row.mapping = contender.way.mapping;
    row.chosen = row.mapping.to_string() == chosen;
    if (profile) continue;
    launch(contender);
    std::vector<double> got(host.size());
    values.download(got, stream.get());
    stream.synchronize();
    for (std::size_t l = 0; l < num_lanes; ++l)
      for (int j = 0; j < one.order; ++j)
        row.worst_difference =
            std::max(row.worst_difference, std::abs(got[j * num_lanes + l] / host[l * one.order + j] - 1));
  }
  return rows;
}

std::vector<Case> make_cases() {
  const std::int32_t ten[] = {5, 5}, twenty[] = {10, 10};
  std::vector<Case> cases;
  for (const bool gradient : {false, true}) {
    cases.push_back({"coalescent_blocks_20", coalescent_blocks(20), 1, gradient});
    cases.push_back({"two_deme_blocks_10", structured_coalescent_blocks(ten), 1, gradient});
    cases.push_back({"two_deme_blocks_10", structured_coalescent_blocks(ten), 2, gradient});
    cases.push_back({"two_deme_blocks_20", structured_coalescent_blocks(twenty), 1, gradient});
  }
  cases.push_back({"coalescent_blocks_20", coalescent_blocks(20), 1, false, /*single=*/true});
  cases.push_back({"two_deme_blocks_10", structured_coalescent_blocks(ten), 1, false, /*single=*/true});
  return cases;
}

int run(std::size_t num_lanes, int repetitions, const std::string& only, bool profile) {
  const auto wanted = [&](const char* kind) { return only.empty() || only == kind; };
  cudaDeviceProp properties{};
  int device = 0;
  SOJOURN_CUDA_TRY(cudaGetDevice(&device));
  SOJOURN_CUDA_TRY(cudaGetDeviceProperties(&properties, device));
  const DeviceLimits limits = profile ? DeviceLimits{1, 1, 1, 1} : measure_device_limits();
  const double ceiling = limits.shared_dot;
  std::printf("{\"device\": \"%s\", \"lanes\": %zu, \"repetitions\": %d,\n", properties.name, num_lanes, repetitions);
  std::printf(
      " \"shared_dot_multiply_adds_per_second\": %.4g, \"register_multiply_adds_per_second\": %.4g,\n"
      " \"cache_bytes_per_second\": %.4g, \"memory_bytes_per_second\": %.4g,\n \"rows\": [",
      ceiling, limits.multiply_adds, limits.cache_bytes, limits.memory_bytes);
  const char* separator = "\n";
  for (const Case& one : wanted("moments") ? make_cases() : std::vector<Case>()) {
    for (const Row& row : measure(one, num_lanes, repetitions, profile)) {
      const double rate = row.multiply_adds * static_cast<double>(num_lanes) / (1e-6 * row.microseconds);
      std::printf(
          "%s  {\"case\": \"%s\", \"order\": %d, \"gradient\": %s, \"precision\": \"%s\", \"mapping\": \"%s\", "
          "\"chosen\": %s,"
          " \"shared_bytes\": %zu, \"microseconds\": %.2f, \"low\": %.2f, \"high\": %.2f, \"predicted\": %.2f,"
          " \"one_cpu_thread\": %.1f, \"multiply_adds_per_second\": %.4g, \"share_of_shared_dot\": %.3f,"
          " \"worst_relative_difference\": %.2g}",
          separator, one.name.c_str(), one.order, one.gradient ? "true" : "false", one.single ? "fp32" : "fp64",
          row.mapping.to_string().c_str(), row.chosen ? "true" : "false", row.mapping.shared_bytes, row.microseconds,
          row.low, row.high, row.mapping.microseconds, row.host_microseconds, rate, rate / ceiling,
          row.worst_difference);
      std::fflush(stdout);
      separator = ",\n";
    }
  }
  std::printf("],\n \"likelihood_rows\": [");
  separator = "\n";
  for (const DeviceLikelihoodRow& row : wanted("likelihoods")
                                            ? measure_device_likelihoods(num_lanes, repetitions, profile)
                                            : std::vector<DeviceLikelihoodRow>()) {
    const double rate = row.multiply_adds * static_cast<double>(row.num_particles) / (1e-6 * row.microseconds);
    // A complex dot product does four multiply-adds where a real one, of half the bytes, does one.
    std::printf(
        "%s  {\"case\": \"%s\", \"gradient\": %s, \"mapping\": \"%s\", \"microseconds\": %.2f, \"low\": %.2f, "
        "\"high\": %.2f,"
        " \"one_cpu_thread\": %.1f, \"multiply_adds_per_second\": %.4g, \"share_of_complex_dot\": %.3f,"
        " \"particles_on_cpu\": %lld, \"worst_relative_difference\": %.2g}",
        separator, row.name.c_str(), row.gradient ? "true" : "false", row.mapping.c_str(), row.microseconds, row.low,
        row.high, row.host_microseconds, rate, rate / (2 * ceiling), static_cast<long long>(row.num_on_cpu),
        row.worst_difference);
    std::fflush(stdout);
    separator = ",\n";
  }
  std::printf("],\n \"iteration_rows\": [");
  separator = "\n";
  for (const DeviceIterationRow& row :
       wanted("iterations") ? measure_device_iterations(repetitions, profile) : std::vector<DeviceIterationRow>()) {
    std::printf(
        "%s  {\"case\": \"%s\", \"seconds\": %.6g, \"low\": %.6g, \"high\": %.6g, \"cpu_seconds\": %.6g,"
        " \"cpu_threads\": %d, \"resident_iterations\": %lld, \"halts\": %lld, \"worst_difference\": %.2g}",
        separator, row.name.c_str(), row.seconds, row.low, row.high, row.host_seconds, row.host_threads,
        static_cast<long long>(row.num_resident), static_cast<long long>(row.num_halts), row.worst_difference);
    std::fflush(stdout);
    separator = ",\n";
  }
  std::printf("]}\n");
  return 0;
}

}  // namespace
}  // namespace sojourn::bench

int main(int argc, char** argv) {
  std::size_t num_lanes = 10'000;
  int repetitions = 20;
  std::string only;
  bool profile = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--lanes") == 0 && i + 1 < argc) {
      num_lanes = std::stoul(argv[++i]);
    } else if (std::strcmp(argv[i], "--repetitions") == 0 && i + 1 < argc) {
      repetitions = std::stoi(argv[++i]);
    } else if (std::strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
      only = argv[++i];
      if (only != "moments" && only != "likelihoods" && only != "iterations") {
        std::fprintf(stderr, "--only %s: give moments, likelihoods or iterations\n", only.c_str());
        return 2;
      }
    } else if (std::strcmp(argv[i], "--profile") == 0) {
      profile = true;
    } else if (std::strcmp(argv[i], "--plan") == 0) {
      sojourn::bench::print_device_plans();
      return 0;
    } else {
      std::fprintf(stderr, "usage: device_bench [--lanes N] [--repetitions N] [--only KIND] [--profile] | --plan\n");
      return 2;
    }
  }
  try {
    return sojourn::bench::run(num_lanes, repetitions, only, profile);
  } catch (const sojourn::Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
