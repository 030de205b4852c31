#pragma once

#include <cstdint>
#include <functional>

#include "comm/rank_mesh.hpp"
#include "sojourn/communicator.hpp"
#include "sojourn/parted_target.hpp"

namespace sojourn {

/// Runs `work` on every rank and lets all know of an exception on any. @throws CommError on every rank where one
/// failed.
void on_every_rank(Communicator& communicator, const std::function<void()>& work);

/// Gives every rank all rows, [count, width], of which it brings its own, in blocks of `unit` as `rows_of_rank` has
/// them: `own(row, values)` fills the values [width] of an own row, `take(row, values)` gets those of every row.
/// Numbers travel as they are.
void gather_rows(Communicator& communicator, std::int64_t count, std::int64_t unit, std::size_t width,
                 const std::function<void(std::int64_t row, double* values)>& own,
                 const std::function<void(std::int64_t row, const double* values)>& take);

/// What shared work took on one rank.
struct ShareTimes {
  double own = 0;         ///< s, the rank's own rows
  double whole = 0;       ///< s, with the exchange of rows and the wait for other ranks
  std::int64_t rows = 0;  ///< of all ranks
};

/// A target whose work is shared out among ranks, rows and the parts of rows where it has such (`PartedTarget`): each
/// rank evaluates its own and gets the others' numbers as they are, so that a batch has the same bits on any number of
/// ranks and any mesh. All ranks call `evaluate` with the same rows.
class ShardedTarget final : public Target {
 public:
  /// Both outlive this. `num_rows` is what a batch mostly has. Where the target's parts are handed out already, the
  /// ranks stand as they were. @throws UsageError as `choose_mesh`, and where `part_shares` asks for others than that.
  ShardedTarget(const Target& target, Communicator& communicator, std::int64_t num_rows = 1,
                std::int64_t part_shares = 0, DeviceMessages messages = {});

  [[nodiscard]] std::int32_t dimension() const override { return target_.dimension(); }
  /// @throws CommError on every rank where one rank's target throws.
  void evaluate(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                std::vector<std::string>& status) const override;
  void sample_prior(std::uint64_t seed, MatrixView<double> z) const override { target_.sample_prior(seed, z); }
  /// A cloud on every rank or on none. All ranks call it. Those that share out parts of particles have none, as a
  /// device sums no parts. @throws CommError on every rank where one rank's device fails.
  [[nodiscard]] std::unique_ptr<DeviceCloud> cloud_on_device(const SvgdOptions& options,
                                                             std::string& why_not) const override;

  /// What the rows of clouds travel by; empty before there is one.
  [[nodiscard]] const std::string& messages_by() const { return messages_by_; }
  [[nodiscard]] RankMesh mesh() const { return mesh_; }
  /// Of all evaluations so far.
  [[nodiscard]] const ShareTimes& times() const { return times_; }
  /// Seconds that this rank takes to evaluate its own share of `z`, no other rank asked, for each row that the share
  /// comes to.
  [[nodiscard]] double seconds_per_row(MatrixView<const double> z) const;

 private:
  void evaluate_rows(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                     std::vector<std::string>& status) const;
  void evaluate_mesh(MatrixView<const double> z, std::span<double> log_density, MatrixView<double> score,
                     std::vector<std::string>& status) const;

  const Target& target_;
  const PartedTarget* parted_;  ///< the same, where its parts are shared out
  Communicator& communicator_;
  DeviceMessages messages_;
  RankMesh mesh_;
  mutable ShareTimes times_;
  mutable std::string messages_by_;
};

}  // namespace sojourn
