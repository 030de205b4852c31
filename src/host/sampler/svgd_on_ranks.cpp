#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "graph/content_hash.hpp"
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
  if (control.resume != nullptr)
    visit_state(*control.resume, [&](const char* name, const auto& value) {
      hash.add(std::string_view(name));
      add_part(hash, value);
    });
  return std::to_string(hash.digest().low64);
}

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
  return svgd(target, options, communicator, SvgdControl{.progress = progress});
}

SvgdResult svgd(const Target& target, const SvgdOptions& options, Communicator& communicator,
                const SvgdControl& control) {
  if (communicator.size() == 1) return svgd(target, options, control);
  expect_same_everywhere(communicator, "progress and state to resume", digest_of(control));
  const ShardedTarget sharded(target, communicator);
  // Whatever time decides is decided by rank 0's clock, and whether to go on by all.
  const ClockFunction clock = [&] {
    const double now = local_clock();
    return communicator.broadcast(std::span(&now, 1), 0)[0];
  };
  SvgdControl common = control;
  common.progress = [&](const SvgdProgress& now) {
    std::int32_t go_on = 0;
    std::exception_ptr failure;
    try {
      go_on = !control.progress || control.progress(now) ? 1 : 0;
    } catch (...) {
      failure = std::current_exception();  // the others stop first
    }
    go_on = communicator.all_reduce(std::span<const std::int32_t>(&go_on, 1), Reduction::kMin)[0];
    if (failure) std::rethrow_exception(failure);
    return go_on != 0;
  };
  return run_svgd(
      sharded, options, common,
      [&](const ParticleBlock& u, const ParticleBlock& s, double inverse_h2, ParticleBlock& phi) {
        share_direction(communicator, options.kernel, u, s, inverse_h2, options.num_threads, phi);
      },
      clock, communicator.size());
}

}  // namespace sojourn
