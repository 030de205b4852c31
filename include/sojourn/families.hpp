#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "sojourn/model.hpp"

namespace sojourn {

/// Kingman's coalescent by number of lineages: n -> n-1 at rate theta n(n-1)/2. Parameters: theta.
Model coalescent_lineages(std::int32_t samples);
/// Kingman's coalescent by block sizes (partitions of n); rewards `singletons`, ... `length`. Parameters: theta.
Model coalescent_blocks(std::int32_t samples);
/// Structured coalescent by lineage counts per deme, starting with samples[d] in deme d.
/// Parameters: coal_0 .. coal_{D-1}, then mig_i_j for every ordered pair i != j (row-major).
Model structured_coalescent(std::span<const std::int32_t> samples);
/// Two demes by block-size counts per deme; Parameters: coal_0, coal_1, mig_0_1, mig_1_0.
/// (25k states at n=20 in the design's table are lineage configurations of this model.)
Model structured_coalescent_blocks(std::span<const std::int32_t> samples);
/// Two-locus coalescent with recombination (ancestral recombination graph of two loci).
/// State: lineages carrying both loci, only the first, only the second. Parameters: coal, rec.
Model two_locus(std::int32_t samples);
/// Birth-death chain on 0..capacity started in `start`, absorbed at 0: birth rate a per state (M/M/1/K) or per head.
/// Parameters: birth, death.
Model birth_death(std::int32_t capacity, std::int32_t start, bool per_head);
/// Sum of `stages` exponentials of one rate. Parameters: rate.
Model erlang(std::int32_t stages);
/// Coxian: stage i moves on at rate on_i or is absorbed at rate exit_i. Parameters: on_0.., exit_0.. (exit of the last too).
Model coxian(std::int32_t stages);
/// Sum of exponentials with their own rates. Parameters: rate_0 ...
Model hypoexponential(std::int32_t stages);
/// Mixture of exponentials with fixed mixing probabilities. Parameters: rate_0 ...
Model hyperexponential(std::span<const double> probabilities);
/// General phase-type law of order m with fixed start: every rate i->j and every exit is a parameter.
Model phase_type(std::int32_t order, std::span<const double> initial);

/// A value in a `family:` block of a model file.
using FamilyValue = std::variant<std::int64_t, double, std::string, std::vector<double>, bool>;

/// Builds a family by its name in model files. @throws ModelError for an unknown family or option, with a suggestion.
Model make_family(const std::string& family, const std::map<std::string, FamilyValue>& options,
                  std::int64_t max_states = 10'000'000);

/// Names accepted by `make_family`, for messages and help.
std::vector<std::string> family_names();

}  // namespace sojourn
