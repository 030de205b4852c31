#include "sampler/sharded_target.hpp"

#include <algorithm>

#include "expects.hpp"
#include "sampler/watched_target.hpp"

namespace sojourn {
namespace {

/// Texts of the ranks' own places to all: each as its place, a zero, the text, a zero. `place(k)` is where text k of
/// `own` belongs in `status`.
void share_texts(Communicator& communicator, std::span<const std::string> own,
                 const std::function<std::size_t(std::size_t)>& place, std::vector<std::string>& status) {
  std::string packed;
  for (std::size_t k = 0; k < own.size(); ++k)
    if (!own[k].empty()) packed += std::to_string(place(k)) + '\0' + own[k] + '\0';
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

ShardedTarget::ShardedTarget(const Target& target, Communicator& communicator, std::int64_t num_rows,
                             std::int64_t part_shares, DeviceMessages messages)
    : target_(target),
      parted_(dynamic_cast<const PartedTarget*>(&target)),
      communicator_(communicator),
      messages_(std::move(messages)) {
  const std::int64_t handed_out = parted_ == nullptr ? 0 : parted_->part_shares();
  SOJOURN_EXPECTS(handed_out == 0 || part_shares == 0 || part_shares == handed_out, UsageError,
                  "the observations are handed out in {} shares, so ranks cannot stand in {}", handed_out, part_shares);
  mesh_ = choose_mesh(num_rows, parted_ == nullptr ? 1 : parted_->num_parts(), communicator.size(),
                      handed_out > 0 ? handed_out : part_shares);
  if (mesh_.part_shares == 1) parted_ = nullptr;
}

void ShardedTarget::evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                             std::vector<std::string>& status) const {
  const double start = local_clock();
  if (parted_ != nullptr) {
    evaluate_mesh(z, log_density, score, status);
  } else {
    evaluate_rows(z, log_density, score, status);
  }
  times_.whole += local_clock() - start;
  times_.rows += static_cast<std::int64_t>(z.num_rows());
}

void ShardedTarget::evaluate_rows(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                                  std::vector<std::string>& status) const {
  const std::size_t dim = z.num_cols(), width = score.empty() ? 1 : 1 + dim;
  const auto count = static_cast<std::int64_t>(z.num_rows());
  const RankRows own = rows_of_rank(count, 1, communicator_.rank(), communicator_.size());
  const auto first = static_cast<std::size_t>(own.begin), rows = static_cast<std::size_t>(own.end - own.begin);
  std::vector<std::string> own_status(rows);
  on_every_rank(communicator_, [&] {
    if (rows == 0) return;
    const double start = local_clock();
    target_.evaluate({z.row(first).data(), rows, dim}, log_density.subspan(first, rows),
                     score.empty() ? MatrixView<double>() : MatrixView<double>(score.row(first).data(), rows, dim),
                     own_status);
    times_.own += local_clock() - start;
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
  share_texts(
      communicator_, own_status, [&](std::size_t k) { return first + k; }, status);
}

void ShardedTarget::evaluate_mesh(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                                  std::vector<std::string>& status) const {
  const auto count = static_cast<std::int64_t>(z.num_rows()), num_parts = parted_->num_parts();
  const std::size_t width = score.empty() ? 1 : 1 + z.num_cols();
  const auto row_shares = static_cast<int>(mesh_.row_shares), part_shares = static_cast<int>(mesh_.part_shares);
  const auto rows_of = [&](int rank) { return rows_of_rank(count, 1, rank / part_shares, row_shares); };
  const auto parts_of = [&](int rank) { return parts_of_rank(num_parts, part_shares, rank); };
  const auto terms_of = [&](int rank) {
    return static_cast<std::size_t>((rows_of(rank).end - rows_of(rank).begin) *
                                    (parts_of(rank).end - parts_of(rank).begin));
  };
  // Where term k of a rank stands among all terms: parts of a row side by side.
  const auto place = [&](int rank, std::size_t k) {
    const RankRows rows = rows_of(rank), parts = parts_of(rank);
    const std::int64_t term = static_cast<std::int64_t>(k), mine = parts.end - parts.begin;
    return static_cast<std::size_t>((rows.begin + term / mine) * num_parts + parts.begin + term % mine);
  };
  std::size_t most = 0;
  for (int rank = 0; rank < communicator_.size(); ++rank) most = std::max(most, terms_of(rank));

  const int own = communicator_.rank();
  const RankRows rows = rows_of(own), parts = parts_of(own);
  std::vector<double> packed(most * width, 0.0);
  std::vector<std::string> own_status;
  on_every_rank(communicator_, [&] {
    if (terms_of(own) == 0) return;
    const double start = local_clock();
    parted_->evaluate_parts({z.row(static_cast<std::size_t>(rows.begin)).data(),
                             static_cast<std::size_t>(rows.end - rows.begin), z.num_cols()},
                            parts.begin, parts.end, {packed.data(), terms_of(own), width}, own_status);
    times_.own += local_clock() - start;
  });
  const std::vector<double> gathered = communicator_.all_gather<double>(packed);
  Matrix<double> terms(static_cast<std::size_t>(count * num_parts), width);
  for (int rank = 0; rank < communicator_.size(); ++rank) {
    const double* from = gathered.data() + static_cast<std::size_t>(rank) * packed.size();
    for (std::size_t k = 0; k < terms_of(rank); ++k, from += width)
      std::copy_n(from, width, terms.row(place(rank, k)).begin());
  }
  std::vector<std::string> part_status(terms.num_rows());
  share_texts(
      communicator_, own_status, [&](std::size_t k) { return place(own, k); }, part_status);
  parted_->join_parts(z, terms.view(), part_status, log_density, score, status);
}

std::unique_ptr<DeviceCloud> ShardedTarget::cloud_on_device(const SvgdOptions& options, std::string& why_not) const {
  if (mesh_.part_shares > 1) {
    why_not = "ranks share out the observations of each particle";
    return nullptr;
  }
  std::unique_ptr<DeviceCloud> cloud;
  on_every_rank(communicator_, [&] { cloud = target_.cloud_on_device(options, why_not); });
  const char own = cloud ? 1 : 0;
  const std::vector<char> all = communicator_.all_gather(std::span<const char>(&own, 1));
  const auto without = std::ranges::find(all, 0);
  if (without != all.end()) {
    if (own != 0) why_not = fmt::format("the device of rank {} moves no particles", without - all.begin());
    return nullptr;
  }
  messages_by_ = cloud->share_out(communicator_, messages_).messages;
  return cloud;
}

double ShardedTarget::seconds_per_row(MatrixView<const double> z) const {
  const auto count = static_cast<std::int64_t>(z.num_rows());
  const int rank = communicator_.rank(), part_shares = static_cast<int>(mesh_.part_shares);
  RankRows rows = rows_of_rank(count, 1, rank / part_shares, static_cast<int>(mesh_.row_shares));
  // With more ranks than rows some have none; a row is as good as another.
  if (rows.begin == rows.end) rows = {0, 1};
  const auto num_rows = static_cast<std::size_t>(rows.end - rows.begin);
  const MatrixView<const double> own(z.row(static_cast<std::size_t>(rows.begin)).data(), num_rows, z.num_cols());
  std::vector<std::string> status(num_rows);
  if (parted_ == nullptr) {
    std::vector<double> log_density(num_rows);
    Matrix<double> score(num_rows, z.num_cols());
    const double start = local_clock();
    target_.evaluate(own, log_density, score.view(), status);
    return (local_clock() - start) / static_cast<double>(num_rows);
  }
  const RankRows parts = parts_held_by_rank(parted_->num_parts(), part_shares, rank);
  const std::int64_t num_parts = parts.end - parts.begin;
  Matrix<double> terms(num_rows * static_cast<std::size_t>(num_parts), 1 + z.num_cols());
  const double start = local_clock();
  parted_->evaluate_parts(own, parts.begin, parts.end, terms.view(), status);
  return (local_clock() - start) / static_cast<double>(terms.num_rows()) * static_cast<double>(parted_->num_parts());
}

}  // namespace sojourn
