// Likelihoods by the bodies that device kernels run, in a host loop, against the CPU's own way and closed forms.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "host/evaluation/shuffled_lanes.hpp"
#include "host/posterior/host_loop_device.hpp"
#include "host/posterior/posterior_cases.hpp"
#include "sojourn/error.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

using namespace cases;
using ::testing::HasSubstr;
using testing::HostLoop;
using testing::HostLoopDevice;

/// `count` times about `middle`, tenfold to either side.
std::string many_times(std::size_t count, double middle) {
  std::string csv = "time\n";
  std::mt19937 random(3);
  std::uniform_real_distribution<double> spread(-1.0, 1.0);
  for (std::size_t i = 0; i < count; ++i) csv += std::to_string(middle * std::pow(10.0, spread(random))) + '\n';
  return csv;
}

/// Every law: densities, a tail, an early time, an interval, late entry, weights.
const char* const kMixed =
    "time,event,lower,upper,entry,weight\n0.7,1,,,,2\n1.1,1,,,,1\n2.4,1,,,,1\n0.3,1,,,,1\n2,0,,,,3\n,,0.8,1.9,,1\n"
    ",,,0.9,,1\n1.5,1,,,0.6,1\n,,1.2,6,,2\n";

/// The device agrees with the CPU wherever it answers.
void compare(const Model& model, const Observations& data, std::span<const double> centre,
             DataCompression compression = DataCompression::kAuto) {
  EvaluatorOptions options;
  options.method = LawMethod::kContour;
  const DataLikelihood cpu(model, data, model.graph.unit_reward(), options, compression);
  DataLikelihood device(model, data, model.graph.unit_reward(), options, compression);
  device.use_device(testing::suite_likelihoods());
  const Matrix<double> theta = scattered(centre, 37, 0.2, 11);
  const Evaluation wanted = evaluate_at(cpu, theta), got = evaluate_at(device, theta);
  const Evaluation value_alone = evaluate_at(device, theta, false);
  double weight = 0;
  for (const Observation& item : data.items) weight += item.weight;
  for (std::size_t k = 0; k < theta.num_rows(); ++k) {
    ASSERT_EQ(wanted.status[k], "");
    EXPECT_EQ(got.status[k], "");
    // The same sums; a tilt or a node rounded otherwise moves a law's value by what its own roundings do.
    EXPECT_NEAR(got.value[k], wanted.value[k], 1e-12 * (std::abs(wanted.value[k]) + weight)) << k;
    EXPECT_EQ(value_alone.value[k], got.value[k]);
    for (std::size_t p = 0; p < theta.num_cols(); ++p) {
      // Products against differences, in elasticities: their judge allows 1e-10 an observation.
      EXPECT_NEAR(theta(k, p) * got.gradient(k, p), theta(k, p) * wanted.gradient(k, p),
                  1e-12 * (std::abs(theta(k, p) * wanted.gradient(k, p)) + 10 * weight))
          << k << " " << p;
    }
  }
  const DeviceReport report = device.device_report();
  EXPECT_EQ(report.name, testing::suite_name());
  EXPECT_EQ(report.num_served, 2 * 37) << report.num_uncertified << " " << report.num_in_doubt << " "
                                       << report.num_coarse << " " << report.num_not_real << " " << report.num_narrow;
  EXPECT_EQ(report.num_on_cpu(), 0);
  // Bounds are sums of positive terms; the compression's estimate is a difference near rounding.
  const double bound = cpu.route_counts().worst_error_bound, estimate = cpu.compression().worst_error;
  EXPECT_NEAR(device.route_counts().worst_error_bound, bound, 1e-6 * bound);
  EXPECT_NEAR(device.compression().worst_error, estimate, 0.1 * estimate + 1e-13);
  const auto counted = [&](const DataLikelihood& likelihood, bool gradient) {
    const double before = likelihood.route_counts().multiply_adds;
    (void)evaluate_at(likelihood, theta, gradient);
    return likelihood.route_counts().multiply_adds - before;
  };
  // A device takes no moment that the CPU leaves out; its gradients are products, the CPU's mostly differences.
  EXPECT_NEAR(counted(device, false) / counted(cpu, false), 1, 2e-3);
  EXPECT_NEAR(counted(device, true) / counted(cpu, true), 1, 0.25);
}

