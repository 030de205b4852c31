#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sojourn/target.hpp"

namespace sojourn {

/// A target whose work on one row is a sum over parts, such as blocks of observations, so that ranks can share out
/// both. `evaluate` gives what `join_parts` makes of the terms of all parts, bit for bit, whoever evaluated which.
class PartedTarget : public Target {
 public:
  /// Depends on the target alone, never on ranks or threads. 1: there is nothing to share out.
  [[nodiscard]] virtual std::int64_t num_parts() const = 0;
  /// 0 where every rank can evaluate every part. Otherwise parts are handed out in so many shares, and a rank can
  /// evaluate those of its own alone: ranks have to stand as `RankMesh` has it for as many part shares.
  [[nodiscard]] virtual std::int64_t part_shares() const { return 0; }
  /// Terms of the parts [first, last) at z [n, d]: `terms` [n (last - first), 1 + d], those of one row in a row, each a
  /// value and its derivatives by z (1 column: values alone). `status` as there are terms, empty where all is well.
  virtual void evaluate_parts(MatrixView<const double> z, std::int64_t first, std::int64_t last,
                              MatrixView<double> terms, std::vector<std::string>& status) const = 0;
  /// What `evaluate` gives, from the terms of all parts and their status, [n num_parts]. Cost: O(n d num_parts).
  virtual void join_parts(MatrixView<const double> z, MatrixView<const double> terms,
                          std::span<const std::string> part_status, std::span<double> log_density,
                          MatrixView<double> score, std::vector<std::string>& status) const = 0;
};

}  // namespace sojourn
