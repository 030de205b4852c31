#pragma once

#include <optional>
#include <vector>

#include "sojourn/communicator.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn {

/// What a posterior is made from, and what making it on another rank has found out.
struct Problem {
  Model model;  ///< without the states' variables and the rewards by name, which no law reads
  Observations observations;
  std::vector<double> reward;  ///< [num_states]
  PosteriorFacts known;
};

/// Gives all ranks the problem of rank 0's posterior, so that one rank alone reads, explores, eliminates and checks.
/// All ranks call it; `own` is read on rank 0, which gets nothing back.
///
/// Posteriors made from it with the same priors, fixed values and options have the bits of rank 0's.
/// @throws CommError on every rank where one has not the memory for it, or got other bytes than rank 0 gave.
std::optional<Problem> share_problem(Communicator& ranks, const Posterior* own);

}  // namespace sojourn
