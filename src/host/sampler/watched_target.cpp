#include "sampler/watched_target.hpp"

#include <algorithm>
#include <chrono>

namespace sojourn {
namespace {

constexpr double kSecondsPerPart = 0.25;

}  // namespace

double local_clock() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

WatchedTarget::WatchedTarget(const Target& target, std::function<bool()> go_on, std::size_t turn, ClockFunction clock,
                             double seconds_between)
    : target_(target),
      go_on_(std::move(go_on)),
      turn_(std::max<std::size_t>(1, turn)),
      clock_(std::move(clock)),
      seconds_between_(seconds_between),
      rows_per_part_(turn_),
      last_asked_(clock_()) {}

void WatchedTarget::evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                             std::vector<std::string>& status) const {
  const std::size_t dim = z.num_cols();
  std::vector<std::string> part_status;
  for (std::size_t begin = 0; begin < z.num_rows();) {
    const std::size_t rows = std::min(rows_per_part_, z.num_rows() - begin);
    const double before = clock_();
    part_status.assign(rows, {});
    target_.evaluate({z.row(begin).data(), rows, dim}, log_density.subspan(begin, rows),
                     score.empty() ? MatrixView<double>() : MatrixView<double>(score.row(begin).data(), rows, dim),
                     part_status);
    std::move(part_status.begin(), part_status.end(), status.begin() + static_cast<std::ptrdiff_t>(begin));
    begin += rows;
    const double now = clock_();
    if (rows == rows_per_part_) {
      // Towards the rows of a quarter second, at most eightfold at once, in whole turns of the team.
      const double factor = std::clamp(kSecondsPerPart / std::max(now - before, 1e-9), 0.125, 8.0);
      const double turns = factor * static_cast<double>(rows) / static_cast<double>(turn_);
      rows_per_part_ = turn_ * static_cast<std::size_t>(std::clamp(turns, 1.0, 1e6));
    }
    if (now - last_asked_ < seconds_between_) continue;
    last_asked_ = now;
    if (!go_on_()) throw Stopped{};
  }
}

}  // namespace sojourn
