// Moments, draws and directions of arrays that are in a device's memory, here a host loop's: zero copies, a caller's
// stream, and the numbers of the CPU and of closed forms.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "device/evaluation/tensor_moment_batch.hpp"
#include "device/graph/sample_batch.hpp"
#include "host/posterior/host_loop_device.hpp"
#include "host/posterior/posterior_cases.hpp"
#include "host/reason_of.hpp"
#include "host/sampler/host_loop_svgd.hpp"
#include "sojourn/evaluator.hpp"
#include "sojourn/families.hpp"
#include "sojourn/sample.hpp"

namespace sojourn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HostLoop;
using ::testing::Pair;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// A lane's moments in slots of its own.
struct MomentStep {
  PrcView prc;
  MomentLaneShape shape;
  const double* reward;
  const double* phi;
  std::int64_t n;
  MomentLaneOutput output;
  void operator()(std::int64_t lane) const {
    const MomentLaneSlots slots = shape.slots(prc);
    std::vector<double> own(static_cast<std::size_t>(slots.total()), kNan);
    const Strided<double> local{own.data(), 1};
    const auto with = [&](auto order) {
      moment_lane<decltype(order)::value, true>(prc, shape, reward, phi, n, lane, local,
                                                local.from(slots.rate + slots.factor), output);
    };
    if (shape.order == 1) with(std::integral_constant<int, 1>{});
    if (shape.order == 2) with(std::integral_constant<int, 2>{});
    if (shape.order == 3) with(std::integral_constant<int, 3>{});
    if (shape.order == 4) with(std::integral_constant<int, 4>{});
  }
};

struct LoopRun {
  std::shared_ptr<const PrcArrays> arrays;
  MomentLaneShape shape;
  std::vector<double> reward;
  [[nodiscard]] PrcView program() const { return arrays->view(); }
  void run(HostLoop& machine, const double* phi, std::int64_t n, const MomentLaneOutput& output) const {
    machine.run(n, MomentStep{arrays->view(), shape, reward.data(), phi, n, output});
  }
};

class LoopMoments final : public MomentDevice {
 public:
  [[nodiscard]] std::string name() const override { return "host loop"; }
  std::unique_ptr<DeviceMoments> load(const PrcArrays& arrays) override { return std::make_unique<Loaded>(arrays); }

 private:
  class Loaded final : public DeviceMoments {
   public:
    explicit Loaded(const PrcArrays& arrays) : arrays_(std::make_shared<PrcArrays>(arrays)) {}
    void evaluate(const MomentLaneShape&, MatrixView<const double>, std::span<const double>, std::span<double>,
                  std::span<double>, std::span<unsigned char>) override {
      throw DeviceError("tensors alone");
    }
    std::unique_ptr<TensorMoments> on_tensors(const MomentLaneShape& shape, std::span<const double> reward,
                                              std::int64_t most_vectors) override {
      return std::make_unique<TensorMomentBatch<HostLoop, LoopRun>>(
          LoopRun{arrays_, shape, {reward.begin(), reward.end()}}, shape, most_vectors, 1e12);
    }

   private:
    std::shared_ptr<const PrcArrays> arrays_;
  };
};

class LoopSampler final : public SampleDevice {
 public:
  [[nodiscard]] std::string name() const override { return "host loop"; }
  void draw(const JumpTable&, std::uint64_t, std::int64_t, std::span<double>) override {
    throw DeviceError("tensors alone");
  }
  std::unique_ptr<TensorDraws> on_tensors(const JumpTable& table) override {
    return std::make_unique<TensorSampler<HostLoop>>(table, 1e12);
  }
};

