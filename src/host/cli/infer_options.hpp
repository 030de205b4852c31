#pragma once

#include <string>

#include "cli/run_file.hpp"
#include "cli/verb.hpp"

namespace sojourn::cli {

/// What `sojourn infer` is given.
struct InferOptions {
  CommonOptions common;
  std::string run, output = "sojourn-result", seed, particles, iterations, max_seconds, data_compression,
                   observation_shares, assume_device, strategy, n_devices;
  bool overwrite = false, plan = false, strict = false, resume = false, keep_going = false, json = false, quiet = false;
};

/// Gives `app` the options, help and example of the verb.
void add_infer_options(CLI::App& app, InferOptions& options);

/// The run file with what the command line sets in its place.
RunFile read_run(const InferOptions& options);

/// The call as it would be typed again, for the record in the results.
std::string command_text(const InferOptions& options);

/// The call that goes on with this one.
std::string resuming_command(InferOptions options);

}  // namespace sojourn::cli