TEST(LikelihoodDevice, AgreesWithTheCpu) {
  const std::int32_t two_demes[] = {2, 2};
  const Model structured = structured_coalescent_blocks(two_demes);
  const std::vector<double> centre(structured.parameters.size(), 0.8);
  compare(structured, times(kMixed), centre);
  compare(structured, times(many_times(300, 1.2)), centre);
  compare(structured, times(many_times(60, 1.2)), centre, DataCompression::kOff);
  compare(coalescent_blocks(6), times(kMixed), std::vector<double>{0.7});
  compare(two_stages(), times(kMixed), std::vector<double>{0.9, 2.1});
  compare(exponential_of_mean(), times(many_times(200, 0.7)), std::vector<double>{1.3});
}

/// Whole likelihoods, tilts and checks included, whichever threads the transforms go by.
TEST(LikelihoodDevice, HasTheSameBitsByLevels) {
  const std::int32_t two_demes[] = {3, 2};
  const Model model = structured_coalescent_blocks(two_demes);
  const Matrix<double> theta = scattered(std::vector<double>(model.parameters.size(), 0.8), 11, 0.2, 11);
  DataLikelihood threads(model, times(kMixed), model.graph.unit_reward());
  threads.use_device(std::make_shared<HostLoopDevice>());
  const Evaluation wanted = evaluate_at(threads, theta);
  for (const std::int32_t streams : {4, 16}) {
    DataLikelihood levels(model, times(kMixed), model.graph.unit_reward());
    const auto device = std::make_shared<HostLoopDevice>();
    device->num_streams = streams;
    levels.use_device(device);
    const Evaluation got = evaluate_at(levels, theta);
    EXPECT_EQ(got.value, wanted.value);
    EXPECT_EQ(got.gradient.values(), wanted.gradient.values());
    EXPECT_EQ(levels.device_report().num_served, 11);
  }
}

TEST(LikelihoodDevice, KnowsAnErlang) {
  const Observations data = times(kMixed);
  const Model model = cases::erlang(3);
  DataLikelihood likelihood(model, data, model.graph.unit_reward());
  likelihood.use_device(testing::suite_likelihoods());
  Matrix<double> theta(3, 1);
  theta.values() = {0.8, 1.7, 2.9};
  const Evaluation got = evaluate_at(likelihood, theta);
  for (std::size_t k = 0; k < 3; ++k) {
    const ValueAndSlope truth =
        complex_step([&](Complex rate) { return erlang_log_likelihood(3, rate, data); }, theta(k, 0));
    EXPECT_EQ(got.status[k], "");
    // The certified relative accuracy of 1e-9 of each term.
    EXPECT_NEAR(got.value[k], truth.value, 1e-8 * (1 + std::abs(truth.value)));
    EXPECT_NEAR(got.gradient(k, 0), truth.slope, 1e-7 * (1 + std::abs(truth.slope)));
  }
  EXPECT_EQ(likelihood.device_report().num_served, 3);
}

/// Small batches, other neighbours, other order of blocks: the same bits.
TEST(LikelihoodDevice, AParticleDependsOnItselfAlone) {
  const std::int32_t two_demes[] = {2, 2};
  const Model model = structured_coalescent_blocks(two_demes);
  const Observations data = times(many_times(200, 1.2));
  const Matrix<double> theta = scattered(std::vector<double>(model.parameters.size(), 0.8), 300, 0.2, 11);
  DataLikelihood whole(model, data, model.graph.unit_reward()), parts(model, data, model.graph.unit_reward());
  whole.use_device(testing::suite_likelihoods());
  parts.use_device(testing::suite_likelihoods(1e6));  // a fraction of what 300 particles take
  const Evaluation all = evaluate_at(whole, theta), again = evaluate_at(parts, theta);
  EXPECT_EQ(all.value, again.value);
  EXPECT_EQ(all.gradient.values(), again.gradient.values());
  // Memory that holds no batch: one particle at a time.
  DataLikelihood single(model, data, model.graph.unit_reward());
  single.use_device(testing::suite_likelihoods(1));
  const Evaluation one_by_one = evaluate_at(single, theta);
  EXPECT_EQ(one_by_one.value, all.value);
  EXPECT_EQ(one_by_one.gradient.values(), all.gradient.values());
  EXPECT_EQ(single.device_report().num_served, 300);
  Matrix<double> one(1, theta.num_cols());
  std::copy(theta.row(123).begin(), theta.row(123).end(), one.row(0).begin());
  const Evaluation alone = evaluate_at(whole, one);
  EXPECT_EQ(alone.value[0], all.value[123]);
  EXPECT_TRUE(std::equal(alone.gradient.row(0).begin(), alone.gradient.row(0).end(), all.gradient.row(123).begin()));
}

