#pragma once

#include <cstdint>
#include <vector>

namespace sojourn {

/// A number with its derivatives by the rates, 1 + num_rates doubles in a flat array. Length 1 carries the value alone.
using Jet = double*;
using ConstJet = const double*;

/// Sparse chain under elimination: every number is a jet, rows are sorted by column and grow by fill.
struct JetChain {
  struct Entry {
    std::int32_t column;
    std::int64_t slot;  ///< jet index in `weights`
  };
  JetChain(std::int32_t num_states, std::int32_t jet_length);

  Jet weight(std::int64_t slot) { return weights.data() + slot * jet_length; }
  Jet exit(std::int32_t state) { return exits.data() + static_cast<std::int64_t>(state) * jet_length; }
  Jet stay(std::int32_t state) { return stays.data() + static_cast<std::int64_t>(state) * jet_length; }
  Jet alpha(std::int32_t state) { return alphas.data() + static_cast<std::int64_t>(state) * jet_length; }
  /// The jet of edge from -> to, made as zero where there is none; valid until the next call.
  Jet edge(std::int32_t from, std::int32_t to);

  std::int32_t jet_length;
  std::vector<std::vector<Entry>> rows;
  std::vector<std::vector<std::int32_t>> predecessors;  ///< may name states that were eliminated since
  std::vector<double> weights, exits, stays, alphas;
  std::vector<double> atom;  ///< one jet
};

/// Passes through state `z`, which earns nothing: its inflow and start mass go to where it leads, its row is cleared.
///
/// The pivot is the sum of what leaves z (Grassmann, Taksar, Heyman 1985), so nothing is subtracted and the numbers
/// keep their relative accuracy. What returns to the state it came from is added to `stay`. Cost: in-degree *
/// out-degree.
/// @return false when nothing leaves z.
[[nodiscard]] bool pass_through(JetChain& chain, std::int32_t z);

}  // namespace sojourn
