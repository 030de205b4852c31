#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sojourn/matrix_view.hpp"
#include "sojourn/model.hpp"
#include "sojourn/sample_device.hpp"

namespace sojourn {

/// Independent draws of gathered rewards, [num_draws, rewards]; draw i depends on (seed, i) alone.
///
/// The chain is followed jump by jump: exponential holding times, in discrete time geometric numbers of steps. All
/// rewards of a row belong to one path, so they are jointly distributed. A draw that starts absorbed (the defect of the
/// start included) is 0.
///
/// @param theta        [P], finite, natural scale.
/// @param rewards      Each [num_states], finite, >= 0; values at absorbing states are ignored.
/// @param num_threads  0: what OpenMP allows. The thread count never changes a bit.
/// @throws ShapeError for extents, UsageError for values out of range, NumericalError for a negative weight, a discrete
///   row above 1, or a theta whose zero weights leave a reachable state without a way to absorption.
/// Cost: O(edges) once, O(1) a jump (alias tables, Walker 1977); OpenMP over draws.
Matrix<double> sample(const Model& model, std::span<const double> theta,
                      const std::vector<std::span<const double>>& rewards, std::int64_t num_draws, std::uint64_t seed,
                      int num_threads = 0);

/// The same draws by a device: the same paths, times within 1e-14 relative, as logarithms there may differ by a unit in
/// the last place; in discrete time a number of steps may differ where its logarithm is whole to rounding. The first
/// four are compared with the CPU's. @throws DeviceError besides.
Matrix<double> sample(const Model& model, std::span<const double> theta,
                      const std::vector<std::span<const double>>& rewards, std::int64_t num_draws, std::uint64_t seed,
                      SampleDevice& device);

/// The same draws for callers who want them in the device's memory, where the chain's tables stay: 16 bytes an edge and
/// a state, 8 a state and reward. They may outlive `device`, and are not compared with the CPU's.
/// @throws as `sample`.
std::unique_ptr<TensorDraws> tensor_draws(const Model& model, std::span<const double> theta,
                                          const std::vector<std::span<const double>>& rewards, SampleDevice& device);

}  // namespace sojourn