/// Lanes take turns where memory holds the slots of few blocks only, or a driver gives less than it said.
TEST(LikelihoodDevice, HasTheSameBitsByAnyNumberOfBlocks) {
  const std::int32_t two_demes[] = {2, 2};
  const Model model = structured_coalescent_blocks(two_demes);
  const Matrix<double> theta = scattered(std::vector<double>(model.parameters.size(), 0.8), 17, 0.2, 11);
  std::vector<std::string> notes;
  std::vector<Evaluation> got;
  for (const std::int32_t streams : {0, 4}) {
    std::vector<std::int64_t> num_blocks;
    for (const double free_bytes : {1e12, 64e3, 32e3, 24e3, 16e3, 12e3, 8e3, 1e3}) {
      DataLikelihood likelihood(model, times(kMixed), model.graph.unit_reward());
      const auto device = std::make_shared<HostLoopDevice>(free_bytes);
      device->num_streams = streams;
      notes.clear();
      device->report = [&](const std::string& text) { notes.push_back(text); };
      likelihood.use_device(device);
      got.push_back(evaluate_at(likelihood, theta));
      num_blocks.push_back(HostLoop::num_transform_blocks);
      EXPECT_EQ(likelihood.device_report().num_served, 17);
      // The last launch is of checks, whose slots are fewer.
      const bool told = std::ranges::any_of(
          notes, [](const std::string& text) { return text.find("lanes take turns") != std::string::npos; });
      EXPECT_EQ(told, free_bytes < 1e12 && (told || num_blocks.back() < HostLoop::most_transform_blocks));
    }
    EXPECT_EQ(num_blocks.front(), HostLoop::most_transform_blocks);
    EXPECT_EQ(num_blocks.back(), 1);
    EXPECT_THAT(num_blocks, ::testing::Contains(
                                ::testing::AllOf(::testing::Gt(1), ::testing::Lt(HostLoop::most_transform_blocks))));
  }
  for (const Evaluation& one : got) {
    EXPECT_EQ(one.value, got.front().value);
    EXPECT_EQ(one.gradient.values(), got.front().gradient.values());
  }
}

/// What the device cannot answer the CPU does, with the bits and words of a run without a device, and it is counted.
TEST(LikelihoodDevice, LeavesToTheCpuWhatItCannotAnswer) {
  // A triangle of pairs: reversible where the ways round have equal products, which a == b makes them.
  const RateTerm a{0, 1.0}, b{1, 1.0};
  const Model model = make_model(
      TimeKind::kContinuous, 4, {{0, 1.0}},
      {{0, 1, 0, {a}}, {1, 0, 0, {a}}, {1, 2, 0, {a}}, {2, 1, 0, {a}}, {2, 0, 0, {b}}, {0, 2, 0, {a}}, {1, 3, 0.5, {}}},
      {{"a"}, {"b"}}, RateMap::identity(2));
  const Observations data = times("time\n0.5\n1\n3\n");
  const DataLikelihood cpu(model, data, model.graph.unit_reward());
  DataLikelihood device(model, data, model.graph.unit_reward());
  device.use_device(testing::suite_likelihoods());
  Matrix<double> theta(5, 2);
  theta.values() = {1, 1, 1, 1.5, -1, 1, kNan, 1, 0.7, 0.7};
  const Evaluation wanted = evaluate_at(cpu, theta), got = evaluate_at(device, theta);
  EXPECT_EQ(got.status, wanted.status);
  EXPECT_TRUE(std::isnan(got.value[2]));
  EXPECT_TRUE(std::isnan(got.value[3]));
  EXPECT_NEAR(got.value[1], wanted.value[1], 1e-9 * std::abs(wanted.value[1]));
  EXPECT_NEAR(got.value[0], wanted.value[0], 1e-9 * std::abs(wanted.value[0]));
  const DeviceReport report = device.device_report();
  EXPECT_EQ(report.num_served, 3);
  EXPECT_EQ(report.num_by_steps, 1);
  EXPECT_EQ(report.num_bad_rates, 2);
  EXPECT_EQ(report.num_on_cpu(), 2);
  // By contours alone that particle is the CPU's, which finds the words for it.
  EvaluatorOptions contour;
  contour.method = LawMethod::kContour;
  const DataLikelihood cpu_alone(model, data, model.graph.unit_reward(), contour);
  DataLikelihood alone(model, data, model.graph.unit_reward(), contour);
  alone.use_device(testing::suite_likelihoods());
  EXPECT_EQ(evaluate_at(alone, theta).status, evaluate_at(cpu_alone, theta).status);
  EXPECT_EQ(alone.device_report().num_not_real, 1);
  EXPECT_EQ(alone.device_report().num_by_steps, 0);
}

