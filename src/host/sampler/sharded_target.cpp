#include "sampler/sharded_target.hpp"

#include <algorithm>

namespace sojourn {
namespace {

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

void gather_rows(Communicator& communicator, std::int64_t count, std::int64_t unit, std::size_t width,
                 const std::function<void(std::int64_t row, double* values)>& own,
                 const std::function<void(std::int64_t row, const double* values)>& take) {
  const int num_ranks = communicator.size();
  const auto rows_of = [&](int rank) { return rows_of_rank(count, unit, rank, num_ranks); };
  std::int64_t largest = 0;
  for (int rank = 0; rank < num_ranks; ++rank) largest = std::max(largest, rows_of(rank).end - rows_of(rank).begin);
  std::vector<double> packed(static_cast<std::size_t>(largest) * width, 0.0);
  const RankRows mine = rows_of(communicator.rank());
  double* to = packed.data();
  for (std::int64_t row = mine.begin; row < mine.end; ++row, to += width) own(row, to);
  const std::vector<double> all = communicator.all_gather<double>(packed);
  for (int rank = 0; rank < num_ranks; ++rank) {
    const double* from = all.data() + static_cast<std::size_t>(rank) * packed.size();
    for (std::int64_t row = rows_of(rank).begin; row < rows_of(rank).end; ++row, from += width) take(row, from);
  }
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
  const RankRows own = rows_of_rank(count, 1, communicator_.rank(), communicator_.size());
  const auto first = static_cast<std::size_t>(own.begin), rows = static_cast<std::size_t>(own.end - own.begin);
  on_every_rank(communicator_, [&] {
    if (rows == 0) return;
    std::vector<std::string> own_status(rows);
    target_.evaluate({z.row(first).data(), rows, dim}, log_density.subspan(first, rows),
                     score.empty() ? MatrixView<double>() : MatrixView<double>(score.row(first).data(), rows, dim),
                     own_status);
    std::move(own_status.begin(), own_status.end(), status.begin() + own.begin);
  });
  const auto at = [](std::int64_t row) { return static_cast<std::size_t>(row); };
  gather_rows(
      communicator_, count, 1, width,
      [&](std::int64_t row, double* values) {
        values[0] = log_density[at(row)];
        if (width > 1) std::ranges::copy(score.row(at(row)), values + 1);
      },
      [&](std::int64_t row, const double* values) {
        log_density[at(row)] = values[0];
        if (width > 1) std::copy_n(values + 1, dim, score.row(at(row)).begin());
      });
  share_texts(communicator_, own, status);
}

}  // namespace sojourn
