// The steps around a batch's likelihoods, one at a time on numbers that are known, and batches smaller than all
// particles.
#include "device/posterior/posterior_batch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <numbers>
#include <span>
#include <vector>

#include "host/posterior/host_loop_device.hpp"
#include "host/posterior/posterior_cases.hpp"

namespace sojourn {
namespace {

using cases::Complex;
using cases::kInfinity;
using cases::kNan;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Gt;
using ::testing::Lt;

constexpr std::int32_t kDone = static_cast<std::int32_t>(LaneOutcome::kDone),
                       kInDoubt = static_cast<std::int32_t>(LaneOutcome::kInDoubt),
                       kCoarse = static_cast<std::int32_t>(LaneOutcome::kCoarse),
                       kUncertified = static_cast<std::int32_t>(LaneOutcome::kUncertified);
/// Where nothing has been written.
constexpr double kBefore = 7;

const double kHalfLogTwoPi = 0.5 * std::log(2 * std::numbers::pi);

/// Lognormal(0, 1): on the line of its logarithm a standard normal.
LaneParameter standard(std::int32_t parameter) {
  return {parameter,
          {prior_density::Family::kLognormal, 0, 1, -kHalfLogTwoPi, {line_transform::Kind::kLog, 0, kInfinity}}};
}
double log_normal(double z) { return -0.5 * z * z - kHalfLogTwoPi; }

/// Three rates that are the parameters; the second is fixed.
struct ThreeRates {
  LaneParameter free[2] = {standard(0), standard(2)};
  double base[3] = {kNan, 0.25, kNan};
  [[nodiscard]] ParameterView view() const {
    ParameterView view{};
    view.num_free = 2;
    view.num_parameters = view.num_rates = 3;
    view.free = free;
    view.base = base;
    return view;
  }
};

constexpr std::size_t kParticles = 9;

/// Places of all particles and what is made of them: rows of coordinates, or coordinates apart as a cloud has them.
struct Particles {
  explicit Particles(bool rows) : rows_(rows) {
    for (std::size_t i = 0; i < kParticles; ++i) {
      at(z, i, 0) = 0.125 * static_cast<double>(i) - 0.5;
      at(z, i, 1) = 1.0 - 0.25 * static_cast<double>(i);
    }
  }
  [[nodiscard]] double& at(std::vector<double>& array, std::size_t i, std::size_t c) const {
    return array[rows_ ? 2 * i + c : c * kStride + i];
  }
  [[nodiscard]] LanePlaces places() const { return {z.data(), rows_ ? 2 : 1, rows_ ? 1 : kStride}; }
  [[nodiscard]] LaneDensities output() {
    return {log_density.data(), score.data(), rows_ ? 2 : 1,     rows_ ? 1 : kStride,
            outcome.data(),     bound.data(), compression.data()};
  }
  static constexpr std::int64_t kStride = 12;
  std::vector<double> z = std::vector<double>(2 * kStride), score = std::vector<double>(2 * kStride, kBefore);
  std::vector<double> log_density = std::vector<double>(kParticles, kBefore), bound = log_density,
                      compression = log_density;
  std::vector<std::int32_t> outcome = std::vector<std::int32_t>(kParticles, 7);