TEST(LikelihoodDevice, SaysWhereProductsLoseTheirDigits) {
  const std::int32_t two_demes[] = {2, 2};
  const Model model = structured_coalescent_blocks(two_demes);
  const Observations data = times("time\n0.5\n1\n3\n");
  Matrix<double> theta = scattered(std::vector<double>(model.parameters.size(), 1.0), 3, 0.2, 11);
  for (std::size_t p = 2; p < theta.num_cols(); ++p) theta(1, p) *= 1e8;
  const DataLikelihood cpu(model, data, model.graph.unit_reward());
  DataLikelihood device(model, data, model.graph.unit_reward());
  device.use_device(testing::suite_likelihoods());
  const Evaluation wanted = evaluate_at(cpu, theta), got = evaluate_at(device, theta);
  EXPECT_EQ(got.value[1], wanted.value[1]);
  EXPECT_EQ(got.gradient(1, 3), wanted.gradient(1, 3));
  EXPECT_EQ(device.device_report().num_served, 2);
  EXPECT_EQ(device.device_report().num_on_cpu(), 1);
}

TEST(LikelihoodDevice, GoesToFinerLevelsByItself) {
  // Two exponentials far apart in scale: the coarsest level's interpolant does not follow the bend.
  const Model model = make_model(TimeKind::kContinuous, 3, {{0, 0.5}, {1, 0.5}},
                                 {{0, 2, 0, {{0, 1.0}}}, {1, 2, 0, {{1, 1.0}}}}, {{"a"}, {"b"}}, RateMap::identity(2));
  const Observations data = times(many_times(4000, 0.3));
  const DataLikelihood cpu(model, data, model.graph.unit_reward());
  DataLikelihood device(model, data, model.graph.unit_reward());
  const auto host_loop = std::make_shared<HostLoopDevice>();
  device.use_device(host_loop);
  Matrix<double> theta(3, 2);
  theta.values() = {1, 1.2, 20, 0.3, 40, 1};
  const Evaluation wanted = evaluate_at(cpu, theta), got = evaluate_at(device, theta);
  for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(got.value[k], wanted.value[k], 1e-8 * std::abs(wanted.value[k]));
  EXPECT_EQ(device.compression().level_count, cpu.compression().level_count);
  EXPECT_GT(host_loop->num_levels, 1);
  EXPECT_EQ(device.device_report().num_served, 3);
}