/// An array of a caller's by rows or by columns, behind an offset as a slice is.
struct Array {
  Array(std::int64_t n, std::int64_t d, bool by_column)
      : values(static_cast<std::size_t>(3 + n * d), kNan), row(by_column ? 1 : d), column(by_column ? n : 1) {
    tensor = {.data = values.data() + 3, .device = -1, .num_dims = 2, .shape = {n, d}, .stride = {row, column}};
  }
  double& operator()(std::size_t i, std::size_t k) {
    return values[3 + i * static_cast<std::size_t>(row) + k * static_cast<std::size_t>(column)];
  }
  std::vector<double> values;
  std::int64_t row, column;
  DeviceTensor tensor;
};
DeviceTensor outcomes_in(std::vector<std::int32_t>& values, std::int64_t stride = 1) {
  return {.data = values.data(),
          .type = DeviceTensor::Type::kInt32,
          .device = -1,
          .shape = {static_cast<std::int64_t>(values.size()) / stride, 1},
          .stride = {stride, 1}};
}

TEST(TensorMoments, AreTheCpusWhereverTheyLie) {
  const std::int32_t two_demes[] = {3, 2};
  for (const Model& model : {structured_coalescent_blocks(two_demes), coalescent_blocks(9), coxian(4)}) {
    const Evaluator cpu(model);
    Evaluator device(model);
    device.use_device(std::make_shared<LoopMoments>());
    const std::vector<double> reward = model.graph.unit_reward();
    const std::size_t n = 37, d = model.parameters.size();
    Matrix<double> theta(n, d);
    std::mt19937 random(5);
    std::lognormal_distribution<double> factor(0, 0.3);
    for (double& value : theta.values()) value = 0.8 * factor(random);
    for (const int order : {1, 2, 4})
      for (const bool by_column : {false, true}) {
        const auto there = device.tensor_moments(reward, order, true, 40),
                   values_alone = device.tensor_moments(reward, order, false, 40);
        EXPECT_EQ(there->num_rates(), static_cast<std::int64_t>(d));
        EXPECT_EQ(there->order(), order);
        EXPECT_TRUE(there->has_gradient());
        EXPECT_FALSE(values_alone->has_gradient());
        EXPECT_EQ(there->most_vectors(), 40);
        const auto rows = static_cast<std::int64_t>(n), width = order * static_cast<std::int64_t>(d);
        Array rates(rows, static_cast<std::int64_t>(d), by_column), values(rows, order, by_column),
            gradient(rows, width, by_column), alone(rows, order, !by_column);
        for (std::size_t i = 0; i < n; ++i)
          for (std::size_t r = 0; r < d; ++r) rates(i, r) = theta(i, r);
        std::vector<std::int32_t> outcome(2 * n, 7);
        there->evaluate(rates.tensor, values.tensor, gradient.tensor, outcomes_in(outcome, 2), nullptr);
        for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(outcome[2 * i], 0);
        for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(outcome[2 * i + 1], 7) << "between the strides";
        values_alone->evaluate(rates.tensor, alone.tensor, {}, outcomes_in(outcome, 2), nullptr);
        const Quantity wanted = cpu.moments(theta.view(), reward, order, true);
        for (std::size_t i = 0; i < n; ++i)
          for (std::size_t k = 0; k < static_cast<std::size_t>(order); ++k) {
            const double mean = wanted.values(i, k);
            EXPECT_NEAR(values(i, k), mean, 1e-12 * mean);
            EXPECT_NEAR(alone(i, k), mean, 1e-12 * mean);
            for (std::size_t r = 0; r < d; ++r) {
              const double slope = wanted.gradient[(i * static_cast<std::size_t>(order) + k) * d + r];
              // As `MomentsOnDevice.AgreeWithTheCpu`.
              EXPECT_NEAR(gradient(i, k * d + r), slope, 1e-12 * (std::abs(slope) + 10 * order * mean / theta(i, r)));
            }
          }
        for (int k = 0; k < 3; ++k) EXPECT_TRUE(std::isnan(values.values[k])) << "before the slice";
      }
  }
}

