#pragma once

namespace sojourn::bench {

/// Multiply-adds a second of dot products whose operands lie in shared memory, lane-minor, 220 slots a lane: the most a
/// replay can reach on the current device. The best of several launches. @throws DeviceError.
double shared_dot_multiply_adds_per_second();

}  // namespace sojourn::bench
