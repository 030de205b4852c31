#include "sampler/watched_target.hpp"

#include <algorithm>

#include "sampler/kernel_sum.hpp"

namespace sojourn {
namespace {

constexpr double kSecondsPerPart = 0.25;
constexpr double kSecondsBetweenQuestions = 0.1;

double seconds_between(std::chrono::steady_clock::time_point begin, std::chrono::steady_clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

}  // namespace

WatchedTarget::WatchedTarget(const Target& target, std::function<bool()> go_on, int num_threads)
    : target_(target),
      go_on_(std::move(go_on)),
      num_threads_(static_cast<std::size_t>(resolve_threads(num_threads))),
      rows_per_part_(num_threads_) {}

void WatchedTarget::evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                             std::vector<std::string>& status) const {
  const std::size_t dim = z.num_cols();
  std::vector<std::string> part_status;
  for (std::size_t begin = 0; begin < z.num_rows();) {
    const std::size_t rows = std::min(rows_per_part_, z.num_rows() - begin);
    const auto before = Clock::now();
    part_status.assign(rows, {});
    target_.evaluate({z.row(begin).data(), rows, dim}, log_density.subspan(begin, rows),
                     score.empty() ? MatrixView<double>() : MatrixView<double>(score.row(begin).data(), rows, dim),
                     part_status);
    std::move(part_status.begin(), part_status.end(), status.begin() + static_cast<std::ptrdiff_t>(begin));
    begin += rows;
    const auto now = Clock::now();
    if (rows == rows_per_part_) {
      // Towards the rows of a quarter second, at most eightfold at once, in whole turns of the team.
      const double factor = std::clamp(kSecondsPerPart / std::max(seconds_between(before, now), 1e-9), 0.125, 8.0);
      const double turns = factor * static_cast<double>(rows) / static_cast<double>(num_threads_);
      rows_per_part_ = num_threads_ * static_cast<std::size_t>(std::clamp(turns, 1.0, 1e6));
    }
    if (seconds_between(last_asked_, now) < kSecondsBetweenQuestions) continue;
    last_asked_ = now;
    if (!go_on_()) throw Stopped{};
  }
}

}  // namespace sojourn
