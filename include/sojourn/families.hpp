#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "sojourn/model.hpp"

namespace sojourn {

/// Built-in families. Each is continuous in time, linear in its parameters (phi = theta), and ends in one absorbing
/// state. All throw ModelError for an option out of range, and for more than `max_states` states before exploring where
/// the count is known. Beside the rewards named here every model has time itself (`graph.unit_reward()`).
inline constexpr std::int64_t kDefaultMaxStates = 10'000'000;

/// Kingman's coalescent by number of lineages, state `lineages`: n -> n-1 at rate theta n(n-1)/2, absorbed at 1.
/// n states. Parameters: theta. Rewards: `length` (lineages), the total branch length.
/// Source: Kingman (1982).
Model coalescent_lineages(std::int32_t samples, std::int64_t max_states = kDefaultMaxStates);

/// Kingman's coalescent by block sizes: variable `b_i` counts the blocks of i samples, so the states are the partitions
/// of n (n = 30: 5,604; n = 60: 966,467). Blocks of sizes i, j merge at rate theta b_i b_j (i != j), theta b_i
/// (b_i-1)/2. Parameters: theta. Rewards: `length`, `singletons` (b_1), and up to 48 samples also `bin_i` (b_i) for i =
/// 1 .. n-1, the branch length carrying mutations seen i times; above 48 they would outweigh the graph.
Model coalescent_blocks(std::int32_t samples, std::int64_t max_states = kDefaultMaxStates);

/// Structured coalescent by lineage counts, variables `n_d` per deme d, starting with samples[d] in deme d.
/// Two lineages of deme d merge at rate coal_d n_d (n_d-1)/2, a lineage moves i -> j (backwards in time) at rate
/// mig_i_j n_i. One lineage in total is absorbing and written as being in deme 0.
/// Parameters: coal_0 .. coal_{D-1}, then mig_i_j for every ordered pair i != j (row-major).
/// Rewards: `length`, and `length_d`, the branch length spent in deme d.
Model structured_coalescent(std::span<const std::int32_t> samples, std::int64_t max_states = kDefaultMaxStates);

/// Structured coalescent by block sizes per deme, variables `b_d_i`; rates and parameters as above. For two demes the
/// transient states are the pairs of partitions of n but the two single blocks: n = 10 gives 479, n = 20 gives 24,840.
/// Rewards: `length`, `length_d`, `singletons`.
Model structured_coalescent_blocks(std::span<const std::int32_t> samples, std::int64_t max_states = kDefaultMaxStates);

/// Two-locus coalescent with recombination by block types: variable `b_i_j` counts the lineages ancestral to i samples
/// at the first locus and j at the second, so states are partitions of the vector (n, n) (n = 8: 8,404 transient ones).
/// Any two lineages merge at rate coal; a lineage with i, j > 0 splits into (i, 0) and (0, j) at rate rec. Absorbed
/// when both loci have found their common ancestor. With coal = 1, rec is rho/2 of the literature. Parameters: coal,
/// rec. Rewards: `height_1`, `height_2` (time to each locus' common ancestor), `length_1`, `length_2`, `singletons_1`,
/// `singletons_2`. Source: Hudson (1983).
Model two_locus(std::int32_t samples, std::int64_t max_states = kDefaultMaxStates);

/// The same process by lineage counts: `ab` lineages carry both loci, `a` only the first, `b` only the second. Enough
/// for heights and lengths. Parameters: coal, rec. Rewards: `height_1`, `height_2`, `length_1`, `length_2`.
Model two_locus_lineages(std::int32_t samples, std::int64_t max_states = kDefaultMaxStates);

/// Birth-death chain on 0..capacity (variable `individuals`) started in `start`, absorbed at 0. k -> k+1 at rate birth
/// (times k where `per_head`) below capacity, k -> k-1 at rate death (times k). Without `per_head` this is the busy
/// period of an M/M/1/K queue. Parameters: birth, death. Rewards: `individuals` (integral of the population).
Model birth_death(std::int32_t capacity, std::int32_t start, bool per_head,
                  std::int64_t max_states = kDefaultMaxStates);

/// Sum of `stages` exponentials of one rate. Variable `stage`. Parameters: rate.
Model erlang(std::int32_t stages, std::int64_t max_states = kDefaultMaxStates);
/// Coxian: stage i moves on at rate on_i or is absorbed at rate exit_i. Parameters: on_0 .. on_{m-2}, exit_0 ..
/// exit_{m-1}.
Model coxian(std::int32_t stages, std::int64_t max_states = kDefaultMaxStates);
/// Sum of exponentials with their own rates. Parameters: rate_0 .. rate_{m-1}.
Model hypoexponential(std::int32_t stages, std::int64_t max_states = kDefaultMaxStates);
/// Mixture of exponentials with fixed mixing probabilities (what they leave of 1 is an atom at zero).
/// Parameters: rate_0 .. rate_{m-1}.
Model hyperexponential(std::span<const double> probabilities);
/// General phase-type law of order m with fixed start [m]: every rate i -> j and every exit is a parameter.
/// Parameters: rate_i_j for every ordered pair i != j (row-major), then exit_0 .. exit_{m-1}; m <= 1000.
Model phase_type(std::int32_t order, std::span<const double> initial);

/// A value in a `family:` block of a model file.
using FamilyValue = std::variant<std::int64_t, double, std::string, std::vector<double>, bool>;

/// Builds a family by its name in model files. @throws ModelError for an unknown family or option, with a suggestion.
///
/// | family | options (default) |
/// |---|---|
/// | coalescent | samples, state: lineages or blocks (lineages) |
/// | structured_coalescent | samples: [n_0, n_1, ...], state: lineages or blocks (lineages) |
/// | two_locus | samples, state: blocks or lineages (blocks) |
/// | birth_death | capacity, start (1), per_head (false) |
/// | mm1k | capacity, start (1); birth_death with parameters arrival, service |
/// | erlang, coxian, hypoexponential | stages (or order) |
/// | hyperexponential | probabilities |
/// | phase_type, general | order (or stages), initial ([1, 0, ...]) |
Model make_family(const std::string& family, const std::map<std::string, FamilyValue>& options,
                  std::int64_t max_states = kDefaultMaxStates);

/// Names accepted by `make_family`, for messages and help.
std::vector<std::string> family_names();

}  // namespace sojourn
