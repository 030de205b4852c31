#include "evaluation/numeric_chain_eliminate.hpp"

#include <algorithm>

namespace sojourn {

namespace {

/// out += a * b
void add_product(Jet out, ConstJet a, ConstJet b, std::int32_t length) {
  for (std::int32_t k = 1; k < length; ++k) out[k] += a[k] * b[0] + a[0] * b[k];
  out[0] += a[0] * b[0];
}

}  // namespace

JetChain::JetChain(std::int32_t num_states, std::int32_t length)
    : jet_length(length),
      rows(num_states),
      predecessors(num_states),
      exits(static_cast<std::size_t>(num_states) * length),
      stays(exits.size()),
      alphas(exits.size()),
      atom(length) {}

Jet JetChain::edge(std::int32_t from, std::int32_t to) {
  std::vector<Entry>& row = rows[from];
  auto place = row.end();
  if (!row.empty() && row.back().column >= to) {
    place = std::lower_bound(row.begin(), row.end(), to, [](const Entry& e, std::int32_t c) { return e.column < c; });
  }
  if (place == row.end() || place->column != to) {
    const auto slot = static_cast<std::int64_t>(weights.size()) / jet_length;
    weights.resize(weights.size() + jet_length);
    place = row.insert(place, {to, slot});
    predecessors[to].push_back(from);
  }
  return weight(place->slot);
}

bool pass_through(JetChain& chain, std::int32_t z) {
  const std::int32_t length = chain.jet_length;
  std::vector<double> pivot(chain.exit(z), chain.exit(z) + length);
  for (const JetChain::Entry& entry : chain.rows[z]) {
    for (std::int32_t k = 0; k < length; ++k) pivot[k] += chain.weight(entry.slot)[k];
  }
  if (!(pivot[0] > 0)) return false;
  // The row of z becomes the probabilities of where z leads.
  const auto divide = [&](Jet jet) {
    const double value = jet[0] / pivot[0];
    for (std::int32_t k = 1; k < length; ++k) jet[k] = (jet[k] - value * pivot[k]) / pivot[0];
    jet[0] = value;
  };
  for (const JetChain::Entry& entry : chain.rows[z]) divide(chain.weight(entry.slot));
  divide(chain.exit(z));

  const std::vector<JetChain::Entry> onward = std::move(chain.rows[z]);
  chain.rows[z].clear();
  std::vector<double> inflow(length);
  for (const std::int32_t from : chain.predecessors[z]) {
    std::vector<JetChain::Entry>& row = chain.rows[from];
    const auto entry = std::lower_bound(row.begin(), row.end(), z,
                                        [](const JetChain::Entry& e, std::int32_t c) { return e.column < c; });
    if (entry == row.end() || entry->column != z) continue;
    std::copy_n(chain.weight(entry->slot), length, inflow.begin());
    row.erase(entry);
    for (const JetChain::Entry& target : onward) {
      // `edge` may move the pool, so the jets are looked up after it.
      const Jet out = target.column == from ? chain.stay(from) : chain.edge(from, target.column);
      add_product(out, inflow.data(), chain.weight(target.slot), length);
    }
    add_product(chain.exit(from), inflow.data(), chain.exit(z), length);
  }
  for (const JetChain::Entry& target : onward) {
    add_product(chain.alpha(target.column), chain.alpha(z), chain.weight(target.slot), length);
  }
  add_product(chain.atom.data(), chain.alpha(z), chain.exit(z), length);
  return true;
}

}  // namespace sojourn
