#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

#include "common/moment_lane.hpp"
#include "elimination/prc_arrays.hpp"
#include "evaluation/expect_reward.hpp"
#include "evaluation/moment_lane_shape.hpp"
#include "evaluation/moment_replay.hpp"
#include "evaluation/single_bounds.hpp"
#include "evaluation/team.hpp"
#include "expects.hpp"
#include "sojourn/evaluator.hpp"

namespace sojourn {
namespace {

/// First answers of a device that the CPU computes as well, see `LikelihoodEngine`.
constexpr std::size_t kNumChecked = 4;
constexpr double kValueAllowance = 1e-9, kGradientAllowance = 1e-6;

bool all_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
}

void expect_close(const std::string& device, const char* what, std::span<const double> got,
                  std::span<const double> wanted, double allowance) {
  for (std::size_t i = 0; i < got.size(); ++i)
    SOJOURN_EXPECTS(std::abs(got[i] - wanted[i]) <= allowance * std::abs(wanted[i]), DeviceError,
                    "{}: a {} of moments is {} there and {} on the CPU; use --device cpu and report this", device, what,
                    got[i], wanted[i]);
}

}  // namespace

struct Evaluator::OnDevice {
  std::shared_ptr<MomentDevice> device;
  std::unique_ptr<DeviceMoments> program;
  std::mutex mutex;  ///< one batch at a time
  MomentReport report;
  bool checked = false, single_checked = false;
};

void Evaluator::use_device(std::shared_ptr<MomentDevice> device) {
  const auto expect = [&](bool can, const char* why) {
    SOJOURN_EXPECTS(can, DeviceError, "{}: moments of this model are not evaluated on a device: {}; use --device cpu",
                    device->name(), why);
  };
  expect(model_.graph.time_kind() == TimeKind::kContinuous, "it is in discrete time");
  expect(options_.precision != Precision::kMulti, "devices compute in double and single precision alone");
  auto on_device = std::make_shared<OnDevice>();
  on_device->program = device->load(prc_.arrays());
  on_device->report.name = device->name();
  on_device->device = std::move(device);
  on_device_ = std::move(on_device);
}

std::unique_ptr<TensorMoments> Evaluator::tensor_moments(std::span<const double> reward, int order, bool gradient,
                                                         std::int64_t most_vectors) const {
  expect_reward(model_.graph, reward);
  SOJOURN_EXPECTS(on_device_ != nullptr, UsageError,
                  "moments of tensors: the evaluator has no device; give it one first, by use_device");
  SOJOURN_EXPECTS(most_vectors >= 1, UsageError, "moments of tensors: room for {} vectors; must be at least 1",
                  most_vectors);
  OnDevice& there = *on_device_;
  SOJOURN_EXPECTS(order >= 1 && order <= kMostLaneOrder, DeviceError,
                  "{}: moments of tensors of order {}; must be in 1..{}", there.report.name, order, kMostLaneOrder);
  SOJOURN_EXPECTS(options_.precision == Precision::kDouble, DeviceError,
                  "{}: moments of tensors are evaluated in double precision alone", there.report.name);
  const std::scoped_lock lock(there.mutex);
  const PrcArrays& arrays = prc_.arrays();
  return there.program->on_tensors(moment_lane_shape(arrays, order, gradient), arrays.by_row(reward), most_vectors);
}

MomentReport Evaluator::moment_report() const {
  if (!on_device_) return {};
  const std::scoped_lock lock(on_device_->mutex);
  return on_device_->report;
}

