#pragma once

namespace CLI {
class App;
}

namespace sojourn::cli {

/// `--cache auto|off|require` for a verb that eliminates.
void add_cache_option(CLI::App& app);

/// Puts the environment, `--cache` and `--threads` of a verb in force for its eliminations, and reports a cache folder
/// that was named and cannot be used before any work starts. Verbs without `--cache` are left alone.
/// @throws UsageError for a value that is none, IoError for `--cache=require` without a folder that can be used.
void apply_elimination_options(const CLI::App& verb);

}  // namespace sojourn::cli