/// E[Y] = 3 / rate, E[Y^2] = 12 / rate^2; and where there is no answer the number says why.
TEST(TensorMoments, SayWhereTheyHold) {
  const Model model = erlang(3);
  Evaluator evaluator(model);
  evaluator.use_device(std::make_shared<LoopMoments>());
  const auto there = evaluator.tensor_moments(model.graph.unit_reward(), 2, true, 7);
  // Of the last one the moments are in range and a derivative, 24 / rate^3, is not.
  const double given[] = {2, -1, 0, kNan, std::numeric_limits<double>::infinity(), 1e-200, 1e-110};
  Array rates(7, 1, false), values(7, 2, false), gradient(7, 2, false);
  for (std::size_t i = 0; i < 7; ++i) rates(i, 0) = given[i];
  std::vector<std::int32_t> outcome(7, 7);
  there->evaluate(rates.tensor, values.tensor, gradient.tensor, outcomes_in(outcome), nullptr);
  EXPECT_THAT(outcome, ElementsAre(0, 2, 4, 2, 2, 4, 4));
  EXPECT_NEAR(values(0, 0), 1.5, 1e-15);
  EXPECT_NEAR(values(0, 1), 3, 3e-15);
  EXPECT_NEAR(gradient(0, 0), -0.75, 1e-15);
  EXPECT_NEAR(gradient(0, 1), -3, 3e-15);
  for (std::size_t i = 1; i < 7; ++i) EXPECT_TRUE(std::isnan(values(i, 0)) && std::isnan(gradient(i, 1)));

  // A weight 1 - p is no rate of its own: out of its range it is refused as well. Mean 1 / (1 - p).
  const RateTerm minus{0, -1.0};
  const Model form =
      cases::make_model(TimeKind::kContinuous, 2, {{0, 1.0}}, {{0, 1, 1.0, {minus}}}, {{"p"}}, RateMap::identity(1));
  Evaluator of_form(form);
  of_form.use_device(std::make_shared<LoopMoments>());
  const auto more = of_form.tensor_moments(form.graph.unit_reward(), 1, false, 2);
  Array p(2, 1, false), mean(2, 1, false);
  p(0, 0) = 0.75;
  p(1, 0) = 1.5;
  std::vector<std::int32_t> both(2, 7);
  more->evaluate(p.tensor, mean.tensor, {}, outcomes_in(both), nullptr);
  EXPECT_THAT(both, ElementsAre(0, 2));
  EXPECT_NEAR(mean(0, 0), 4, 4e-15);
}

/// On a stiff chain products may lose their digits: the numbers are there all the same, and the outcome says so.
TEST(TensorMoments, WhatIsInDoubtIsThereAndSaysSo) {
  const std::int32_t two_demes[] = {3, 2};
  const Model model = structured_coalescent_blocks(two_demes);
  Evaluator evaluator(model);
  evaluator.use_device(std::make_shared<LoopMoments>());
  const auto d = static_cast<std::int64_t>(model.parameters.size());
  Matrix<double> theta(2, model.parameters.size());
  for (std::int64_t r = 0; r < d; ++r) {
    theta(0, r) = 1 + 0.1 * static_cast<double>(r);
    theta(1, r) = theta(0, r) * (r < 2 ? 1 : 1e9);
  }
  Array rates(2, d, false), values(2, 1, false), gradient(2, d, false);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::int64_t r = 0; r < d; ++r) rates(i, r) = theta(i, r);
  std::vector<std::int32_t> outcome(2, 7);
  evaluator.tensor_moments(model.graph.unit_reward(), 1, true, 2)
      ->evaluate(rates.tensor, values.tensor, gradient.tensor, outcomes_in(outcome), nullptr);
  EXPECT_THAT(outcome, ElementsAre(static_cast<int>(LaneOutcome::kDone), static_cast<int>(LaneOutcome::kInDoubt)));
  // The CPU has other ways for the gradients of the second; of large parts, those of coalescence, all digits are there.
  const Quantity wanted = Evaluator(model).moments(theta.view(), model.graph.unit_reward(), 1, true);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_NEAR(values(i, 0), wanted.values(i, 0), 1e-12 * wanted.values(i, 0));
    for (std::size_t r = 0; r < 2; ++r) {
      const double slope = wanted.gradient[i * static_cast<std::size_t>(d) + r];
      EXPECT_NEAR(gradient(i, r), slope, 1e-6 * std::abs(slope));
    }
  }
}

