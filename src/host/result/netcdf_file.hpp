#pragma once

#include <string>

#include "result/run_facts.hpp"

namespace sojourn {

/// posterior.nc in the ArviZ layout (netCDF-4): groups
///   posterior     chain = 1, draw = n, one variable per parameter on the natural scale, attributes prior and transform
///   sample_stats  lp: log density on the unconstrained scale
///   observed_data time (exact, or the lower end), upper (infinite: right-censored), entry, weight, event (1 exact, 0
///   right-censored, 2 interval)
/// Holds no clock, host or path: the same run gives the same bytes. A parameter name that netCDF or the layout does not
/// allow gets underscores; attribute `long_name` keeps the name. @throws IoError with path and reason.
void write_posterior_netcdf(const std::string& path, const RunFacts& facts);

}  // namespace sojourn
