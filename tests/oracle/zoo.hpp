#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sojourn/state_graph.hpp"

/// Small chains with awkward properties, shared by the tests of every room. `dump_zoo.cpp` writes them to JSON for
/// `make_golden.py`, so the golden values belong to exactly these chains; the names are the keys of `golden_law.json`.
namespace sojourn::oracle {

struct ZooChain {
  std::string name;
  StateGraph graph;
  std::vector<double> phi;     ///< [graph.num_rates()]
  std::vector<double> reward;  ///< [graph.num_states()], the variable; time itself unless the name says otherwise
  bool real_spectrum = true;   ///< every eigenvalue of the sub-intensity matrix is known to be real
};

inline ZooChain finish(std::string name, StateGraphBuilder&& builder, std::vector<double> phi,
                       bool real_spectrum = true) {
  StateGraph graph = std::move(builder).build();
  std::vector<double> reward = graph.unit_reward();
  return {std::move(name), std::move(graph), std::move(phi), std::move(reward), real_spectrum};
}

inline void edge(StateGraphBuilder& builder, std::int32_t from, std::int32_t to, double base,
                 std::vector<RateTerm> terms = {}) {
  builder.add_edge(from, to, base, terms);
}

/// Kingman's coalescent by lineages: states n, n-1, ..., 2 and the absorbing 1; rate phi_0 k(k-1)/2.
inline ZooChain zoo_coalescent(std::int32_t samples, double rate = 1.3) {
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(samples);
  for (std::int32_t lineages = samples; lineages >= 2; --lineages) {
    const std::int32_t from = samples - lineages;
    edge(builder, from, from + 1, 0, {{0, 0.5 * lineages * (lineages - 1)}});
  }
  builder.add_initial(0, 1);
  return finish("coalescent_" + std::to_string(samples), std::move(builder), {rate});
}

/// Sum of `stages` exponentials with rate phi_0. The density near zero is of order t^(stages - 1).
inline ZooChain zoo_erlang(std::int32_t stages, double rate = 2.0) {
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(stages + 1);
  for (std::int32_t i = 0; i < stages; ++i) edge(builder, i, i + 1, 0, {{0, 1}});
  builder.add_initial(0, 1);
  return finish("erlang_" + std::to_string(stages), std::move(builder), {rate});
}

/// M/M/1/K queue: state i is i customers, absorbed at 0; births phi_0, deaths phi_1.
inline ZooChain zoo_queue(std::int32_t capacity, std::int32_t start, double birth = 1.0, double death = 1.5) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(capacity + 1);
  for (std::int32_t i = 1; i <= capacity; ++i) {
    edge(builder, i, i - 1, 0, {{1, 1}});
    if (i < capacity) edge(builder, i, i + 1, 0, {{0, 1}});
  }
  builder.add_initial(start, 1);
  return finish("queue_" + std::to_string(capacity) + "_from_" + std::to_string(start), std::move(builder),
                {birth, death});
}