/// What runs on a caller's stream: nothing is copied, nothing allocated, and the machine has its own stream after it.
template <class Call>
void expect_on_callers_stream(Call&& call, std::int64_t num_launches) {
  const std::int64_t copies = HostLoop::num_copies;
  const std::size_t allocated = testing::UnwrittenMemory::allocated_bytes;
  HostLoop::keeps_launches = true;
  int mine = 0;
  for (void* const stream : {static_cast<void*>(&mine), static_cast<void*>(nullptr)}) {
    HostLoop::launches.clear();
    call(stream);
    // A caller's null is CUDA's default stream, not this machine's own.
    EXPECT_THAT(HostLoop::launches,
                ElementsAre(Pair(stream != nullptr ? stream : HostLoop::default_stream(), num_launches)));
  }
  HostLoop::keeps_launches = false;
  EXPECT_EQ(HostLoop::num_copies, copies);
  EXPECT_EQ(testing::UnwrittenMemory::allocated_bytes.load(), allocated);
}

TEST(DeviceTensors, StayOnTheCallersStreamWithoutCopies) {
  const std::int32_t samples[] = {2, 2};
  const Model model = structured_coalescent_blocks(samples);
  Evaluator evaluator(model);
  evaluator.use_device(std::make_shared<LoopMoments>());
  const auto moments = evaluator.tensor_moments(model.graph.unit_reward(), 2, true, 20);
  const auto d = static_cast<std::int64_t>(model.parameters.size());
  Array rates(20, d, false), values(20, 2, false), gradient(20, 2 * d, false);
  for (double& value : rates.values) value = 1;
  std::vector<std::int32_t> outcome(20);
  // Rates, moments, and where they go.
  expect_on_callers_stream(
      [&](void* stream) {
        moments->evaluate(rates.tensor, values.tensor, gradient.tensor, outcomes_in(outcome), stream);
      },
      3);

  LoopSampler sampler;
  const std::vector<double> ones(static_cast<std::size_t>(d), 1.0);
  const auto draws = tensor_draws(model, ones, {model.graph.unit_reward()}, sampler);
  Array drawn(20, 1, false);
  expect_on_callers_stream([&](void* stream) { draws->draw(3, 0, drawn.tensor, stream); }, 1);

  testing::HostLoopSvgd svgd;
  Array u(20, 3, true), s(20, 3, true), phi(20, 3, true);
  for (double& value : u.values) value = 1;
  s.values = u.values;
  expect_on_callers_stream(
      [&](void* stream) { svgd.direction(Kernel::kImq, u.tensor, s.tensor, 1.0, phi.tensor, stream); }, 2);
}

TEST(TensorDraws, AreTheCpusBits) {
  const std::int32_t samples[] = {3, 3};
  const Model demes = structured_coalescent(samples);
  const std::vector<double> theta = {1.0, 0.5, 0.2, 0.9};
  const std::vector<double> time = demes.graph.unit_reward();
  const std::span<const double> length = demes.graph.reward("length_1");
  const Matrix<double> wanted = sample(demes, theta, {time, length}, 300, 42, 1);
  LoopSampler sampler;
  const auto there = tensor_draws(demes, theta, {time, length}, sampler);
  EXPECT_EQ(there->num_rewards(), 2);
  for (const bool by_column : {false, true}) {
    // In two calls, as a caller with little room makes them.
    for (const auto& [first, count] : {std::pair<std::int64_t, std::int64_t>{0, 130}, {130, 170}}) {
      Array draws(count, 2, by_column);
      there->draw(42, first, draws.tensor, nullptr);
      for (std::int64_t i = 0; i < count; ++i)
        for (std::size_t r = 0; r < 2; ++r)
          EXPECT_EQ(draws(static_cast<std::size_t>(i), r), wanted(static_cast<std::size_t>(first + i), r));
    }
  }
}

