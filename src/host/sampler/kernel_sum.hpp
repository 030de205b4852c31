#pragma once

#include <cstdint>

#include "evaluation/instruction_set.hpp"
#include "sampler/particle_block.hpp"
#include "sojourn/svgd.hpp"

namespace sojourn {

/// phi of `sojourn/svgd.hpp` for whitened particles and scores, rows [row_begin, row_end) alone.
///
/// Each row is summed over all columns in index order by one thread, and lanes never mix, so the bits depend neither on
/// the thread count nor on how rows are split, as long as `row_begin` is a multiple of `ParticleBlock::kLanes`.
/// Padding of `u` must be filled. Cost: (row_end - row_begin) n (4 d + about 10) flops; no n x n array.
void kernel_direction(Kernel kernel, const ParticleBlock& u, const ParticleBlock& s, double inverse_h2,
                      std::int64_t row_begin, std::int64_t row_end, int num_threads, ParticleBlock& phi,
                      DirectionPrecision precision = DirectionPrecision::kDouble);

/// The same compiled for one instruction set.
template <InstructionSet>
void kernel_direction_on(Kernel kernel, const ParticleBlock& u, const ParticleBlock& s, double inverse_h2,
                         std::int64_t row_begin, std::int64_t row_end, int num_threads, ParticleBlock& phi,
                         DirectionPrecision precision);

/// All rows.
void kernel_direction(Kernel kernel, const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, int num_threads,
                      ParticleBlock& phi);

/// Direction of the linear kernel k(u, v) = 1 + u.v, which has the closed form
///   phi_i = mean(s) + (I + M) u_i,   M = mean_j s_j u_j^T  (u centred),
/// times `weight`, added to `phi`. Its fixed point is the Stein identity for linear functions, so it drives the Stein
/// moment matrix -M to I; for a Gaussian target mean and covariance are then exact at any n (Liu, Wang 2018).
/// Cost: O(n d^2).
void add_linear_direction(const ParticleBlock& u, const ParticleBlock& s, double weight, ParticleBlock& phi);

/// Threads to use: `requested`, or what OpenMP would take when it is 0.
int resolve_threads(int requested);

}  // namespace sojourn
