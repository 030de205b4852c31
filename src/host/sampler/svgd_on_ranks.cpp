#include <exception>

#include "sampler/kernel_sum.hpp"
#include "sampler/sharded_target.hpp"
#include "sampler/svgd_run.hpp"

namespace sojourn {
namespace {

/// phi of all rows, of which each rank sums its own; rows travel as they are.
void share_direction(Communicator& communicator, Kernel kernel, const ParticleBlock& u, const ParticleBlock& s,
                     double inverse_h2, int num_threads, ParticleBlock& phi) {
  const RankRows own = rows_of_rank(u.count, ParticleBlock::kLanes, communicator.rank(), communicator.size());
  on_every_rank(communicator, [&] {
    if (own.begin < own.end) kernel_direction(kernel, u, s, inverse_h2, own.begin, own.end, num_threads, phi);
  });
  gather_rows(
      communicator, u.count, ParticleBlock::kLanes, static_cast<std::size_t>(u.dim),
      [&](std::int64_t i, double* values) {
        for (std::int32_t c = 0; c < u.dim; ++c) values[c] = phi.at(i, c);
      },
      [&](std::int64_t i, const double* values) {
        for (std::int32_t c = 0; c < u.dim; ++c) phi.at(i, c) = values[c];
      });
}

}  // namespace

SvgdResult svgd(const Target& target, const SvgdOptions& options, Communicator& communicator,
                const SvgdProgressFunction& progress) {
  if (communicator.size() == 1) return svgd(target, options, progress);
  const ShardedTarget sharded(target, communicator);
  // Whatever time decides is decided by rank 0's clock, and whether to go on by all.
  const ClockFunction clock = [&] {
    const double now = local_clock();
    return communicator.broadcast(std::span(&now, 1), 0)[0];
  };
  const SvgdProgressFunction ask_all = [&](const SvgdProgress& now) {
    std::int32_t go_on = 0;
    std::exception_ptr failure;
    try {
      go_on = !progress || progress(now) ? 1 : 0;
    } catch (...) {
      failure = std::current_exception();  // the others stop first
    }
    go_on = communicator.all_reduce(std::span<const std::int32_t>(&go_on, 1), Reduction::kMin)[0];
    if (failure) std::rethrow_exception(failure);
    return go_on != 0;
  };
  return run_svgd(
      sharded, options, ask_all,
      [&](const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, ParticleBlock& phi) {
        share_direction(communicator, options.kernel, u, s, inverse_h2, options.num_threads, phi);
      },
      clock, communicator.size());
}

}  // namespace sojourn
