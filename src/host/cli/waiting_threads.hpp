#pragma once

namespace sojourn::cli {

/// Makes OpenMP's threads sleep while they wait for each other, unless OMP_WAIT_POLICY or GOMP_SPINCOUNT says
/// otherwise.
///
/// By default they spin, and a thread that spins keeps the one it waits for off a core that other programs use as well:
/// with one busy neighbour on two cores the guide's load takes 10 s instead of 6.7 s, and on an idle machine sleeping
/// costs nothing that can be measured. The runtime reads the policy once, as it is loaded, so the program replaces
/// itself by one that has it set; where that fails, it goes on as it is.
void let_waiting_threads_sleep(char** argv);

}  // namespace sojourn::cli
