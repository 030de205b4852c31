#pragma once

#include <string>

#include "result/run_facts.hpp"

namespace sojourn {

/// particles.csv: a header of parameter names, then one row per particle in particle order, natural scale, `%.17g`
/// (reads back to the same bits). Not-a-number is `nan`.
std::string particles_csv(const RunFacts& facts);

/// trace.csv: `iteration,particle,` and one column per parameter (natural scale), frames in order of iteration.
std::string trace_csv(const RunFacts& facts);

/// convergence.csv: `iteration,mean_log_density,largest_step`, one row per iteration from 1.
std::string convergence_csv(const RunFacts& facts);

}  // namespace sojourn
