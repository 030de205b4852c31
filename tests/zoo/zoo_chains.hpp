#pragma once

#include <string>
#include <vector>

#include "sojourn/model.hpp"

namespace sojourn::zoo {

/// Reference values of a chain (tests/oracle/zoo_references.py), enclosed to 1e-30 and rounded to double here. NaN
/// where the value is beyond the range of double, -infinity for the logarithm of zero.
struct References {
  std::vector<double> moments;                           ///< E[Y^k], k = 1..
  std::vector<std::vector<double>> moments_gradient;     ///< [k][P], the first six
  std::vector<double> covariance;                        ///< [R * R] of the rewards `together`
  std::vector<std::vector<double>> covariance_gradient;  ///< [R * R][P]
  std::vector<double> sojourn;                           ///< [num_states], explicit models alone
  std::vector<double> laplace_s, laplace;                ///< [S]
  std::vector<std::vector<double>> laplace_gradient;     ///< [S][P]
  std::vector<double> points;                            ///< [N], empty where the law has no references
  std::vector<double> log_pdf, log_cdf, log_survival;    ///< [N]
  std::vector<std::vector<double>> log_pdf_gradient, log_cdf_gradient, log_survival_gradient;  ///< [N][P]
  std::vector<double> state_times;                     ///< [T], explicit models alone
  std::vector<std::vector<double>> state_probability;  ///< [T][num_states], 0 at absorbing states
};

/// A chain of the zoo (tests/zoo/models.json).
struct Chain {
  std::string name, group, why;
  Model model;
  std::vector<double> theta;
  std::vector<double> reward;                 ///< [num_states], the variable
  std::vector<std::vector<double>> together;  ///< rewards of the covariances
  bool discrete = false;
  References references;
};

/// What the references of a chain hold.
struct ChainEntry {
  std::string name;
  std::int32_t num_transient = 0;
  bool law = false;     ///< transient laws
  bool states = false;  ///< probabilities of each state
};

/// All chains, in the order of the table.
const std::vector<ChainEntry>& chain_entries();
/// A chain by name, read anew.
Chain read_chain(const std::string& name);

}  // namespace sojourn::zoo
