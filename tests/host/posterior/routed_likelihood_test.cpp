// Which particles of a level go by uniformization: those that the contour leaves open, and no others.
#include "device/posterior/routed_likelihood.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/evaluation/shuffled_lanes.hpp"
#include "host/posterior/host_loop_device.hpp"
#include "host/posterior/posterior_cases.hpp"
#include "sojourn/families.hpp"

namespace sojourn {
namespace {

using namespace cases;

/// A suite's device; keeps what each of its levels gave.
class WatchedDevice final : public LikelihoodDevice {
 public:
  struct Given {
    LaneOutcome outcome;
    bool by_steps;
  };
  [[nodiscard]] std::string name() const override { return inner_->name(); }
  std::unique_ptr<DeviceLevel> load(const PrcArrays& arrays, const LikelihoodTables& tables) override {
    class Level final : public DeviceLevel {
     public:
      Level(std::unique_ptr<DeviceLevel> inner, std::vector<Given>& given) : inner_(std::move(inner)), given_(given) {}
      void evaluate(MatrixView<const double> phi, bool gradient, DeviceValues& values) override {
        inner_->evaluate(phi, gradient, values);
        for (std::size_t k = 0; k < values.outcome.size(); ++k)
          given_.push_back({static_cast<LaneOutcome>(values.outcome[k]), values.by_steps[k] != 0});
      }

     private:
      std::unique_ptr<DeviceLevel> inner_;
      std::vector<Given>& given_;
    };
    return std::make_unique<Level>(inner_->load(arrays, tables), given);
  }
  [[nodiscard]] std::int64_t count(LaneOutcome outcome) const {
    return std::ranges::count_if(given, [=](const Given& one) { return one.outcome == outcome; });
  }
  [[nodiscard]] std::int64_t num_by_steps() const {
    return std::ranges::count_if(given, [](const Given& one) { return one.by_steps; });
  }
  std::vector<Given> given;

 private:
  std::shared_ptr<LikelihoodDevice> inner_ = testing::suite_likelihoods();
};

/// Where the interpolant is too coarse other values of the law do not help: the next level is asked at once.
TEST(RoutedLikelihood, LeavesWhatIsCoarseToTheNextLevel) {
  const Model model = make_model(TimeKind::kContinuous, 3, {{0, 0.5}, {1, 0.5}},
                                 {{0, 2, 0, {{0, 1.0}}}, {1, 2, 0, {{1, 1.0}}}}, {{"a"}, {"b"}}, RateMap::identity(2));
  std::string csv = "time\n";
  for (int i = 0; i < 4000; ++i) csv += std::to_string(0.03 * std::pow(100.0, i / 4000.0)) + '\n';
  DataLikelihood likelihood(model, times(csv), model.graph.unit_reward());
  const auto device = std::make_shared<WatchedDevice>();
  likelihood.use_device(device);
  Matrix<double> theta(3, 2);
  theta.values() = {1, 1.2, 20, 0.3, 40, 1};
  (void)evaluate_at(likelihood, theta);
  EXPECT_GT(device->count(LaneOutcome::kCoarse), 0);
  EXPECT_EQ(device->count(LaneOutcome::kDone), 3);
  EXPECT_EQ(device->num_by_steps(), 0);
}

/// A value that the contour certifies, with a gradient whose digits rounding may have taken, is the CPU's.
TEST(RoutedLikelihood, LeavesWhatIsInDoubtToTheCpu) {
  const std::int32_t two_demes[] = {2, 2};
  const Model model = structured_coalescent_blocks(two_demes);
  Matrix<double> theta = scattered(std::vector<double>(model.parameters.size(), 1.0), 3, 0.2, 11);
  for (std::size_t p = 2; p < theta.num_cols(); ++p) theta(1, p) *= 1e8;
  DataLikelihood likelihood(model, times("time\n0.5\n1\n3\n"), model.graph.unit_reward());
  const auto device = std::make_shared<WatchedDevice>();
  likelihood.use_device(device);
  (void)evaluate_at(likelihood, theta);
  ASSERT_EQ(device->given.size(), 3u);
  EXPECT_EQ(device->given[1].outcome, LaneOutcome::kInDoubt);
  EXPECT_EQ(device->count(LaneOutcome::kDone), 2);
  EXPECT_EQ(device->num_by_steps(), 0);
}

}  // namespace
}  // namespace sojourn
