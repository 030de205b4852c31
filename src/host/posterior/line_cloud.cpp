#include "posterior/line_cloud.hpp"

#include <utility>
#include <vector>

#include "sojourn/svgd.hpp"

namespace sojourn {

LineCloud::LineCloud(std::unique_ptr<DeviceCloud> cloud, std::int64_t num_particles, Extend extend, Book book)
    : cloud_(std::move(cloud)), row_end_(num_particles), extend_(std::move(extend)), book_(std::move(book)) {}

CloudShare LineCloud::share_out(Communicator& ranks, const DeviceMessages& messages) {
  const CloudShare share = cloud_->share_out(ranks, messages);
  row_begin_ = share.row_begin;
  row_end_ = share.row_end;
  return share;
}

void LineCloud::load(const SvgdState& state) {
  cloud_->on_any_rank([&] { return extend_(state.particles.values(), *cloud_); });
  cloud_->load(state);
}

CloudProgress LineCloud::end_turn() {
  CloudProgress progress = cloud_->end_turn();
  while (progress.halted) {
    cloud_->open_steps(steps_);
    std::vector<double> places;
    for (const std::int64_t i : steps_.open) places.push_back(steps_.to(static_cast<std::size_t>(i), 0));
    // Ranks may hold other cells, from particles that they alone have evaluated: all try again where one has made some.
    if (!cloud_->on_any_rank([&] { return extend_(places, *cloud_); })) break;
    const CloudProgress more = cloud_->retry();
    const auto append = [](std::vector<double>& to, const std::vector<double>& from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    append(progress.mean_log_density, more.mean_log_density);
    append(progress.largest_step, more.largest_step);
    progress.halted = more.halted;
  }
  book_(std::ssize(progress.mean_log_density) * (row_end_ - row_begin_));
  return progress;
}

void LineCloud::open_steps(OpenSteps& steps) {
  cloud_->open_steps(steps);
  book_(row_end_ - row_begin_ - steps.num_open(row_begin_, row_end_));
}

}  // namespace sojourn
