#include "device_likelihood.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <random>
#include <tuple>
#include <utility>

#include "device/cuda_device.hpp"
#include "device/evaluation/mapping.hpp"
#include "evaluation/contour.hpp"
#include "posterior/law_support.hpp"
#include "posterior/step_tables.hpp"
#include "sojourn/families.hpp"
#include "sojourn/posterior.hpp"
#include "sojourn/prc.hpp"

namespace sojourn::bench {
namespace {

constexpr int kNumTimes = 1000;

/// Log-normal times about `middle`.
Observations some_times(double middle) {
  std::mt19937_64 random(2);
  std::lognormal_distribution<double> factor(0, 0.5);
  std::vector<double> values(kNumTimes);
  for (double& value : values) value = middle * factor(random);
  return exact_observations(values, TimeKind::kContinuous, "drawn");
}

/// Factor and solve at each node, again with the transposed solve and the sums over edges for the gradient; four real
/// multiply-adds a complex one.
double multiply_adds(const Prc& prc, const Observations& data, double rtol, bool gradient) {
  // Compressed levels have as many nodes: their times span the same range.
  std::vector<double> values;
  for (const Observation& item : data.items) values.push_back(item.lower);
  const SharedContour contour(values, rtol);
  const auto factor = static_cast<double>(prc.cost().factor_multiply_adds);
  const auto solve = static_cast<double>(prc.cost().solve_multiply_adds);
  const auto nodes = static_cast<double>(contour.nodes().size());
  const auto checks = static_cast<double>(contour.check_nodes().size());
  return 4 * ((nodes + checks) * (factor + solve) + (gradient ? nodes * (factor + 2 * solve) : 0));
}

/// A one-way ring of `states`: no contour is proved to hold.
Model one_way_ring(std::int32_t states) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(states + 1);
  const RateTerm on[] = {{0, 1.0}}, out[] = {{1, 1.0}};
  for (std::int32_t i = 0; i < states; ++i) builder.add_edge(i, (i + 1) % states, 0, on);
  builder.add_edge(states - 1, states, 0, out);
  builder.add_initial(0, 1);
  return Model{"one-way ring", {{"on"}, {"out"}}, RateMap::identity(2), std::move(builder).build(), {}};
}

/// Steps of a particle of rates 1, there and back: a pass for the values; one to keep vectors, one to find those in
/// between again, and two for h and what its size is without signs.
double step_multiply_adds(const Model& model, const Observations& data, const EvaluatorOptions& options,
                          bool gradient) {
  const std::vector<double> reward = model.graph.unit_reward();
  const Likelihood likelihood(data, law_support(model.graph, reward), TimeKind::kContinuous);
  const Prc prc = eliminate(model.graph);
  const LikelihoodTables tables(model.graph, prc, reward, likelihood, nullptr, options);
  StepTables steps(prc.arrays(), tables);
  const std::vector<double> rates(static_cast<std::size_t>(1 + model.graph.num_rates()), 1.0);
  const std::int32_t rung = steps.find(StepTables::rung_code(steps.largest_rate(rates)));
  const double each = static_cast<double>(steps.terms.size() + 2 * steps.rows.size());
  return rung < 0 ? 0 : (gradient ? 5 : 1) * each * static_cast<double>(steps.rungs[rung].num_steps);
}

template <class Work>
double microseconds_of(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return 1e6 * std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Both mappings beside each other, or uniformization, which has one.
std::vector<DeviceLikelihoodRow> measure(const std::string& name, const Model& model, double middle, bool gradient,
                                         std::size_t num_particles, int repetitions, bool profile,
                                         bool by_steps = false) {
  const Observations data = some_times(middle);
  EvaluatorOptions options;
  options.num_threads = 1;
  const DataLikelihood host(model, data, model.graph.unit_reward(), options);
  const std::size_t num_parameters = model.parameters.size();
  Matrix<double> theta(num_particles, num_parameters), slopes(gradient ? num_particles : 0, num_parameters);
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> factor(0, 0.2);
  for (double& value : theta.values()) value = factor(random);
  std::vector<double> wanted(num_particles);
  std::vector<std::string> status;
  const double host_microseconds =
      profile ? 0 : microseconds_of([&] { host.evaluate(theta.view(), wanted, slopes.view(), status); });

  struct Contender {
    const char* mapping;
    std::unique_ptr<DataLikelihood> likelihood;
    std::vector<double> got, times;
  };
  std::vector<Contender> contenders;
  for (const auto& [mapping, choice] :
       {std::pair{by_steps ? "steps" : "threads", MappingChoice::kThreads}, {"levels", MappingChoice::kLevels}}) {
    if (by_steps && choice == MappingChoice::kLevels) continue;
    contenders.push_back({mapping,
                          std::make_unique<DataLikelihood>(model, data, model.graph.unit_reward(), options),
                          std::vector<double>(num_particles),
                          {}});
    contenders.back().likelihood->use_device(open_cuda_device_by(choice, 0, {}).likelihood);
  }
  const int num_warm_up = profile ? 0 : 3;
  for (int repetition = -num_warm_up; repetition < repetitions; ++repetition) {
    for (Contender& one : contenders) {
      const double microseconds =
          microseconds_of([&] { one.likelihood->evaluate(theta.view(), one.got, slopes.view(), status); });
      if (repetition >= 0) one.times.push_back(microseconds);
    }
  }
  std::vector<DeviceLikelihoodRow> rows;
  for (Contender& one : contenders) {
    std::sort(one.times.begin(), one.times.end());
    DeviceLikelihoodRow& row = rows.emplace_back();
    row.name = name;
    row.mapping = one.mapping;
    row.gradient = gradient;
    row.num_particles = num_particles;
    row.microseconds = one.times[one.times.size() / 2];
    row.low = one.times.front();
    row.high = one.times.back();
    row.num_on_cpu = one.likelihood->device_report().num_on_cpu() / (repetitions + num_warm_up);
    row.multiply_adds = by_steps ? step_multiply_adds(model, data, options, gradient)
                                 : multiply_adds(eliminate(model.graph), data, options.rtol, gradient);
    row.host_microseconds = host_microseconds;
    for (std::size_t k = 0; !profile && k < num_particles; ++k)
      row.worst_difference = std::max(row.worst_difference, std::abs(one.got[k] / wanted[k] - 1));
  }
  return rows;
}

}  // namespace

std::vector<DeviceLikelihoodRow> measure_device_likelihoods(std::size_t num_particles, int repetitions, bool profile) {
  const std::int32_t ten[] = {5, 5};
  std::vector<DeviceLikelihoodRow> rows;
  for (const bool gradient : {false, true}) {
    for (const auto& [name, model, middle] : {std::tuple{"coalescent_blocks_20", coalescent_blocks(20), 1.8},
                                              {"two_deme_blocks_10", structured_coalescent_blocks(ten), 3.0}}) {
      for (DeviceLikelihoodRow& row : measure(name, model, middle, gradient, num_particles, repetitions, profile))
        rows.push_back(std::move(row));
    }
    for (DeviceLikelihoodRow& row :
         measure("one_way_ring_60", one_way_ring(60), 90.0, gradient, num_particles, repetitions, profile, true))
      rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace sojourn::bench