/// Particles of a normal law, and scores near those of one of half its variance.
void scatter(Array& u, Array& s) {
  std::mt19937 random(4);
  std::normal_distribution<double> normal;
  for (std::size_t i = 0; std::cmp_less(i, u.tensor.shape[0]); ++i)
    for (std::size_t c = 0; std::cmp_less(c, u.tensor.shape[1]); ++c) {
      u(i, c) = normal(random);
      s(i, c) = -2 * u(i, c) + 0.3 * normal(random);
    }
}

/// The sum of the formula in `SvgdDevice::direction`, particle by particle.
TEST(TensorDirection, IsTheSumOverParticles) {
  testing::HostLoopSvgd svgd;
  const std::size_t n = 70, d = 3;
  for (const Kernel kernel : {Kernel::kRbf, Kernel::kImq}) {
    Array u(n, d, true), s(n, d, true), phi(n, d, true);
    scatter(u, s);
    const double inverse_h2 = 0.7;
    svgd.direction(kernel, u.tensor, s.tensor, inverse_h2, phi.tensor, nullptr);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t c = 0; c < d; ++c) {
        long double sum = 0, size = 0;
        for (std::size_t j = 0; j < n; ++j) {
          long double square = 0;
          for (std::size_t b = 0; b < d; ++b) square += (u(i, b) - u(j, b)) * (u(i, b) - u(j, b));
          // exp(-r^2 / (2 h^2)), or (1 + r^2 / h^2)^(-1/2); by u_j times (u_i - u_j) / h^2.
          const long double base = 1 + square * inverse_h2;
          const long double k = kernel == Kernel::kRbf ? std::exp(-square * inverse_h2 / 2) : 1 / std::sqrt(base);
          const long double slope = inverse_h2 * (kernel == Kernel::kRbf ? k : k / base);
          sum += k * s(j, c) + slope * (u(i, c) - u(j, c));
          size += std::abs(k * s(j, c)) + std::abs(slope * (u(i, c) - u(j, c)));
        }
        EXPECT_NEAR(phi(i, c), static_cast<double>(sum / n), 1e-14 * static_cast<double>(size / n));
      }
  }
}

/// From host memory too, whatever was asked before: few particles, then many, then a range of them.
TEST(TensorDirection, HasTheBitsOfOneFromHostMemory) {
  testing::HostLoopSvgd svgd;
  const std::int64_t d = 3;
  for (const std::int64_t n : {10, 1500, 70}) {
    const auto rows = static_cast<std::size_t>(n);
    Array u(n, d, true), s(n, d, true), there(n, d, true);
    scatter(u, s);
    svgd.direction(Kernel::kImq, u.tensor, s.tensor, 0.4, there.tensor, nullptr);
    for (const std::int64_t begin : {std::int64_t{0}, n / 3}) {
      std::vector<double> phi(rows * d, kNan);
      svgd.direction(Kernel::kImq, DirectionWork{.dimension = d,
                                                 .num_particles = n,
                                                 .stride = n,
                                                 .u = static_cast<const double*>(u.tensor.data),
                                                 .s = static_cast<const double*>(s.tensor.data),
                                                 .inverse_h2 = 0.4,
                                                 .row_begin = begin,
                                                 .row_end = n,
                                                 .phi = phi.data()});
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t c = 0; c < d; ++c) {
          if (static_cast<std::int64_t>(i) < begin) {
            EXPECT_TRUE(std::isnan(phi[c * rows + i]));
          } else {
            EXPECT_EQ(phi[c * rows + i], there(i, c)) << n << " " << begin << " " << i;
          }
        }
    }
  }
}

