#include "cli/start_particles.hpp"

#include <algorithm>
#include <cmath>

#include "cli/json_writer.hpp"
#include "cli/theta.hpp"
#include "expects.hpp"
#include "model/suggest.hpp"

namespace sojourn::cli {

void read_start_particles(const Posterior& posterior, bool count_given, RunFile& run) {
  const std::string& path = run.initial_path;
  const NumberTable table = read_number_table(path, "starting particle");
  std::vector<std::string> names;
  for (const Posterior::Free& free : posterior.free()) names.push_back(free.name);
  SOJOURN_EXPECTS(!table.header.empty() || table.values.num_cols() == names.size(), ModelError,
                  "{}: {} columns, but the run has {} free parameter{}: {}", path, table.values.num_cols(),
                  names.size(), names.size() == 1 ? "" : "s", list_names(names));
  const std::vector<std::size_t> columns = columns_of(table, names, path);
  const auto num_particles = static_cast<std::int64_t>(table.values.num_rows());
  SOJOURN_EXPECTS(num_particles >= 2, ModelError, "{}: 1 row; starting particles must be at least 2", path);
  SOJOURN_EXPECTS(
      !count_given || num_particles == run.sampler.num_particles, ModelError,
      "{}: {} rows, but the run asks for {} particles; make them agree, or leave the number of particles out", path,
      num_particles, run.sampler.num_particles);
  run.sampler.num_particles = num_particles;
  run.sampler.given = Matrix<double>(table.values.num_rows(), names.size());
  bool differ = false;
  for (std::size_t r = 0; r < table.values.num_rows(); ++r) {
    for (std::size_t p = 0; p < names.size(); ++p) {
      const Posterior::Free& free = posterior.free()[p];
      const double value = table.values(r, columns[p]);
      SOJOURN_EXPECTS(std::isfinite(value) && value > free.lower && value < free.upper, ModelError,
                      "{}: row {}: {} is {}, it must be finite and inside ({}, {})", path,
                      table.first_row + static_cast<std::int64_t>(r), free.name, format_number(value),
                      format_number(free.lower), format_number(free.upper));
      run.sampler.given(r, p) = free.transform.to_unconstrained(value);
      differ = differ || value != table.values(0, columns[p]);
    }
  }
  SOJOURN_EXPECTS(differ, ModelError, "{}: all {} particles are equal; they would stay together, so spread them", path,
                  num_particles);
  run.initial_first_row = table.first_row;
}

void check_start_particles(const Target& posterior, const RunFile& run) {
  const std::size_t num_particles = run.sampler.given.num_rows();
  std::vector<double> log_density(num_particles);
  std::vector<std::string> status(num_particles);
  posterior.evaluate(run.sampler.given.view(), log_density, {}, status);
  for (std::size_t r = 0; r < num_particles; ++r) {
    SOJOURN_EXPECTS(std::isfinite(log_density[r]), ModelError,
                    "{}: row {}: the posterior cannot be evaluated there: {}", run.initial_path,
                    run.initial_first_row + static_cast<std::int64_t>(r),
                    status[r].empty() ? "log density " + format_number(log_density[r]) : status[r]);
  }
}

}  // namespace sojourn::cli
