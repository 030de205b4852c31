// Each kernel of this room on the instruction set in use.
#include "evaluation/contour.hpp"
#include "evaluation/instruction_set.hpp"
#include "evaluation/moment_replay.hpp"
#include "evaluation/stepping.hpp"

namespace sojourn {

std::size_t replay_moments(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                           std::span<const double> reward, int order, std::span<double> values,
                           std::span<double> gradient, int num_threads, GradientRoute route, std::span<char> in_doubt) {
  return on_instruction_set([&](auto set) {
    return replay_moments_on<set>(graph, prc, phi, reward, order, values, gradient, num_threads, route, in_doubt);
  });
}

void replay_cross_moments(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                          const std::vector<std::span<const double>>& rewards, std::span<double> means,
                          std::span<double> second, std::span<double> means_gradient, std::span<double> second_gradient,
                          int num_threads) {
  on_instruction_set([&](auto set) {
    replay_cross_moments_on<set>(graph, prc, phi, rewards, means, second, means_gradient, second_gradient, num_threads);
  });
}

void replay_laplace(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                    std::span<const double> reward, std::span<const double> s, std::span<double> values,
                    std::span<double> gradient, int num_threads, std::span<char> in_doubt, TransformOf of) {
  on_instruction_set([&](auto set) {
    replay_laplace_on<set>(graph, prc, phi, reward, s, values, gradient, num_threads, in_doubt, of);
  });
}

void replay_expected_sojourn(const StateGraph& graph, const Prc& prc, MatrixView<const double> phi,
                             std::span<double> values, std::span<double> gradient, int num_threads) {
  on_instruction_set(
      [&](auto set) { replay_expected_sojourn_on<set>(graph, prc, phi, values, gradient, num_threads); });
}

void uniformization(const NumericChain& chain, std::span<const LawPoint> points, double rtol, std::int64_t max_terms,
                    bool gradient, LawValues& values) {
  on_instruction_set([&](auto set) { uniformization_on<set>(chain, points, rtol, max_terms, gradient, values); });
}

void stepping(const NumericChain& chain, std::span<const LawPoint> points, std::int64_t max_terms, bool gradient,
              LawValues& values) {
  on_instruction_set([&](auto set) { stepping_on<set>(chain, points, max_terms, gradient, values); });
}

void state_probability(const StateGraph& graph, std::span<const double> phi, double t, double rtol,
                       std::int64_t max_terms, std::span<double> probability, std::span<double> gradient) {
  on_instruction_set(
      [&](auto set) { state_probability_on<set>(graph, phi, t, rtol, max_terms, probability, gradient); });
}

void SharedContour::invert(std::span<const std::complex<double>> transform, std::span<const std::complex<double>> check,
                           std::span<const double> tilts, double transform_roundings, std::span<double> value,
                           std::span<double> error, std::span<double> scratch) const {
  on_instruction_set(
      [&](auto set) { invert_on<set>(transform, check, tilts, transform_roundings, value, error, scratch); });
}

void SharedContour::add_gradient(std::span<const double> by_value,
                                 std::span<const std::complex<double>> transform_gradient, std::span<double> gradient,
                                 std::span<double> scratch) const {
  on_instruction_set([&](auto set) { add_gradient_on<set>(by_value, transform_gradient, gradient, scratch); });
}

void SharedContour::add_gradient(std::size_t time, double by_value,
                                 std::span<const std::complex<double>> transform_gradient,
                                 std::span<double> gradient) const {
  on_instruction_set([&](auto set) { add_gradient_on<set>(time, by_value, transform_gradient, gradient); });
}

}  // namespace sojourn