TEST(DeviceTensors, ThatDoNotFitAreRefused) {
  const Model model = erlang(2);
  Evaluator evaluator(model);
  const std::vector<double> reward = model.graph.unit_reward();
  EXPECT_THAT(reason_of([&] { (void)evaluator.tensor_moments(reward, 1, true, 4); }), HasSubstr("give it one first"));
  evaluator.use_device(std::make_shared<LoopMoments>());
  EXPECT_THAT(reason_of([&] { (void)evaluator.tensor_moments(reward, 5, true, 4); }), HasSubstr("must be in 1..4"));
  EXPECT_THAT(reason_of([&] { (void)evaluator.tensor_moments(reward, 0, true, 4); }), HasSubstr("must be in 1..4"));
  EXPECT_THAT(reason_of([&] { (void)evaluator.tensor_moments(reward, 1, true, 0); }), HasSubstr("at least 1"));
  EXPECT_THAT(reason_of([&] { (void)evaluator.tensor_moments({}, 1, true, 4); }), HasSubstr("reward"));
  const auto there = evaluator.tensor_moments(reward, 2, true, 4);
  Array rates(4, 1, false), values(4, 2, false), gradient(4, 2, false), five(5, 1, false), wide(4, 3, false);
  std::vector<std::int32_t> four(4), five_outcomes(5);
  const DeviceTensor outcome = outcomes_in(four);
  const auto asked = [&](const DeviceTensor& r, const DeviceTensor& v, const DeviceTensor& g, const DeviceTensor& o) {
    return reason_of([&] { there->evaluate(r, v, g, o, nullptr); });
  };
  EXPECT_EQ(asked(rates.tensor, values.tensor, gradient.tensor, outcome), "");
  DeviceTensor elsewhere = rates.tensor;
  elsewhere.device = 1;
  EXPECT_THAT(asked(elsewhere, values.tensor, gradient.tensor, outcome), HasSubstr("rates is on device 1"));
  EXPECT_THAT(asked(rates.tensor, wide.tensor, gradient.tensor, outcome), HasSubstr("values has"));
  EXPECT_THAT(asked(rates.tensor, values.tensor, wide.tensor, outcome), HasSubstr("gradient has"));
  EXPECT_THAT(asked(rates.tensor, values.tensor, gradient.tensor, rates.tensor), HasSubstr("outcome has"));
  Array five_values(5, 2, false);
  EXPECT_THAT(asked(five.tensor, five_values.tensor, five_values.tensor, outcomes_in(five_outcomes)),
              HasSubstr("room for 4"));

  LoopSampler sampler;
  const auto draws = tensor_draws(model, std::vector<double>{1.0}, {reward}, sampler);
  EXPECT_THAT(reason_of([&] { draws->draw(1, -1, rates.tensor, nullptr); }), HasSubstr("at least 0"));
  EXPECT_THAT(reason_of([&] { draws->draw(1, 0, wide.tensor, nullptr); }), HasSubstr("draws has"));

  testing::HostLoopSvgd svgd;
  Array u(8, 2, true), by_row(8, 2, false);
  const auto direction = [&](const DeviceTensor& a, const DeviceTensor& b, const DeviceTensor& c, double inverse_h2) {
    return reason_of([&] { svgd.direction(Kernel::kImq, a, b, inverse_h2, c, nullptr); });
  };
  EXPECT_THAT(direction(u.tensor, u.tensor, by_row.tensor, 1), HasSubstr("phi has strides 2 and 1"));
  EXPECT_THAT(direction(by_row.tensor, u.tensor, u.tensor, 1), HasSubstr("u has strides"));
  EXPECT_THAT(direction(u.tensor, u.tensor, u.tensor, 0), HasSubstr("must be > 0"));
  EXPECT_THAT(direction(u.tensor, u.tensor, u.tensor, kNan), HasSubstr("must be > 0"));
  DeviceTensor apart = u.tensor, overlapping = u.tensor;
  apart.stride[1] = 9;
  overlapping.stride[1] = 7;
  EXPECT_THAT(direction(u.tensor, apart, u.tensor, 1), HasSubstr("s has strides 1 and 9"));
  EXPECT_THAT(direction(u.tensor, u.tensor, apart, 1), HasSubstr("phi has strides 1 and 9"));
  EXPECT_THAT(direction(overlapping, overlapping, overlapping, 1), HasSubstr("u has strides 1 and 7"));
  EXPECT_THAT(direction(u.tensor, rates.tensor, u.tensor, 1), HasSubstr("s has"));
  Array many(8, 17, true);
  EXPECT_THAT(direction(many.tensor, many.tensor, many.tensor, 1), HasSubstr("1..16"));
}

}  // namespace
}  // namespace sojourn
