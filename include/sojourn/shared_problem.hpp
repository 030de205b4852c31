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
/// All ranks call it; `own` is read on rank 0, which gets nothing back, as is `part_shares`. Observations go as
/// `share_observations` has it.
///
/// Posteriors made from it with the same priors, fixed values and options have the bits of rank 0's.
/// @throws CommError on every rank where one has not the memory for it, or got other bytes than rank 0 gave.
std::optional<Problem> share_problem(Communicator& ranks, Posterior* own, std::int64_t part_shares = 1);

/// Observations for one rank's posterior.
struct SharedObservations {
  Observations observations;
  std::optional<HeldParts> held;  ///< for `PosteriorFacts`
};

/// Gives all ranks rank 0's observations: with `part_shares` of 1 all of them, with more the parts that a rank
/// evaluates on such a mesh and no others. Rank 0, whose arguments alone count and which gets nothing back, keeps all,
/// as results are made from them; its posterior evaluates its own share from then on (`Posterior::hold_parts`).
/// All ranks call it. Cost: the observations travel once to every rank, 48 bytes each, in pieces of 3 MB.
/// @throws CommError as `share_problem`; UsageError on rank 0 where its posterior does not hold all observations, or
/// has one part and is to be handed out in shares.
SharedObservations share_observations(Communicator& ranks, Posterior* own, std::int64_t part_shares);

}  // namespace sojourn
