// Likelihoods by uniformization on a device, in a host loop over its threads, against 50-digit values, dense
// exponentials in long double and the CPU's own uniformization.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "host/evaluation/shuffled_lanes.hpp"
#include "host/posterior/host_loop_device.hpp"
#include "host/posterior/posterior_cases.hpp"
#include "oracle/dense.hpp"
#include "oracle/golden.hpp"
#include "sojourn/error.hpp"

namespace sojourn {
namespace {

using namespace cases;
using ::testing::HasSubstr;
using testing::HostLoopDevice;

EvaluatorOptions by_steps() {
  EvaluatorOptions options;
  options.method = LawMethod::kUniformization;
  return options;
}

Model model_of(const oracle::ZooChain& chain) {
  std::vector<Parameter> parameters;
  for (std::size_t r = 0; r < chain.phi.size(); ++r) parameters.push_back({"r" + std::to_string(r)});
  return Model{chain.name, parameters, RateMap::identity(static_cast<std::int32_t>(chain.phi.size())), chain.graph, {}};
}

Matrix<double> one_row(const std::vector<double>& values) {
  Matrix<double> row(1, values.size());
  row.values() = values;
  return row;
}

/// A one-way ring of `states`, left from its last one or by a slow way from each; exit rates a + b and b.
Model ring(std::int32_t states, double leak = 0.25) {
  std::vector<Edge> edges;
  for (std::int32_t i = 0; i < states; ++i) {
    edges.push_back({i, (i + 1) % states, 0, {{0, 1.0 + 0.125 * i}}});
    if (i == states - 1 || leak > 0)
      edges.push_back({i, states, i == states - 1 ? 0.01 : 0, {{1, i == states - 1 ? 1.0 : leak}}});
  }
  return make_model(TimeKind::kContinuous, states + 1, {{0, 0.7}, {1, 0.25}}, edges, {{"a"}, {"b"}},
                    RateMap::identity(2));
}

/// Every law: densities, a tail, an early time, intervals on either side, late entry, weights.
const char* const kMixed =
    "time,event,lower,upper,entry,weight\n0.7,1,,,,2\n1.1,1,,,,1\n2.4,1,,,,1\n0.3,1,,,,1\n2,0,,,,3\n,,0.8,1.9,,1\n"
    ",,,0.9,,1\n1.5,1,,,0.6,1\n,,4.2,16,,2\n30,1,,,,1\n0.02,0,,,,1\n";

/// The log likelihood by dense exponentials in long double.
long double dense_log_likelihood(const Model& model, std::span<const double> phi, const Observations& data) {
  const oracle::DenseChain chain = oracle::dense_chain(model.graph, phi, model.graph.unit_reward());
  const auto law = [&](double t) { return oracle::dense_law(chain, t); };
  long double sum = 0;
  for (const Observation& item : data.items) {
    long double term = 0;
    if (item.left_censored) {
      term = std::log(law(item.upper).cdf);
    } else if (item.right_censored()) {
      term = std::log(law(item.lower).survival);
    } else if (!item.exact()) {
      const oracle::DenseLaw low = law(item.lower), high = law(item.upper);
      term = std::log(high.cdf < low.survival ? high.cdf - low.cdf : low.survival - high.survival);
    } else {
      term = std::log(law(item.lower).density);
    }
    if (item.entry > 0) term -= std::log(law(item.entry).survival);
    sum += item.weight * term;
  }
  return sum;
}

/// d / d phi_p by differences of sixth order; their error is some 1e-14 of the value for a relative step of 1/256.
double dense_slope(const Model& model, std::vector<double> phi, std::size_t p, const Observations& data) {
  const double at = phi[p], h = at / 256;
  long double slope = 0;
  const long double weights[] = {45, -9, 1};
  for (int k = 1; k <= 3; ++k) {
    phi[p] = at + k * h;
    const long double right = dense_log_likelihood(model, phi, data);
    const long double step = static_cast<long double>(phi[p]) - at;
    phi[p] = at - k * h;
    const long double left = dense_log_likelihood(model, phi, data);
    slope += weights[k - 1] * (right - left) * (k * static_cast<long double>(h) / step);
  }
  return static_cast<double>(slope / (60 * static_cast<long double>(h)));
}

/// The device's answers to all laws of a golden chain, one by one. Returns how many it gave.
int check_golden(const std::string& name, double tolerance) {
  const oracle::ZooChain chain = oracle::zoo_by_name(name);
  const oracle::Golden& golden = oracle::golden().at(name);
  const Model model = model_of(chain);
  int num_served = 0;
  for (std::size_t n = 0; n < golden.times.size(); ++n) {
    if (!(golden.times[n] > contour_bound::kEarliestTime && golden.times[n] < contour_bound::kLatestTime)) continue;
    for (int kind = 0; kind < 3; ++kind) {
      const double want = (kind == 0 ? golden.log_pdf : kind == 1 ? golden.log_survival : golden.log_cdf)[n];
      const std::vector<double>& slopes = (kind == 0   ? golden.log_pdf_gradient
                                           : kind == 1 ? golden.log_survival_gradient
                                                       : golden.log_cdf_gradient)[n];
      Observations data = times("time\n1\n");
      Observation& item = data.items.front();
      item.lower = kind == 2 ? 0 : golden.times[n];
      item.upper = kind == 1 ? kInfinity : golden.times[n];
      item.left_censored = kind == 2;
      EvaluatorOptions options = by_steps();
      options.max_terms = 3'000'000;
      DataLikelihood likelihood(model, data, chain.reward, options, DataCompression::kOff);
      likelihood.use_device(testing::suite_likelihoods());
      const Evaluation got = evaluate_at(likelihood, one_row(chain.phi));
      const DeviceReport report = likelihood.device_report();
      EXPECT_EQ(report.num_by_steps, report.num_served);
      if (report.num_served == 0) continue;
      ++num_served;
      const std::string what = name + " t " + std::to_string(golden.times[n]) + " kind " + std::to_string(kind);
      // |log a - log b| is the relative error of the value, which the bound is above.
      const double bound = likelihood.route_counts().worst_error_bound;
      EXPECT_NEAR(got.value[0], want, bound + 4e-16 * std::abs(want)) << what;
      double scale = 1;
      for (std::size_t p = 0; p < chain.phi.size(); ++p) scale = std::max(scale, std::abs(slopes[p] * chain.phi[p]));
      for (std::size_t p = 0; p < chain.phi.size(); ++p)
        EXPECT_NEAR(got.gradient(0, p) * chain.phi[p], slopes[p] * chain.phi[p], std::max(tolerance, bound) * scale)
            << what << " " << p;
    }
  }
  return num_served;
}

TEST(LikelihoodBySteps, KnowsGoldenChains) {
  // Least number of the golden laws that it has to answer itself.
  const std::pair<const char*, int> chains[] = {
      {"ring_complex", 20},     {"ring_oscillating", 20}, {"queue_20_from_1", 12},
      {"queue_20_from_20", 12}, {"coalescent_10", 12},    {"erlang_50", 12},
      {"two_deme_3", 12},       {"hyperexponential", 12}, {"hypoexponential_near_equal", 12},
      {"defective", 12},        {"exponential", 12},      {"two_deme_8", 12}};
  for (const auto& [name, least] : chains) EXPECT_GE(check_golden(name, 1e-11), least) << name;
}

TEST(LikelihoodBySteps, KnowsStiffChainsOrLeavesThem) {
  // Rates of 1e6: the early laws are within reach of the steps allowed.
  EXPECT_GE(check_golden("two_deme_4_stiff", 1e-8), 1);
  (void)check_golden("ring_slow", 1e-9);
}

TEST(LikelihoodBySteps, KnowsMixedDataOnRings) {
  const Observations data = times(kMixed);
  for (const auto& [states, leak] : {std::pair{3, 0.25}, {7, 0.0}, {20, 0.125}}) {
    const Model model = ring(states, leak);
    DataLikelihood likelihood(model, data, model.graph.unit_reward());
    likelihood.use_device(testing::suite_likelihoods());
    Matrix<double> theta(3, 2);
    theta.values() = {1.0, 0.5, 3.0, 0.2, 0.4, 2.5};
    const Evaluation got = evaluate_at(likelihood, theta), value_alone = evaluate_at(likelihood, theta, false);
    EXPECT_EQ(value_alone.value, got.value);
    for (std::size_t k = 0; k < theta.num_rows(); ++k) {
      const std::vector<double> phi(theta.row(k).begin(), theta.row(k).end());
      EXPECT_EQ(got.status[k], "");
      const auto want = static_cast<double>(dense_log_likelihood(model, phi, data));
      EXPECT_NEAR(got.value[k], want, 1e-12 * (std::abs(want) + 20)) << states << " " << k;
      for (std::size_t p = 0; p < 2; ++p) {
        const double slope = dense_slope(model, phi, p, data);
        EXPECT_NEAR(got.gradient(k, p), slope, 1e-10 * (std::abs(slope) + 20)) << states << " " << k << " " << p;
      }
    }
    const DeviceReport report = likelihood.device_report();
    EXPECT_EQ(report.num_served, 6) << report.num_uncertified << " " << report.num_in_doubt << " " << report.num_narrow;
    EXPECT_EQ(report.num_by_steps, 6);
    EXPECT_GT(likelihood.route_counts().uniformization, 0);
    EXPECT_EQ(likelihood.route_counts().contour, 0);
  }
}

/// Rates that are forms with negative coefficients, states of different rewards, an atom.
TEST(LikelihoodBySteps, AgreesWithTheCpu) {
  const RateTerm a{0, 1.0}, b{1, 1.0};
  const Model model = make_model(TimeKind::kContinuous, 5, {{0, 0.5}, {2, 0.3}, {4, 0.1}},
                                 {{0, 1, 0, {a}},
                                  {1, 2, 0.125, {b}},
                                  {2, 3, 0, {{0, 2.0}, {1, -0.5}}},
                                  {3, 0, 0, {a, b}},
                                  {3, 1, 0, {{1, 0.5}}},
                                  {2, 4, 0.25, {b}},
                                  {0, 4, 0, {{0, 0.125}}}},
                                 {{"a"}, {"b"}}, RateMap::identity(2));
  const std::vector<double> reward = {1, 0.5, 3, 2, 0};
  const Observations data = times(kMixed);
  const DataLikelihood cpu(model, data, reward, by_steps());
  DataLikelihood device(model, data, reward);
  device.use_device(testing::suite_likelihoods());
  const Matrix<double> theta = scattered(std::vector<double>{1.5, 0.8}, 41, 0.4, 7);
  const Evaluation wanted = evaluate_at(cpu, theta), got = evaluate_at(device, theta);
  for (std::size_t k = 0; k < theta.num_rows(); ++k) {
    ASSERT_EQ(wanted.status[k], "");
    EXPECT_NEAR(got.value[k], wanted.value[k], 1e-12 * (std::abs(wanted.value[k]) + 1)) << k;
    for (std::size_t p = 0; p < 2; ++p)
      EXPECT_NEAR(got.gradient(k, p), wanted.gradient(k, p), 1e-12 * (std::abs(wanted.gradient(k, p)) + 20))
          << k << " " << p;
  }
  EXPECT_EQ(device.device_report().num_by_steps, 41);
}

/// Compressed data whose weights have both signs, levels from coarse to fine.
TEST(LikelihoodBySteps, TakesCompressedData) {
  std::string csv = "time\n";
  for (int i = 0; i < 3000; ++i) csv += std::to_string(0.4 * std::pow(20.0, i / 3000.0)) + '\n';
  const Observations data = times(csv);
  const Model model = ring(4);
  const DataLikelihood cpu(model, data, model.graph.unit_reward(), by_steps());
  DataLikelihood device(model, data, model.graph.unit_reward());
  device.use_device(testing::suite_likelihoods());
  const Matrix<double> theta = scattered(std::vector<double>{1.0, 0.5}, 9, 0.3, 3);
  const Evaluation wanted = evaluate_at(cpu, theta), got = evaluate_at(device, theta);
  for (std::size_t k = 0; k < theta.num_rows(); ++k) {
    EXPECT_NEAR(got.value[k], wanted.value[k], 1e-12 * (std::abs(wanted.value[k]) + 3000)) << k;
    for (std::size_t p = 0; p < 2; ++p)
      EXPECT_NEAR(got.gradient(k, p), wanted.gradient(k, p), 1e-12 * (std::abs(wanted.gradient(k, p)) + 3000));
  }
  EXPECT_EQ(device.device_report().num_by_steps, 9);
  EXPECT_EQ(device.compression().level_count, cpu.compression().level_count);
}

TEST(LikelihoodBySteps, ALaneDoesNotDependOnItsBatch) {
  const Model model = ring(5);
  const Observations data = times(kMixed);
  const Matrix<double> theta = scattered(std::vector<double>{1.0, 0.5}, 61, 1.0, 5);
  DataLikelihood whole(model, data, model.graph.unit_reward()), parts(model, data, model.graph.unit_reward());
  whole.use_device(testing::suite_likelihoods());
  parts.use_device(testing::suite_likelihoods(3e5));  // room for a few blocks of lanes
  const Evaluation all = evaluate_at(whole, theta), again = evaluate_at(parts, theta);
  EXPECT_EQ(whole.device_report().num_by_steps, 61);
  EXPECT_EQ(parts.device_report().num_by_steps, 61);
  EXPECT_EQ(all.value, again.value);
  EXPECT_EQ(all.gradient.values(), again.gradient.values());
  for (const std::size_t k : {0u, 17u, 60u}) {
    DataLikelihood fresh(model, data, model.graph.unit_reward());
    fresh.use_device(testing::suite_likelihoods());
    const Evaluation alone = evaluate_at(fresh, one_row({theta(k, 0), theta(k, 1)}));
    EXPECT_EQ(alone.value[0], all.value[k]);
    EXPECT_TRUE(std::equal(alone.gradient.row(0).begin(), alone.gradient.row(0).end(), all.gradient.row(k).begin()));
  }
}

/// By reason; with the CPU's bits.
TEST(LikelihoodBySteps, LeavesToTheCpuWhatItCannotAnswer) {
  const Model model = ring(4);
  const Observations data = times("time\n0.5\n1\n3\n");
  EvaluatorOptions options;
  options.max_terms = 20'000;
  const DataLikelihood cpu(model, data, model.graph.unit_reward(), options);
  DataLikelihood device(model, data, model.graph.unit_reward(), options);
  device.use_device(testing::suite_likelihoods());
  Matrix<double> theta(5, 2);
  theta.values() = {1, 0.5, 200, 0.5, -1, 1, 1, kNan, 1e-150, 0};
  const Evaluation wanted = evaluate_at(cpu, theta), got = evaluate_at(device, theta);
  EXPECT_EQ(got.status, wanted.status);
  EXPECT_EQ(got.value[1], wanted.value[1]);
  EXPECT_EQ(got.gradient(1, 0), wanted.gradient(1, 0));
  EXPECT_NEAR(got.value[0], wanted.value[0], 1e-12 * std::abs(wanted.value[0]));
  const DeviceReport report = device.device_report();
  EXPECT_EQ(report.num_by_steps, 1);
  EXPECT_EQ(report.num_many_steps, 1);
  EXPECT_EQ(report.num_bad_rates, 2);
  EXPECT_EQ(report.num_uncertified, 1);
  EXPECT_EQ(report.num_on_cpu(), 4);
  // No memory for a single block.
  DataLikelihood none(model, data, model.graph.unit_reward());
  none.use_device(std::make_shared<HostLoopDevice>(1e3));
  const Evaluation left = evaluate_at(none, one_row({1, 0.5}));
  EXPECT_NEAR(left.value[0], wanted.value[0], 1e-12 * std::abs(wanted.value[0]));
  EXPECT_EQ(none.device_report().num_many_steps, 1);
}

/// Contour where the poles are real, steps where they are not: in one batch.
TEST(LikelihoodBySteps, ServesWhatTheContourLeaves) {
  const RateTerm a{0, 1.0}, b{1, 1.0};
  const Model model = make_model(
      TimeKind::kContinuous, 4, {{0, 1.0}},
      {{0, 1, 0, {a}}, {1, 0, 0, {a}}, {1, 2, 0, {a}}, {2, 1, 0, {a}}, {2, 0, 0, {b}}, {0, 2, 0, {a}}, {1, 3, 0.5, {}}},
      {{"a"}, {"b"}}, RateMap::identity(2));
  const Observations data = times(kMixed);
  DataLikelihood device(model, data, model.graph.unit_reward());
  device.use_device(testing::suite_likelihoods());
  Matrix<double> theta(4, 2);
  theta.values() = {1, 1, 1, 1.5, 0.7, 0.7, 0.3, 2};
  const Evaluation got = evaluate_at(device, theta);
  for (std::size_t k = 0; k < theta.num_rows(); ++k) {
    const std::vector<double> phi(theta.row(k).begin(), theta.row(k).end());
    const auto want = static_cast<double>(dense_log_likelihood(model, phi, data));
    EXPECT_NEAR(got.value[k], want, 1e-8 * std::abs(want)) << k;
    for (std::size_t p = 0; p < 2; ++p)
      EXPECT_NEAR(got.gradient(k, p), dense_slope(model, phi, p, data), 1e-7 * std::abs(want)) << k;
  }
  EXPECT_EQ(device.device_report().num_served, 4);
  EXPECT_EQ(device.device_report().num_by_steps, 2);
  EXPECT_EQ(device.device_report().num_on_cpu(), 0);
}

/// Real poles, but a density so small beside the law that no contour in double certifies it; sums of positive terms do.
TEST(LikelihoodBySteps, ServesWhatNoContourCertifies) {
  const int stages = 20;
  const Model model = erlang(stages);
  const double time = 0.01, rate = 1.5;
  const Observations data = times("time\n" + std::to_string(time) + "\n");
  const auto ask = [&](LawMethod method) {
    EvaluatorOptions options;
    options.method = method;
    DataLikelihood device(model, data, model.graph.unit_reward(), options);
    device.use_device(testing::suite_likelihoods());
    return std::pair{evaluate_at(device, one_row({rate})), device.device_report()};
  };
  EXPECT_EQ(ask(LawMethod::kContour).second.num_uncertified, 1);
  const auto [got, report] = ask(LawMethod::kAuto);
  EXPECT_EQ(report.num_by_steps, 1);
  EXPECT_EQ(report.num_on_cpu(), 0);
  const double want =
      stages * std::log(rate) + (stages - 1) * std::log(time) - rate * time - std::lgamma(double{stages});
  EXPECT_NEAR(got.value[0], want, 1e-12 * std::abs(want));
  EXPECT_NEAR(got.gradient(0, 0), stages / rate - time, 1e-12 * stages / rate);
}

/// Differences of terms that are a million times larger are left to the CPU; what is answered is right.
TEST(LikelihoodBySteps, SaysWhereProductsLoseTheirDigits) {
  const RateTerm fast{0, 1.0}, slow{1, 1.0};
  const Model model = make_model(TimeKind::kContinuous, 4, {{0, 1.0}},
                                 {{0, 1, 0, {fast}}, {1, 2, 0, {fast}}, {2, 0, 0, {fast}}, {2, 3, 0, {slow}}},
                                 {{"fast"}, {"slow"}}, RateMap::identity(2));
  for (const char* const csv : {"time\n0.5\n1\n3\n", "time,event\n0.5,0\n1,0\n3,0\n"}) {
    const Observations data = times(csv);
    DataLikelihood device(model, data, model.graph.unit_reward());
    device.use_device(testing::suite_likelihoods());
    Matrix<double> theta(3, 2);
    theta.values() = {2, 1, 50, 1, 20'000, 1};
    const Evaluation got = evaluate_at(device, theta);
    for (std::size_t k = 0; k < 2; ++k) {
      const std::vector<double> phi(theta.row(k).begin(), theta.row(k).end());
      for (std::size_t p = 0; p < 2; ++p) {
        const double slope = dense_slope(model, phi, p, data);
        EXPECT_NEAR(got.gradient(k, p) * phi[p], slope * phi[p], 1e-9 * std::abs(slope * phi[p]) + 1e-10 * 3);
      }
    }
    const DeviceReport report = device.device_report();
    EXPECT_EQ(report.num_served + report.num_in_doubt, 3);
    EXPECT_EQ(report.num_in_doubt, 1) << csv;
  }
}

/// A rate just below its rung leaves the first steps all the weight, which at 700 is below the range of double.
TEST(LikelihoodBySteps, DoesNotCertifyWhatUnderflows) {
  const Model model = erlang(1);
  for (const double time : {600.0, 700.0, 710.0, 800.0}) {
    const Observations data = times("time,event\n" + std::to_string(time) + ",0\n");
    DataLikelihood device(model, data, model.graph.unit_reward(), by_steps());
    device.use_device(testing::suite_likelihoods());
    const Evaluation got = evaluate_at(device, one_row({0.999}));
    EXPECT_NEAR(got.value[0], -0.999 * time, 1e-9);
    EXPECT_NEAR(got.gradient(0, 0), -time, 1e-7);
    EXPECT_EQ(device.device_report().num_by_steps, time < 690 ? 1 : 0);
    EXPECT_EQ(device.device_report().num_uncertified, time < 690 ? 0 : 1);
  }
}

TEST(LikelihoodBySteps, IsNotForParticlesOnTheDevice) {
  const Model model = ring(3);
  Posterior posterior = gamma_posterior(ring(3));
  posterior.use_device(testing::suite_likelihoods());
  try {
    (void)posterior.on_device(5);
    FAIL() << "accepted";
  } catch (const DeviceError& error) {
    EXPECT_THAT(error.what(), HasSubstr("uniformization"));
  }
}

}  // namespace
}  // namespace sojourn
