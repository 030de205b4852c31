#pragma once

#include "sojourn/matrix_view.hpp"

namespace sojourn {

/// What draws of one quantity by several Markov chains say of their convergence. Each chain is split in two halves.
///
/// Source: A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C. Buerkner, Rank-normalization, folding, and
/// localization: an improved R-hat, Bayesian Analysis 16 (2021); autocorrelations are summed to Geyer's initial
/// monotone sequence. Good: r_hat below 1.01, effective sample sizes above 100 for each chain.
struct ChainDiagnostics {
  double r_hat = 0;      ///< the larger of rank-normalised R-hat and the same of |draw - median|
  double ess_bulk = 0;   ///< effective sample size of rank-normalised draws
  double ess_tail = 0;   ///< the least of those of the 5 and the 95 % quantile
  double ess_mean = 0;   ///< effective sample size of the mean
  double mcse_mean = 0;  ///< Monte Carlo standard error of the mean: sd / sqrt(ess_mean)
};

/// Of draws [chains, draws]. Where all draws are equal r_hat is NaN and every effective sample size is their number.
/// Cost: O(N log N) for N draws, and N for each lag until correlations are gone.
/// @throws UsageError for no chain, fewer than 4 draws of each, or a draw that is not finite.
ChainDiagnostics diagnose_chains(MatrixView<const double> draws);

}  // namespace sojourn