/// Structured coalescent by lineages (a, b) in two demes, started with all `samples` in deme 0, absorbed at one
/// lineage. phi = coal_0, coal_1, mig_0_1, mig_1_0. `migration` 1e6 makes it stiff; the suffix of the name tells.
inline ZooChain zoo_two_deme(std::int32_t samples, double migration = 0.7) {
  StateGraphBuilder builder(TimeKind::kContinuous, 4);
  std::int32_t num_states = 0;
  std::vector<std::vector<std::int32_t>> index(samples + 1);
  for (std::int32_t total = samples; total >= 2; --total) {
    for (std::int32_t a = total; a >= 0; --a) index[total].push_back(num_states++);
  }
  const std::int32_t absorbing = num_states++;
  builder.ensure_states(num_states);
  const auto at = [&](std::int32_t a, std::int32_t b) { return a + b < 2 ? absorbing : index[a + b][b]; };
  for (std::int32_t total = samples; total >= 2; --total) {
    for (std::int32_t a = total; a >= 0; --a) {
      const std::int32_t b = total - a;
      if (total == 2 && a == 2) {
        edge(builder, at(a, b), absorbing, 0, {{0, 1}});
      } else if (total == 2 && b == 2) {
        edge(builder, at(a, b), absorbing, 0, {{1, 1}});
      } else {
        if (a >= 2) edge(builder, at(a, b), at(a - 1, b), 0, {{0, 0.5 * a * (a - 1)}});
        if (b >= 2) edge(builder, at(a, b), at(a, b - 1), 0, {{1, 0.5 * b * (b - 1)}});
      }
      if (a >= 1) edge(builder, at(a, b), at(a - 1, b + 1), 0, {{2, static_cast<double>(a)}});
      if (b >= 1) edge(builder, at(a, b), at(a + 1, b - 1), 0, {{3, static_cast<double>(b)}});
    }
  }
  builder.add_initial(0, 1);
  const std::string suffix = migration > 1e3 ? "_stiff" : "";
  return finish("two_deme_" + std::to_string(samples) + suffix, std::move(builder),
                {1.0, 0.6, migration, 0.8 * migration});
}

/// One-way ring with turning rate phi_0; state i is left into absorption at rate exit_scale * phi_1 * (1 + i / states).
/// With exits around 0.3 the eigenvalues are clearly complex; with 1e-12 subtraction would lose everything.
inline ZooChain zoo_ring(std::int32_t states, double exit, const std::string& name) {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(states + 1);
  for (std::int32_t i = 0; i < states; ++i) {
    edge(builder, i, (i + 1) % states, 0, {{0, 1}});
    edge(builder, i, states, 0, {{1, 1 + static_cast<double>(i) / states}});
  }
  builder.add_initial(0, 1);
  return finish(name, std::move(builder), {1.0, exit}, false);
}
inline ZooChain zoo_slow_ring() { return zoo_ring(30, 1e-12, "ring_slow"); }
inline ZooChain zoo_complex_ring() { return zoo_ring(12, 0.3, "ring_complex"); }

/// One-way ring that can be left from its last state alone: the density oscillates visibly.
inline ZooChain zoo_oscillating_ring() {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  constexpr std::int32_t kStates = 20;
  builder.ensure_states(kStates + 1);
  for (std::int32_t i = 0; i < kStates; ++i) edge(builder, i, (i + 1) % kStates, 0, {{0, 1}});
  edge(builder, kStates - 1, kStates, 0, {{1, 1}});
  builder.add_initial(0, 1);
  return finish("ring_oscillating", std::move(builder), {4.0, 1.2}, false);
}

/// Mixture of exponentials with rates 100 and 0.1, probabilities 1/4 and 3/4 (their sum is exact).
inline ZooChain zoo_hyperexponential() {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(3);
  edge(builder, 0, 2, 0, {{0, 1}});
  edge(builder, 1, 2, 0, {{1, 1}});
  builder.add_initial(0, 0.25);
  builder.add_initial(1, 0.75);
  return finish("hyperexponential", std::move(builder), {100, 0.1});
}

/// Ten stages whose rates differ by 1e-7 relative: partial fractions fail here.
inline ZooChain zoo_hypoexponential() {
  StateGraphBuilder builder(TimeKind::kContinuous, 10);
  builder.ensure_states(11);
  std::vector<double> phi;
  for (std::int32_t i = 0; i < 10; ++i) {
    edge(builder, i, i + 1, 0, {{i, 1}});
    phi.push_back(2.0 + 2e-7 * i);
  }
  builder.add_initial(0, 1);
  return finish("hypoexponential_near_equal", std::move(builder), std::move(phi));
}

/// One transient state: Exp(phi_0).
inline ZooChain zoo_exponential() {
  StateGraphBuilder builder(TimeKind::kContinuous, 1);
  builder.ensure_states(2);
  edge(builder, 0, 1, 0, {{0, 1}});
  builder.add_initial(0, 1);
  return finish("exponential", std::move(builder), {0.75});
}

