#pragma once

#include "cli/run_file.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn::cli {

/// Reads the starting particles that a run file names into `run.sampler.given` on the unconstrained scale, [n, d].
///
/// The CSV has one row per particle and one column per free parameter on the natural scale: by name with a header
/// (other columns are ignored, so `particles.csv` of an earlier run serves), in the posterior's order without. Where
/// nothing says how many particles there are, the file does; `count_given` means that something does.
/// @throws ModelError for a wrong shape, values that are not finite or outside the support, particles that are all
/// equal.
void read_start_particles(const Posterior& posterior, bool count_given, RunFile& run);

/// Makes sure that `posterior` can be evaluated at the starting particles that were read. @throws ModelError naming the
/// row.
void check_start_particles(const Target& posterior, const RunFile& run);

}  // namespace sojourn::cli