 private:
  bool rows_;
};

/// A batch of particles behind others: theirs alone are read and written.
TEST(PosteriorBatch, StepsReadAndWriteTheirOwnBatch) {
  constexpr std::int64_t kFirst = 4, kCount = 3;
  const ThreeRates rates;
  for (const bool rows : {true, false}) {
    Particles all(rows);
    std::vector<double> scratch(6 * kCount, kNan), phi(3 * kCount, kNan);
    const PlaceStep place{rates.view(), all.places(), kFirst, kCount, scratch.data(), phi.data()};
    for (std::int64_t lane = 0; lane < kCount; ++lane) place(lane);
    std::vector<double> value{-3, 5, 0.5}, bound{1e-9, 2e-9, 3e-9}, compression{4e-9, 5e-9, 6e-9};
    std::vector<double> by_rate{2, 3, 5, 100, 200, 300, -1, 7, 11};
    std::vector<std::int32_t> outcome{kDone, kDone, kDone};
    LikelihoodBatchView batch{};
    batch.n = kCount;
    batch.value = value.data();
    batch.error_bound = bound.data();
    batch.compression_error = compression.data();
    batch.by_rate = by_rate.data();
    batch.outcome = outcome.data();
    const FinishStep finish{rates.view(), all.places(), batch, kFirst, scratch.data(), all.output()};
    for (std::int64_t lane = 0; lane < kCount; ++lane) finish(lane);

    for (std::size_t i = 0; i < kParticles; ++i) {
      SCOPED_TRACE(i);
      const double a = all.at(all.z, i, 0), b = all.at(all.z, i, 1);
      const std::size_t k = i - kFirst;
      if (k >= kCount) {
        EXPECT_EQ(all.log_density[i], kBefore);
        EXPECT_EQ(all.at(all.score, i, 0), kBefore);
        EXPECT_EQ(all.at(all.score, i, 1), kBefore);
        EXPECT_EQ(all.outcome[i], 7);
        EXPECT_EQ(all.bound[i], kBefore);
        EXPECT_EQ(all.compression[i], kBefore);
        continue;
      }
      EXPECT_DOUBLE_EQ(phi[k], std::exp(a));
      EXPECT_EQ(phi[kCount + k], 0.25);
      EXPECT_DOUBLE_EQ(phi[2 * kCount + k], std::exp(b));
      // A few roundings of sums of this size.
      EXPECT_NEAR(all.log_density[i], value[k] + log_normal(a) + log_normal(b), 1e-13);
      EXPECT_NEAR(all.at(all.score, i, 0), by_rate[k] * std::exp(a) - a, 1e-13);
      EXPECT_NEAR(all.at(all.score, i, 1), by_rate[2 * kCount + k] * std::exp(b) - b, 2e-13);
      EXPECT_EQ(all.outcome[i], kDone);
      EXPECT_EQ(all.bound[i], bound[k]);
      EXPECT_EQ(all.compression[i], compression[k]);
    }
  }
}

/// What a likelihood gave to a batch of one, and what is to be made of it.
struct Finished {
  const char* what;
  double value, by_rate[3];
  std::int32_t outcome, wanted;
};

/// A number that is not finite is no answer, wherever it stands; an outcome that was there stays; and without an answer
/// there is no error.
TEST(PosteriorBatch, MarksWhatIsNotFinite) {
  const Finished kCases[] = {
      {"all finite", -2, {1, 2, 3}, kDone, kDone},
      {"log likelihood", -kInfinity, {1, 2, 3}, kDone, kInDoubt},
      {"no number", kNan, {1, 2, 3}, kDone, kInDoubt},
      {"derivative by a free rate", -2, {1, 2, kNan}, kDone, kInDoubt},
      {"derivative by the fixed rate", -2, {1, kInfinity, 3}, kDone, kInDoubt},
      {"score alone, by overflow", -2, {1e308, 2, 3}, kDone, kInDoubt},
      {"finite, but coarse", -2, {1, 2, 3}, kCoarse, kCoarse},
      {"finite, but uncertified", -2, {1, 2, 3}, kUncertified, kUncertified},
      {"finite, but in doubt", -2, {1, 2, 3}, kInDoubt, kInDoubt},
      {"coarse and not finite", kNan, {kNan, kNan, kNan}, kCoarse, kCoarse},
  };
  const ThreeRates rates;
  for (const Finished& one : kCases) {
    SCOPED_TRACE(one.what);
    const double z[] = {1, -0.5};
    std::vector<double> scratch(6, kNan), phi(3), by_rate(one.by_rate, one.by_rate + 3), score(2);
    const LanePlaces places{z, 2, 1};
    PlaceStep{rates.view(), places, 0, 1, scratch.data(), phi.data()}(0);
    double value = one.value, bound = 1e-9, compression = 2e-9;
    std::int32_t outcome = one.outcome;
    LikelihoodBatchView batch{};
    batch.n = 1;
    batch.value = &value;
    batch.error_bound = &bound;
    batch.compression_error = &compression;
    batch.by_rate = by_rate.data();
    batch.outcome = &outcome;
    double log_density = kBefore, own_bound = kBefore, own_compression = kBefore;
    std::int32_t own_outcome = 7;
    FinishStep{rates.view(),   places,
               batch,          0,
               scratch.data(), {&log_density, score.data(), 2, 1, &own_outcome, &own_bound, &own_compression}}(0);
    EXPECT_EQ(own_outcome, one.wanted);
    EXPECT_EQ(own_bound, one.wanted == kDone ? bound : 0);
    EXPECT_EQ(own_compression, one.wanted == kDone ? compression : 0);
  }
}

/// A cell of two terms: value 2 + 3 x and slope 5 + 7 x for its own x from -1 to 1.
line_series::Cell cell(std::int32_t halvings, std::int64_t place, line_series::State state) {
  line_series::Cell one{halvings, state, place, {}, {}};
  if (state != line_series::State::kServes) return one;
  one.value[0] = 2;
  one.value[1] = 3;
  one.slope[0] = 5;
  one.slope[1] = 7;
  return one;
}

/// Whole cells are one wide: [0, 1) serves, [1, 2) is rough, of [2, 3) the first half serves and the second has not
/// been made, nor have others; [4, 5) and [5, 6) serve with a value or a slope that is none.
TEST(PosteriorBatch, LineStepSaysWhatIsKnownAtAPlace) {
  using line_series::State;
  std::vector<line_series::Cell> cells{cell(0, 0, State::kServes), cell(0, 1, State::kRough),
                                       cell(0, 2, State::kHalved), cell(0, 4, State::kServes),
                                       cell(0, 5, State::kServes), cell(1, 4, State::kServes)};
  cells[3].value[0] = kInfinity;
  cells[4].slope[0] = kNan;
  const double width = 1;
  const std::int64_t num_cells = std::ssize(cells);
  const LaneParameter free = standard(0);
  const double base = kNan;
  ParameterView view{};
  view.num_free = view.num_parameters = view.num_rates = 1;
  view.free = &free;
  view.base = &base;
  // Every other number is a particle's; what stands between them stays.
  const struct {
    double z;
    std::int32_t wanted;
    double x;  ///< in its cell, where there is an answer
  } kCases[] = {{0.75, kDone, 0.5},           {1.5, kUncertified, 0},  {2.125, kDone, -0.5}, {2.75, kCoarse, 0},
                {-0.5, kCoarse, 0},           {3.5, kCoarse, 0},       {4.5, kInDoubt, 0},   {5.5, kInDoubt, 0},
                {kInfinity, kUncertified, 0}, {kNan, kUncertified, 0}, {0.125, kDone, -0.75}};
  const std::size_t n = std::size(kCases);
  std::vector<double> z(2 * n, kNan), score(2 * n, kBefore), density(n, kBefore), bound(n, kBefore),
      compression(n, kBefore);
  for (std::size_t i = 0; i < n; ++i) z[2 * i] = kCases[i].z;
  std::vector<std::int32_t> outcome(n, 7);
  const LineStep step{view,
                      {z.data(), 2, 1},
                      {&width, &num_cells, cells.data()},
                      {density.data(), score.data(), 2, 1, outcome.data(), bound.data(), compression.data()}};
  for (std::size_t i = 0; i < n; ++i) step(static_cast<std::int64_t>(i));
  for (std::size_t i = 0; i < n; ++i) {
    SCOPED_TRACE(kCases[i].z);
    EXPECT_EQ(outcome[i], kCases[i].wanted);
    EXPECT_EQ(score[2 * i + 1], kBefore);
    if (kCases[i].wanted != kDone) continue;
    const double x = kCases[i].x;
    EXPECT_NEAR(density[i], 2 + 3 * x + log_normal(kCases[i].z), 1e-13);
    EXPECT_NEAR(score[2 * i], 5 + 7 * x - kCases[i].z, 1e-13);
  }
  // The line's own estimate is the host's.
  EXPECT_THAT(bound, Each(0.0));
  EXPECT_THAT(compression, Each(0.0));
}

/// Times of a sum of two exponentials, density a b (exp(-a t) - exp(-b t)) / (b - a), and priors Gamma(2, 1.5) on the
/// line, 2 (z + log 1.5) - 1.5 exp(z).
constexpr double kTimes[] = {0.3, 0.7, 1.1, 1.4, 2.5, 4};
Complex log_posterior(Complex za, Complex zb) {
  const Complex a = std::exp(za), b = std::exp(zb);
  Complex sum = 0;
  for (const double t : kTimes)
    sum += std::log(a * b * (std::exp(-a * Complex(t)) - std::exp(-b * Complex(t))) / (b - a));
  for (const Complex z : {za, zb}) sum += Complex(2) * (z + std::log(Complex(1.5L))) - Complex(1.5L) * std::exp(z);
  return sum;
}

/// Whatever fits at once; twenty-three particles leave a rest of all batches of two and more. Places are rows, scores
/// coordinates apart, and there is room for as many particles again, which stays as it was.
TEST(PosteriorBatch, SmallBatchesGiveTheClosedForm) {
  using testing::HostLoop;
  constexpr std::int64_t kAll = 23, kRoom = 2 * kAll, kLaunchesOfOne = 9;
  std::vector<double> z(2 * kRoom);
  std::vector<cases::ValueAndSlope> by_a(kAll), by_b(kAll);
  for (std::size_t i = 0; i < kAll; ++i) {
    const double a = z[2 * i] = -1 + 0.0625 * static_cast<double>(i);
    const double b = z[2 * i + 1] = a + 0.5 + 0.03125 * static_cast<double>(i);
    by_a[i] = cases::complex_step([&](Complex at) { return log_posterior(at, b); }, a);
    by_b[i] = cases::complex_step([&](Complex at) { return log_posterior(a, at); }, b);
  }
  std::vector<std::int64_t> num_batches;
  for (const double free_bytes : {1e12, 40e3, 20e3}) {
    SCOPED_TRACE(free_bytes);
    Posterior posterior = cases::gamma_posterior(cases::two_stages());
    posterior.use_device(std::make_shared<testing::HostLoopDevice>(free_bytes));
    const std::unique_ptr<DevicePosterior> there = posterior.on_device(kRoom);
    std::vector<double> score(2 * kRoom, kBefore), density(kRoom, kBefore);
    std::vector<std::int32_t> outcome(kRoom, 7);
    HostLoop::launches.clear();
    HostLoop::keeps_launches = true;
    there->evaluate({.data = z.data(), .device = -1, .num_dims = 2, .shape = {kAll, 2}, .stride = {2, 1}},
                    {.data = density.data(), .device = -1, .shape = {kAll, 1}},
                    {.data = score.data(), .device = -1, .num_dims = 2, .shape = {kAll, 2}, .stride = {1, kRoom}},
                    {.data = outcome.data(), .type = DeviceTensor::Type::kInt32, .device = -1, .shape = {kAll, 1}},
                    nullptr);
    HostLoop::keeps_launches = false;
    num_batches.push_back(HostLoop::launches[HostLoop::default_stream()] / kLaunchesOfOne);
    EXPECT_THAT(std::span(outcome).first(kAll), Each(kDone));
    EXPECT_THAT(std::span(outcome).subspan(kAll), Each(7));
    EXPECT_THAT(std::span(density).subspan(kAll), Each(kBefore));
    EXPECT_THAT(std::span(score).subspan(kAll, kAll), Each(kBefore));
    EXPECT_THAT(std::span(score).subspan(kRoom + kAll), Each(kBefore));
    for (std::size_t i = 0; i < kAll; ++i) {
      // Far below the certified 1e-9: what a contour's sums leave of numbers of size ten or so.
      EXPECT_NEAR(density[i], by_a[i].value, 1e-12) << i;
      EXPECT_NEAR(score[i], by_a[i].slope, 1e-12) << i;
      EXPECT_NEAR(score[kRoom + i], by_b[i].slope, 1e-12) << i;
    }
  }
  EXPECT_THAT(num_batches, ElementsAre(1, AllOf(Gt(1), Lt(kAll)), AllOf(Gt(1), Lt(kAll))));
}

}  // namespace
}  // namespace sojourn