/// Start probabilities sum to 0.85 over transient states, 0.05 lies on the absorbing state, the rest is the defect.
inline ZooChain zoo_defective() {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(4);
  edge(builder, 0, 1, 0.25, {{0, 1}});
  edge(builder, 1, 0, 0, {{1, 0.5}});
  edge(builder, 1, 2, 0, {{0, 2}});
  edge(builder, 2, 3, 0.1, {{0, 1}, {1, 1}});
  builder.add_initial(0, 0.6);
  builder.add_initial(1, 0.25);
  builder.add_initial(3, 0.05);
  return finish("defective", std::move(builder), {0.9, 1.7});
}

/// States 0, 2 and 4 earn nothing (2 and 4 form a cycle among themselves), so the start leaves an atom at zero and the
/// rewarded states 1, 3, 5 (rewards 2, 0.5, 3) are linked through eliminated ones, with returns to themselves.
inline ZooChain zoo_zero_reward() {
  StateGraphBuilder builder(TimeKind::kContinuous, 3);
  builder.ensure_states(7);
  edge(builder, 0, 1, 0, {{0, 1}});
  edge(builder, 0, 2, 0, {{1, 0.5}});
  edge(builder, 0, 6, 0, {{2, 0.25}});
  edge(builder, 1, 2, 0, {{1, 1}});
  edge(builder, 1, 3, 0.5);
  edge(builder, 2, 1, 0, {{0, 0.3}});
  edge(builder, 2, 4, 0, {{2, 2}});
  edge(builder, 2, 6, 0.05);
  edge(builder, 3, 4, 0, {{0, 1}, {2, 0.5}});
  edge(builder, 3, 5, 0, {{1, 0.7}});
  edge(builder, 4, 2, 0, {{2, 1}});
  edge(builder, 4, 3, 0.2);
  edge(builder, 4, 5, 0, {{0, 0.6}});
  edge(builder, 5, 6, 0, {{1, 1}});
  edge(builder, 5, 1, 0, {{2, 0.1}});
  builder.add_initial(0, 0.5);
  builder.add_initial(3, 0.2);
  builder.add_initial(4, 0.25);
  ZooChain chain = finish("zero_reward", std::move(builder), {1.1, 0.8, 0.45}, false);
  chain.reward = {0, 2, 0, 0.5, 0, 3, 0};
  return chain;
}

/// Every rewarded state is out of reach of the start: all mass is the atom.
inline ZooChain zoo_all_atom() {
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  builder.ensure_states(4);
  edge(builder, 0, 1, 0, {{0, 1}});
  edge(builder, 1, 3, 0, {{1, 1}});
  edge(builder, 2, 3, 0, {{0, 1}});
  builder.add_initial(0, 0.9);
  ZooChain chain = finish("all_atom", std::move(builder), {1.0, 2.0});
  chain.reward = {0, 0, 1, 0};
  return chain;
}

/// Dense chain, rates 10^U(-6, 6) by a fixed congruential generator, exits 1e-12 * phi_0; edge i -> j scales with
/// phi_{(i + j) mod 3}.
inline ZooChain zoo_dense_random(std::int32_t states) {
  StateGraphBuilder builder(TimeKind::kContinuous, 3);
  builder.ensure_states(states + 1);
  std::uint64_t seed = 12345;
  const auto uniform = [&seed] {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(seed >> 11) * 0x1p-53;
  };
  for (std::int32_t i = 0; i < states; ++i) {
    for (std::int32_t j = 0; j < states; ++j) {
      const double rate = std::pow(10.0, 12 * uniform() - 6);
      if (i != j) edge(builder, i, j, 0, {{(i + j) % 3, rate}});
    }
    edge(builder, i, states, 0, {{0, 1e-12}});
  }
  builder.add_initial(0, 0.5);
  builder.add_initial(states - 1, 0.5);
  return finish("dense_random_" + std::to_string(states), std::move(builder), {1.0, 0.5, 2.0}, false);
}

