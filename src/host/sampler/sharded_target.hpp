#pragma once

#include <cstdint>
#include <functional>

#include "sojourn/communicator.hpp"
#include "sojourn/target.hpp"

namespace sojourn {

/// [begin, end) of `count` items in blocks of `unit` for one rank; the blocks of all ranks cover all items, in order.
struct RankRows {
  std::int64_t begin, end;
};
RankRows rows_of_rank(std::int64_t count, std::int64_t unit, int rank, int num_ranks);

/// Runs `work` on every rank and lets all know of an exception on any. @throws CommError on every rank where one
/// failed.
void on_every_rank(Communicator& communicator, const std::function<void()>& work);

/// Gives every rank all rows, [count, width], of which it brings its own, in blocks of `unit` as `rows_of_rank` has
/// them: `own(row, values)` fills the values [width] of an own row, `take(row, values)` gets those of every row.
/// Numbers travel as they are.
void gather_rows(Communicator& communicator, std::int64_t count, std::int64_t unit, std::size_t width,
                 const std::function<void(std::int64_t row, double* values)>& own,
                 const std::function<void(std::int64_t row, const double* values)>& take);

/// A target whose rows are shared out among ranks: each evaluates its own block and gets the others' numbers as they
/// are, so that a batch has the same bits on any number of ranks. All ranks call `evaluate` with the same rows.
class ShardedTarget final : public Target {
 public:
  /// Both outlive this.
  ShardedTarget(const Target& target, Communicator& communicator) : target_(target), communicator_(communicator) {}

  [[nodiscard]] std::int32_t dimension() const override { return target_.dimension(); }
  /// @throws CommError on every rank where one rank's target throws.
  void evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                std::vector<std::string>& status) const override;
  void sample_prior(std::uint64_t seed, MatrixView<double> z) const override { target_.sample_prior(seed, z); }

 private:
  const Target& target_;
  Communicator& communicator_;
};

}  // namespace sojourn
