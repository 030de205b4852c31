#pragma once

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "oracle/source_folder.hpp"

/// Loader of golden_law.json, the high-precision values of the zoo (see make_golden.py, which says how they are made).
namespace sojourn::oracle {

/// Reference values of one zoo chain. Log values are -inf where the value is zero; in discrete time pdf is the mass.
struct Golden {
  std::vector<double> times;                           ///< [N], counts in discrete time; may be empty
  std::vector<double> log_pdf, log_cdf, log_survival;  ///< [N]
  std::vector<std::vector<double>> log_pdf_gradient, log_cdf_gradient, log_survival_gradient;  ///< [N][num_rates]
  std::vector<double> moments;                        ///< E[Y^k], k = 1..30, inf above 1e308; empty for long chains
  std::vector<std::vector<double>> moments_gradient;  ///< [30][num_rates]
  std::vector<double> laplace_s, laplace;             ///< E[exp(-s Y)]
  std::vector<std::vector<double>> laplace_gradient;  ///< [S][num_rates]
};

/// Golden values by chain name.
inline const std::map<std::string, Golden>& golden() {
  static const std::map<std::string, Golden> loaded = [] {
    const std::string path = oracle::source_folder() + "/tests/oracle/golden_law.json";
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot read " + path);
    const nlohmann::json json = nlohmann::json::parse(file);
    const auto number = [](const nlohmann::json& x, double null) { return x.is_null() ? null : x.get<double>(); };
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const auto numbers = [&](const nlohmann::json& entry, const char* key, double null) {
      std::vector<double> values;
      if (!entry.contains(key)) return values;
      for (const nlohmann::json& x : entry[key]) values.push_back(number(x, null));
      return values;
    };
    const auto rows = [&](const nlohmann::json& entry, const char* key) {
      std::vector<std::vector<double>> values;
      if (!entry.contains(key)) return values;
      for (const nlohmann::json& row : entry[key]) {
        values.emplace_back();
        for (const nlohmann::json& x : row) values.back().push_back(number(x, kInfinity));
      }
      return values;
    };
    std::map<std::string, Golden> all;
    for (const auto& [name, entry] : json.items()) {
      Golden& one = all[name];
      one.times = numbers(entry, "times", kInfinity);
      one.log_pdf = numbers(entry, "log_pdf", -kInfinity);
      one.log_cdf = numbers(entry, "log_cdf", -kInfinity);
      one.log_survival = numbers(entry, "log_survival", -kInfinity);
      one.log_pdf_gradient = rows(entry, "log_pdf_gradient");
      one.log_cdf_gradient = rows(entry, "log_cdf_gradient");
      one.log_survival_gradient = rows(entry, "log_survival_gradient");
      one.moments = numbers(entry, "moments", kInfinity);
      one.moments_gradient = rows(entry, "moments_gradient");
      one.laplace_s = numbers(entry, "laplace_s", kInfinity);
      one.laplace = numbers(entry, "laplace", kInfinity);
      one.laplace_gradient = rows(entry, "laplace_gradient");
    }
    return all;
  }();
  return loaded;
}

}  // namespace sojourn::oracle
