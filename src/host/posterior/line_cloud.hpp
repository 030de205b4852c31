#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "sojourn/svgd_device.hpp"

namespace sojourn {

/// A device's cloud whose log likelihoods come from the cells of the only free parameter's line. Cells are made on the
/// host where particles come, and handed to the device before it goes on: whether one is there decides nothing, so
/// that the bits do not depend on what was asked before. Particles that no cell serves are left open.
class LineCloud final : public DeviceCloud {
 public:
  /// Makes the cells that places need, and hands them to the cloud unless it has them all. Returns whether it had not.
  using Extend = std::function<bool(std::span<const double> places, DeviceCloud& cloud)>;
  /// Told how many answers the line gave.
  using Book = std::function<void(std::int64_t num_answers)>;

  LineCloud(std::unique_ptr<DeviceCloud> cloud, std::int64_t num_particles, Extend extend, Book book);

  CloudShare share_out(Communicator& ranks, const DeviceMessages& messages) override;
  bool on_any_rank(const std::function<bool()>& work) override { return cloud_->on_any_rank(work); }
  void load(const SvgdState& state) override;
  void begin_turn(std::int64_t most) override { cloud_->begin_turn(most); }
  CloudProgress end_turn() override;
  void open_steps(OpenSteps& steps) override;
  CloudProgress settle(const OpenSteps& steps) override { return cloud_->settle(steps); }
  void follow_line(const line_series::Table& cells) override { cloud_->follow_line(cells); }
  CloudProgress retry() override { return cloud_->retry(); }
  void begin_save() override { cloud_->begin_save(); }
  void end_save(SvgdState& state) override { cloud_->end_save(state); }
  void worst_errors(double& error_bound, double& compression_error) override {
    cloud_->worst_errors(error_bound, compression_error);
  }
  double direction_error() override { return cloud_->direction_error(); }

 private:
  std::unique_ptr<DeviceCloud> cloud_;
  std::int64_t row_begin_ = 0, row_end_;  ///< evaluated here
  Extend extend_;
  Book book_;
  OpenSteps steps_;
};

}  // namespace sojourn
