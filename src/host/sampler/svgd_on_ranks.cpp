#include <algorithm>
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "expects.hpp"
#include "graph/content_hash.hpp"
#include "sampler/direction_sums.hpp"
#include "sampler/kernel_sum.hpp"
#include "sampler/sharded_target.hpp"
#include "sampler/svgd_fields.hpp"
#include "sampler/svgd_run.hpp"

namespace sojourn {
namespace {

// Parts of a state, bit by bit: -0 is not 0 here, as the runs that follow are compared by their bits too.
void add_part(ContentHash& hash, std::int64_t value) { hash.add(value); }
void add_part(ContentHash& hash, double value) { hash.add_bytes(&value, sizeof value); }
void add_part(ContentHash& hash, const std::string& text) { hash.add(text); }
void add_part(ContentHash& hash, const HistoryFrame& frame);
template <class T>
void add_part(ContentHash& hash, const std::vector<T>& values) {
  hash.add(std::ssize(values));
  for (const T& value : values) add_part(hash, value);
}
void add_part(ContentHash& hash, const Matrix<double>& matrix) { add_part(hash, matrix.values()); }
void add_part(ContentHash& hash, const HistoryFrame& frame) {
  add_part(hash, frame.iteration);
  add_part(hash, frame.particles);
}

std::string digest_of(const SvgdControl& control) {
  ContentHash hash;
  hash.add(control.report_every);
  hash.add(control.num_part_shares);
  if (control.resume != nullptr)
    visit_state(*control.resume, [&](const char* name, const auto& value) {
      hash.add(std::string_view(name));
      add_part(hash, value);
    });
  return std::to_string(hash.digest().low64);
}

/// What became of this call's iterations on one rank.
struct LoopTimes {
  std::int64_t num_iterations = 0;
  double begin = 0;          ///< local_clock() at the first direction
  ShareTimes scores_before;  ///< of the start
  ShareTimes direction;
  double agreeing = 0;  ///< s, the common clock and whether to go on
};

/// phi of all rows, of which each rank sums its own; rows travel as they are.
void share_direction(Communicator& communicator, DirectionSums& sums, const ParticleBlock& u, const ParticleBlock& s,
                     double inverse_h2, ParticleBlock& phi, ShareTimes& times) {
  const double start = local_clock();
  double done = start;
  const RankRows own = rows_of_rank(u.count, ParticleBlock::kLanes, communicator.rank(), communicator.size());
  on_every_rank(communicator, [&] {
    if (own.begin < own.end) sums.sum(u, s, inverse_h2, own.begin, own.end, phi);
    done = local_clock();
  });
  gather_rows(
      communicator, u.count, ParticleBlock::kLanes, static_cast<std::size_t>(u.dim),
      [&](std::int64_t i, double* values) {
        for (std::int32_t c = 0; c < u.dim; ++c) values[c] = phi.at(i, c);
      },
      [&](std::int64_t i, const double* values) {
        for (std::int32_t c = 0; c < u.dim; ++c) phi.at(i, c) = values[c];
      });
  times.own += done - start;
  times.whole += local_clock() - start;
}

/// The first rank's own rows once more, while the others wait: what they take when nobody else is at work. All ranks
/// call it and return the same.
RankEfficiency measure_efficiency(Communicator& communicator, const ShardedTarget& sharded, const SvgdState& state,
                                  const LoopTimes& loop) {
  const double wall = local_clock() - loop.begin;
  const double direction = communicator.all_reduce(std::span(&loop.direction.own, 1), Reduction::kSum)[0];
  RankEfficiency found;
  on_every_rank(communicator, [&] {
    if (communicator.rank() != 0) return;
    const double per_row = sharded.seconds_per_row(state.particles.view());
    const auto iterations = static_cast<double>(loop.num_iterations);
    const ShareTimes &all = sharded.times(), &before = loop.scores_before;
    // What every rank does itself: metric, steps, checkpoints of the first one.
    const double repeated = wall - (all.whole - before.whole) - loop.direction.whole - loop.agreeing;
    const double scores = per_row * static_cast<double>(all.rows - before.rows);
    found.seconds_iteration = wall / iterations;
    found.seconds_alone = (std::max(repeated, 0.0) + scores + direction) / iterations;
    found.efficiency = found.seconds_alone / (communicator.size() * found.seconds_iteration);
  });
  return communicator.broadcast(std::span<const RankEfficiency>(&found, 1), 0)[0];
}

}  // namespace

SvgdResult svgd(const Target& target, const SvgdOptions& options, Communicator& communicator,
                const SvgdProgressFunction& progress) {
  return svgd(target, options, communicator, SvgdControl{.progress = progress});
}

SvgdResult svgd(const Target& target, const SvgdOptions& options, Communicator& communicator,
                const SvgdControl& control) {
  if (communicator.size() == 1) return svgd(target, options, control);
  expect_same_everywhere(communicator, "progress and state to resume", digest_of(control));
  const ShardedTarget sharded(target, communicator, options.num_particles, control.num_part_shares, control.messages);
  LoopTimes loop;
  RankEfficiency efficiency;
  // Whatever time decides is decided by rank 0's clock, and whether to go on by all.
  const ClockFunction clock = [&] {
    const double now = local_clock();
    const double common = communicator.broadcast(std::span(&now, 1), 0)[0];
    loop.agreeing += local_clock() - now;
    return common;
  };
  SvgdControl common = control;
  const char own_device = control.device != nullptr ? 1 : 0;
  const std::vector<char> devices = communicator.all_gather(std::span<const char>(&own_device, 1));
  const auto without_device = std::ranges::find(devices, 0);
  if (without_device != devices.end()) common.device = nullptr;
  const auto agreed = [&](bool own, Reduction reduction) {
    const std::int32_t number = own ? 1 : 0;
    const double asked = local_clock();
    const bool all = communicator.all_reduce(std::span<const std::int32_t>(&number, 1), reduction)[0] != 0;
    loop.agreeing += local_clock() - asked;
    return all;
  };
  common.progress = [&](const SvgdProgress& now) {
    bool go_on = false;
    std::exception_ptr failure;
    try {
      go_on = !control.progress || control.progress(now);
    } catch (...) {
      failure = std::current_exception();  // the others stop first
    }
    go_on = agreed(go_on, Reduction::kMin);
    if (failure) std::rethrow_exception(failure);
    return go_on;
  };
  // All ranks set a state aside, or none.
  common.wants_state = [&](std::int64_t iteration) {
    bool own = false;
    on_every_rank(communicator, [&] { own = control.wants_state && control.wants_state(iteration); });
    return agreed(own, Reduction::kMax);
  };
  common.take_state = [&](const SvgdState& state) {
    on_every_rank(communicator, [&] {
      if (control.take_state) control.take_state(state);
    });
  };
  common.finish = [&](const SvgdState& state) {
    // Who was stopped is in a hurry.
    if (loop.num_iterations > 0 && state.iteration == options.num_iterations)
      efficiency = measure_efficiency(communicator, sharded, state, loop);
    if (control.finish) control.finish(state);
  };
  DirectionSums sums(control.device, options, target.dimension());
  SvgdResult result = run_svgd(
      sharded, options, common,
      [&](const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, ParticleBlock& phi) {
        if (loop.num_iterations++ == 0) loop = {1, local_clock(), sharded.times(), {}, 0};
        share_direction(communicator, sums, u, s, inverse_h2, phi, loop.direction);
      },
      clock, communicator.size());
  result.on_ranks = efficiency;
  sums.add_to(result.on_device);
  sums.add_to(result.direction_check);
  if (result.on_device.num_resident > 0) result.on_device.messages = sharded.messages_by();
  if (control.device != nullptr && common.device == nullptr)
    result.on_device.why_not_resident = fmt::format("rank {} has no device", without_device - devices.begin());
  result.on_ranks.particle_shares = sharded.mesh().row_shares;
  result.on_ranks.part_shares = sharded.mesh().part_shares;
  return result;
}

}  // namespace sojourn
