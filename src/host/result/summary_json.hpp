#pragma once

#include <nlohmann/json.hpp>

#include "result/run_facts.hpp"

namespace sojourn {

/// Content of summary.json, schema `sojourn/summary/1`:
/// - status: "ok", "interrupted", or "not_finite" where a number had to become null; verdict: the worst of the
///   diagnostics
/// - model, data: name and digest; rows, distinct items, weight, counts of each kind of observation
/// - parameters by name: mean, sd, quantiles {"2.5", "5", "25", "50", "75", "95", "97.5"}, prior, transform, status
/// - fixed by name, sampler, resumes {count, at_iterations}, stages (of a run that has several; each with
///   the model and data that it is of), map,
/// laplace_covariance (unconstrained scale)
/// - diagnostics [{name, value, verdict, explanation}], timings_seconds by phase
/// - throughput: particle_iterations_per_second, particle_likelihoods_per_second, observation_likelihoods_per_second
/// - routes: points by route and worst_error_bound, data_compression; of a resumed run since it was resumed
/// - predictive: how many particles and what to know about the picture
/// - device_likelihoods: null on the CPU, else how many a device served, of these by uniformization, and how many the
///   CPU did instead, by reason; of the process that writes, since it was started, and of the last stage
/// - device_iterations: null on the CPU, else which parts of the iterations of this process a device did: whole ones
///   (resident), of these halts where the CPU finished some particles, directions; else why not; messages: what rows
///   travel by between the devices of several ranks, and why not by NCCL
/// - direction_check: null where directions are in fp64, else how often those of mixed precision were compared, the
///   largest error as a part of the size of what is summed, and what is allowed
/// - build, device, ranks, threads, seed, command, warnings
nlohmann::ordered_json summary_json(const RunFacts& facts);

}  // namespace sojourn