/// A device whose numbers are a little off.
class LyingDevice final : public LikelihoodDevice {
 public:
  LyingDevice(double value_factor, double slope_factor) : value_factor_(value_factor), slope_factor_(slope_factor) {}
  [[nodiscard]] std::string name() const override { return "liar"; }
  std::unique_ptr<DeviceLevel> load(const PrcArrays& arrays, const LikelihoodTables& tables) override {
    class Level final : public DeviceLevel {
     public:
      Level(std::unique_ptr<DeviceLevel> inner, double value_factor, double slope_factor)
          : inner_(std::move(inner)), value_factor_(value_factor), slope_factor_(slope_factor) {}
      void evaluate(MatrixView<const double> phi, bool gradient, DeviceValues& values) override {
        inner_->evaluate(phi, gradient, values);
        for (double& value : values.value) value *= value_factor_;
        for (double& slope : values.by_rate) slope *= slope_factor_;
      }

     private:
      std::unique_ptr<DeviceLevel> inner_;
      double value_factor_, slope_factor_;
    };
    return std::make_unique<Level>(inner_.load(arrays, tables), value_factor_, slope_factor_);
  }

 private:
  HostLoopDevice inner_;
  double value_factor_, slope_factor_;
};

TEST(LikelihoodDevice, IsComparedWithTheCpuAtFirst) {
  const Observations data = times("time\n0.5\n1\n3\n");
  const auto complaint = [&](double value_factor, double slope_factor) -> std::string {
    DataLikelihood likelihood(two_stages(), data, two_stages().graph.unit_reward());
    likelihood.use_device(std::make_shared<LyingDevice>(value_factor, slope_factor));
    Matrix<double> theta(1, 2);
    theta.values() = {0.7, 1.9};
    try {
      (void)evaluate_at(likelihood, theta);
    } catch (const DeviceError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(complaint(1, 1), "accepted");
  EXPECT_THAT(complaint(1 + 1e-6, 1), HasSubstr("liar: the log likelihood is"));
  EXPECT_THAT(complaint(1, 1 + 1e-3), HasSubstr("liar: the derivative by "));
}

TEST(LikelihoodDevice, RefusesWhatNoParticleCouldHave) {
  const auto refusal = [](const Model& model, const Observations& data, std::vector<double> reward,
                          const EvaluatorOptions& options = {}) -> std::string {
    DataLikelihood likelihood(model, data, reward, options);
    try {
      likelihood.use_device(testing::suite_likelihoods());
    } catch (const DeviceError& error) {
      return error.what();
    }
    return "accepted";
  };
  const Model model = cases::erlang(2);
  const Observations data = times("time\n1\n2\n");
  EXPECT_THAT(refusal(model, data, {1, 0, 0}), HasSubstr("state 1 earns no reward"));
  EXPECT_EQ(refusal(negative_binomial(2), counts("count\n3\n4\n"), {1, 1, 0}), "accepted");
  EXPECT_THAT(refusal(negative_binomial(2), counts("count\n3\n4\n"), {1, 0, 0}), HasSubstr("a reward of 0 a step"));
  EvaluatorOptions contour;
  contour.method = LawMethod::kContour;
  EXPECT_THAT(refusal(negative_binomial(2), counts("count\n3\n4\n"), {1, 1, 0}, contour),
              HasSubstr("method contour of a law in discrete time is for the CPU alone"));
  EXPECT_THAT(refusal(exponential_of_mean(), times("time\n0\n1\n"), {1, 0}), HasSubstr("an observation is at 0"));
  EvaluatorOptions steps;
  steps.method = LawMethod::kSaddlepoint;
  EXPECT_THAT(refusal(model, data, {1, 1, 0}, steps), HasSubstr("method saddlepoint"));
  steps.method = LawMethod::kUniformization;
  EXPECT_EQ(refusal(model, data, {1, 1, 0}, steps), "accepted");
  const RateTerm a{0, 1.0};
  const Model ring =
      make_model(TimeKind::kContinuous, 4, {{0, 1.0}}, {{0, 1, 0, {a}}, {1, 2, 0, {a}}, {2, 0, 0, {a}}, {2, 3, 1, {}}},
                 {{"a"}}, RateMap::identity(1));
  EXPECT_EQ(refusal(ring, data, {1, 1, 1, 0}), "accepted");
  steps.method = LawMethod::kContour;
  EXPECT_THAT(refusal(ring, data, {1, 1, 1, 0}, steps), HasSubstr("without its reverse"));
  EXPECT_THAT(refusal(ring, data, {1, 1, 1, 0}, steps), HasSubstr("use --device cpu"));
  EXPECT_EQ(refusal(model, data, {1, 1, 0}), "accepted");
}

}  // namespace
}  // namespace sojourn