void Evaluator::moments_on_device(MatrixView<const double> phi, std::span<const double> reward, int order,
                                  std::span<double> values, std::span<double> by_rate, std::span<char> in_doubt) const {
  OnDevice& there = *on_device_;
  const std::scoped_lock lock(there.mutex);
  SOJOURN_EXPECTS(
      order <= kMostLaneOrder, DeviceError,
      "{}: moments of order {} are not evaluated on a device, which takes orders up to {}; use --device cpu",
      there.report.name, order, kMostLaneOrder);
  const PrcArrays& arrays = prc_.arrays();
  const bool gradient = !by_rate.empty();
  const std::size_t count = phi.num_rows(), width = static_cast<std::size_t>(order),
                    gradient_width = gradient ? width * phi.num_cols() : 0;
  std::vector<unsigned char> doubtful(gradient ? count : 0);
  const MomentLaneShape shape = moment_lane_shape(arrays, order, gradient);
  there.program->evaluate(shape, phi, arrays.by_row(reward), values, by_rate, doubtful);
  there.report.traffic = there.program->traffic(shape, static_cast<std::int64_t>(count));
  std::vector<std::size_t> again;
  std::size_t num_checked = there.checked ? kNumChecked : 0;
  for (std::size_t k = 0; k < count; ++k) {
    const bool finite =
        all_finite(values.subspan(k * width, width)) && all_finite(by_rate.subspan(k * gradient_width, gradient_width));
    const bool doubt = gradient && doubtful[k] != 0;
    there.report.num_not_finite += finite ? 0 : 1;
    there.report.num_in_doubt += finite && doubt ? 1 : 0;
    there.report.num_served += finite && !doubt ? 1 : 0;
    if (!finite || doubt) again.push_back(k);
    if (!finite || doubt || num_checked == kNumChecked) continue;
    ++num_checked;
    there.checked = true;
    std::vector<double> wanted(width), wanted_by_rate(gradient_width);
    replay_moments(model_.graph, prc_, {phi.row(k).data(), 1, phi.num_cols()}, reward, order, wanted, wanted_by_rate,
                   1);
    expect_close(there.report.name, "value", values.subspan(k * width, width), wanted, kValueAllowance);
    expect_close(there.report.name, "derivative", by_rate.subspan(k * gradient_width, gradient_width), wanted_by_rate,
                 kGradientAllowance);
  }
  if (again.empty()) return;
  Matrix<double> some(again.size(), phi.num_cols());
  for (std::size_t i = 0; i < again.size(); ++i) std::ranges::copy(phi.row(again[i]), some.row(i).begin());
  std::vector<double> own(again.size() * width), own_by_rate(again.size() * gradient_width);
  std::vector<char> own_doubt(gradient ? again.size() : 0);
  replay_moments(model_.graph, prc_, std::as_const(some).view(), reward, order, own, own_by_rate,
                 team_size(options_.num_threads), GradientRoute::kCertified, own_doubt);
  for (std::size_t i = 0; i < again.size(); ++i) {
    std::copy_n(own.begin() + static_cast<std::ptrdiff_t>(i * width), width, values.subspan(again[i] * width).begin());
    std::copy_n(own_by_rate.begin() + static_cast<std::ptrdiff_t>(i * gradient_width), gradient_width,
                by_rate.subspan(again[i] * gradient_width).begin());
    if (gradient) in_doubt[again[i]] = own_doubt[i];
  }
}

void Evaluator::single_moments_on_device(MatrixView<const double> phi, std::span<const double> reward, int order,
                                         Quantity& quantity) const {
  OnDevice& there = *on_device_;
  SOJOURN_EXPECTS(
      order <= kMostSingleOrder, DeviceError,
      "{}: in fp32 moments of order {} are not evaluated on a device, which takes orders up to {}; use fp64, "
      "or --device cpu",
      there.device->name(), order, kMostSingleOrder);
  const PrcArrays& arrays = prc_.arrays();
  const SingleBounds bounds = single_bounds(model_.graph, prc_, order);
  const std::size_t count = phi.num_rows(), width = static_cast<std::size_t>(order);
  std::vector<double>& values = quantity.values.values();
  quantity.error_bound = Matrix<double>(count, width);
  std::vector<std::size_t> left;
  {
    const std::scoped_lock lock(there.mutex);
    if (bounds.allowed)
      there.program->evaluate(moment_lane_shape(arrays, order, false, true), phi, arrays.by_row(reward), values, {},
                              {});
    std::size_t num_checked = there.single_checked ? kNumChecked : 0;
    for (std::size_t k = 0; k < count; ++k) {
      const auto own = std::span(values).subspan(k * width, width);
      const bool single = bounds.allowed && all_finite(own);
      quantity.precision.push_back(single ? Precision::kSingle : Precision::kDouble);
      const std::vector<double>& bound = single ? bounds.of_order : bounds.in_double;
      std::ranges::copy(bound, quantity.error_bound.row(k).begin());
      if (!single) {
        left.push_back(k);
        continue;
      }
      ++there.report.num_served;
      ++there.report.num_single;
      if (num_checked == kNumChecked) continue;
      ++num_checked;
      there.single_checked = true;
      std::vector<double> wanted(width);
      replay_moments(model_.graph, prc_, {phi.row(k).data(), 1, phi.num_cols()}, reward, order, wanted, {}, 1);
      for (std::size_t j = 0; j < width; ++j)
        expect_close(there.report.name, "value in fp32", own.subspan(j, 1), {&wanted[j], 1}, bounds.of_order[j]);
    }
  }
  if (left.empty()) return;
  Matrix<double> some(left.size(), phi.num_cols());
  for (std::size_t i = 0; i < left.size(); ++i) std::ranges::copy(phi.row(left[i]), some.row(i).begin());
  std::vector<double> in_double(left.size() * width);
  moments_on_device(std::as_const(some).view(), reward, order, in_double, {}, {});
  for (std::size_t i = 0; i < left.size(); ++i)
    std::copy_n(in_double.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                quantity.values.row(left[i]).begin());
}

}  // namespace sojourn
