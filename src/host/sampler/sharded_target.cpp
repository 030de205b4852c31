#include "sampler/sharded_target.hpp"

#include <algorithm>
#include <utility>

namespace sojourn {
namespace {

/// Rows of the largest block.
std::size_t largest_block(std::int64_t count, std::int64_t unit, int num_ranks) {
  std::int64_t largest = 0;
  for (int rank = 0; rank < num_ranks; ++rank) {
    const RankRows rows = rows_of_rank(count, unit, rank, num_ranks);
    largest = std::max(largest, rows.end - rows.begin);
  }
  return static_cast<std::size_t>(largest);
}

/// Texts of the ranks' own rows to all: each as row number, a zero, the text, a zero.
void share_texts(Communicator& communicator, RankRows own, std::vector<std::string>& status) {
  std::string packed;
  for (std::int64_t row = own.begin; row < own.end; ++row) {
    const std::string& text = status[static_cast<std::size_t>(row)];
    if (!text.empty()) packed += std::to_string(row) + '\0' + text + '\0';
  }
  const auto length = static_cast<std::int64_t>(packed.size());
  const std::int64_t longest = communicator.all_reduce(std::span(&length, 1), Reduction::kMax)[0];
  if (longest == 0) return;
  packed.resize(static_cast<std::size_t>(longest), '\0');
  const std::vector<char> all = communicator.all_gather(std::span<const char>(packed));
  for (std::size_t block = 0; block < all.size(); block += packed.size()) {
    const char* at = all.data() + block;
    const char* const end = at + packed.size();
    while (at < end && *at != '\0') {
      const auto row = static_cast<std::size_t>(std::stoll(at));
      at = std::find(at, end, '\0') + 1;
      const char* const text_end = std::find(at, end, '\0');
      status[row].assign(at, text_end);
      at = text_end + 1;
    }
  }
}

}  // namespace

RankRows rows_of_rank(std::int64_t count, std::int64_t unit, int rank, int num_ranks) {
  const std::int64_t units = (count + unit - 1) / unit;
  const auto edge = [&](int r) { return std::min(count, units * r / num_ranks * unit); };
  return {edge(rank), edge(rank + 1)};
}

void on_every_rank(Communicator& communicator, const std::function<void()>& work) {
  std::string failure;
  try {
    work();
  } catch (const std::exception& error) {
    failure = *error.what() == '\0' ? "an exception without a text" : error.what();
  }
  vote(communicator, failure);
}

void ShardedTarget::evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                             std::vector<std::string>& status) const {
  const std::size_t dim = z.num_cols(), width = score.empty() ? 1 : 1 + dim;
  const auto count = static_cast<std::int64_t>(z.num_rows());
  const int num_ranks = communicator_.size();
  const RankRows own = rows_of_rank(count, 1, communicator_.rank(), num_ranks);
  const auto first = static_cast<std::size_t>(own.begin), rows = static_cast<std::size_t>(own.end - own.begin);
  on_every_rank(communicator_, [&] {
    if (rows == 0) return;
    std::vector<std::string> own_status(rows);
    target_.evaluate({z.row(first).data(), rows, dim}, log_density.subspan(first, rows),
                     score.empty() ? MatrixView<double>() : MatrixView<double>(score.row(first).data(), rows, dim),
                     own_status);
    std::move(own_status.begin(), own_status.end(), status.begin() + own.begin);
  });
  const std::size_t block = largest_block(count, 1, num_ranks);
  std::vector<double> packed(block * width, 0.0);
  for (std::size_t i = 0; i < rows; ++i) {
    packed[i * width] = log_density[first + i];
    if (width > 1) std::ranges::copy(score.row(first + i), packed.begin() + static_cast<std::ptrdiff_t>(i * width + 1));
  }
  const std::vector<double> all = communicator_.all_gather<double>(packed);
  for (int rank = 0; rank < num_ranks; ++rank) {
    const RankRows theirs = rows_of_rank(count, 1, rank, num_ranks);
    const double* from = all.data() + static_cast<std::size_t>(rank) * block * width;
    for (auto row = static_cast<std::size_t>(theirs.begin); std::cmp_less(row, theirs.end); ++row, from += width) {
      log_density[row] = from[0];
      if (width > 1) std::copy_n(from + 1, dim, score.row(row).begin());
    }
  }
  share_texts(communicator_, own, status);
}

}  // namespace sojourn
