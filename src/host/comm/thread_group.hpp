#pragma once

#include <functional>

#include "sojourn/communicator.hpp"

namespace sojourn {

/// Runs `body` on `num_ranks` threads of this process, each a rank of one communicator, and waits for all. For several
/// devices in one process, and for tests of everything that ranks do.
///
/// A rank that ends by an exception ends the calls of all others with a CommError; the first exception that was no
/// consequence of another's end is thrown on to the caller. Sums are taken in the order of ranks.
/// @throws UsageError unless num_ranks >= 1; what `body` throws.
void run_thread_ranks(int num_ranks, const std::function<void(Communicator&)>& body);

}  // namespace sojourn
