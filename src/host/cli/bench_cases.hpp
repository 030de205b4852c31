#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sojourn/model.hpp"

namespace sojourn::cli {

/// A model to measure, with the parameter vector that the particles are scattered about.
struct BenchCase {
  std::string name;         ///< as given on the command line
  std::string description;  ///< what the model is
  Model model;
  std::vector<double> centre;  ///< [P], natural scale
};

/// Built-in cases in the order they are measured; `quick` leaves out what takes more than a second to build and run.
std::vector<std::string> bench_case_names(bool quick);

/// A built-in case by its name, or the model of a file (`-`, or a name with a slash or the ending of a model file).
/// `theta` is the centre of a file's particles in the form of `--theta`; empty: 1 for rates, the middle of a bounded
/// range. @throws UsageError for a name that is neither, with a suggestion; what `load_model` and `parse_theta` throw.
BenchCase make_bench_case(const std::string& name, const std::string& theta, const ModelLimits& limits);

/// Random walk on a square of side * side places, absorbed when it steps over the border: one component without small
/// separators, the hard case of elimination. Starts in the middle. Parameters: step (rate to each neighbour), leave
/// (rate over each border side). Reversible.
Model grid_walk(std::int32_t side);

}  // namespace sojourn::cli