/// Number of trials until the third success: P(success) = phi_0.
inline ZooChain zoo_negative_binomial() {
  StateGraphBuilder builder(TimeKind::kDiscrete, 1);
  builder.ensure_states(4);
  for (std::int32_t i = 0; i < 3; ++i) edge(builder, i, i + 1, 0, {{0, 1}});
  builder.add_initial(0, 1);
  return finish("negative_binomial", std::move(builder), {0.3});
}

/// Mixture of two geometric laws on 1, 2, ..., with a defect of 0.1.
inline ZooChain zoo_geometric_mix() {
  StateGraphBuilder builder(TimeKind::kDiscrete, 2);
  builder.ensure_states(3);
  edge(builder, 0, 2, 0, {{0, 1}});
  edge(builder, 1, 2, 0, {{1, 1}});
  builder.add_initial(0, 0.4);
  builder.add_initial(1, 0.5);
  return finish("geometric_mix", std::move(builder), {0.5, 0.01});
}

/// Discrete chain with cycles whose steps in states 1 and 3 do not count.
inline ZooChain zoo_discrete_zero_reward() {
  StateGraphBuilder builder(TimeKind::kDiscrete, 2);
  builder.ensure_states(5);
  edge(builder, 0, 1, 0.1, {{0, 1}});
  edge(builder, 0, 2, 0, {{1, 1}});
  edge(builder, 1, 0, 0.25);
  edge(builder, 1, 3, 0, {{0, 0.5}});
  edge(builder, 2, 3, 0, {{1, 0.8}});
  edge(builder, 2, 0, 0.3);
  edge(builder, 3, 1, 0, {{1, 0.4}});
  edge(builder, 3, 4, 0, {{0, 0.2}});
  edge(builder, 3, 2, 0.15);
  builder.add_initial(0, 0.7);
  builder.add_initial(3, 0.3);
  ZooChain chain = finish("discrete_zero_reward", std::move(builder), {0.35, 0.2}, false);
  chain.reward = {1, 0, 1, 0, 0};
  return chain;
}

/// Every chain with golden values. `max_states` leaves the larger ones out.
inline std::vector<ZooChain> zoo(std::int32_t max_states = 20'000) {
  std::vector<ZooChain> all;
  for (const std::int32_t samples : {2, 4, 10, 40}) all.push_back(zoo_coalescent(samples));
  all.push_back(zoo_exponential());
  all.push_back(zoo_erlang(50));
  all.push_back(zoo_two_deme(3));
  all.push_back(zoo_two_deme(8));
  all.push_back(zoo_two_deme(4, 1e6));
  all.push_back(zoo_slow_ring());
  all.push_back(zoo_complex_ring());
  all.push_back(zoo_oscillating_ring());
  all.push_back(zoo_hyperexponential());
  all.push_back(zoo_hypoexponential());
  all.push_back(zoo_defective());
  all.push_back(zoo_zero_reward());
  all.push_back(zoo_all_atom());
  all.push_back(zoo_dense_random(6));
  all.push_back(zoo_dense_random(20));
  all.push_back(zoo_negative_binomial());
  all.push_back(zoo_geometric_mix());
  all.push_back(zoo_discrete_zero_reward());
  for (const std::int32_t capacity : {20, 200, 1000, 10'000}) {
    if (capacity >= max_states) break;
    all.push_back(zoo_queue(capacity, 1));
    all.push_back(zoo_queue(capacity, capacity));
  }
  return all;
}

inline ZooChain zoo_by_name(const std::string& name) {
  for (ZooChain& chain : zoo()) {
    if (chain.name == name) return std::move(chain);
  }
  throw std::out_of_range("no zoo chain named " + name);
}

}  // namespace sojourn::oracle
