#include <bit>
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "sampler/kernel_sum.hpp"
#include "sampler/sharded_target.hpp"
#include "sampler/svgd_fields.hpp"
#include "sampler/svgd_run.hpp"

namespace sojourn {
namespace {

/// Mixes 64-bit words (FNV-1a): ranks that were given different things shall notice, nobody attacks here.
class WordHash {
 public:
  void add(std::uint64_t word) { value_ = (value_ ^ word) * 0x100000001B3ULL; }
  void add(double value) { add(std::bit_cast<std::uint64_t>(value)); }
  void add(std::int64_t value) { add(static_cast<std::uint64_t>(value)); }
  void add(const std::string& text) {
    for (const char letter : text) add(static_cast<std::uint64_t>(static_cast<unsigned char>(letter)));
  }
  template <class T>
  void add(const std::vector<T>& values) {
    for (const T& value : values) add(value);
  }
  void add(const Matrix<double>& matrix) { add(matrix.values()); }
  void add(const HistoryFrame& frame) {
    add(frame.iteration);
    add(frame.particles);
  }
  [[nodiscard]] std::string text() const { return std::to_string(value_); }

 private:
  std::uint64_t value_ = 0xCBF29CE484222325ULL;
};

std::string digest_of(const SvgdControl& control) {
  WordHash hash;
  hash.add(control.report_every);
  if (control.resume != nullptr)
    visit_state(*control.resume, [&](const char* name, const auto& value) {
      hash.add(std::string(name));
      hash.add(value);
    });
  return hash.text();
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
