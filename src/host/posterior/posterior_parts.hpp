#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/likelihood_terms.hpp"
#include "common/prior_density.hpp"
#include "evaluation/law.hpp"
#include "expects.hpp"
#include "posterior/likelihood.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {

/// Which parameters move, and the natural values of those that do not.
struct ParameterSet {
  std::vector<Posterior::Free> free;
  std::vector<prior_density::LinePrior> line_priors;  ///< of the free ones, with their constants
  std::vector<double> base;                           ///< [P]; entries of free parameters are overwritten
};

/// Pairs parameters with priors and fixed values; appends a warning for every prior that the declared range cuts.
/// @throws ModelError, see `Posterior`.
ParameterSet resolve_parameters(const Model& model, const std::map<std::string, Prior>& priors,
                                const std::map<std::string, double>& fixed, std::vector<std::string>& warnings);

/// Makes sure that data fit the model's time kind and its law at zero.
/// @throws ModelError for no observations, the wrong time kind, or time zero where the density is zero;
/// ShapeError for a reward of another length.
void check_observations(const Model& model, const Observations& observations, std::span<const double> reward);

/// "times.csv: row 5", where the observation stands in its file.
std::string name_row(const Observations& observations, std::int64_t item);
/// "time 0.25", "count in (2, 5]": the observation itself.
std::string describe_item(const Observations& observations, std::int64_t item);

/// "theta = {rate: 1.5, exit: 2}", 17 digits.
std::string describe_theta(const Model& model, std::span<const double> theta);

/// What is wrong with the weights at phi, or "": a negative or non-finite weight, a discrete row that sums to more
/// than 1. Cost: O(edges) at worst.
std::string describe_bad_weight(const StateGraph& graph, std::span<const double> phi);

}  // namespace sojourn
