#pragma once

#include "sojourn/distributed.hpp"

namespace sojourn {

/// Port where neither a variable nor a caller names one.
inline constexpr int kDefaultCoordinatorPort = 12345;

/// Whether a host name or address means this machine to itself and another one to every other: localhost, 127.0.0.1,
/// ::1 and their kin.
bool is_loopback(const std::string& host);

/// The port of SOJOURN_COORDINATOR_PORT or its default. @throws UsageError for a text that is no port from 1 to 65535.
int coordinator_port(const Environment& environment);

/// How many nodes the ranks are on, as far as the launcher's and SLURM's variables tell.
std::int64_t count_rank_nodes(const Environment& environment);

/// `get_coordinator_address`, but `fault` says what it would throw for a host that only its own node can reach.
CoordinatorAddress find_coordinator(const Environment& environment, const NodeLister& list_nodes, std::string& fault);

}  // namespace sojourn
