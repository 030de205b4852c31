#pragma once

#include <cstdint>
#include <string>

namespace sojourn {

/// Limits the memory that this process may hold, in bytes; 0 lifts the limit and leaves what the machine has free.
void set_memory_limit(std::int64_t bytes);

/// The limit set, else SOJOURN_MAX_MEMORY (bytes, or with a unit such as 24GiB), else 0.
/// @throws UsageError for a variable that is no size.
std::int64_t memory_limit();

/// Bytes that may still be taken: what the limit leaves beside the memory held now, and no more than the machine has
/// free, where its control group has a limit less than that. Work that needs more is refused before it starts. A
/// machine that does not tell has 2^62 bytes free.
std::int64_t memory_left();

/// "24GiB", "512M", "1000000": a number with an optional unit, K, M, G or T in powers of 1024 with or without B or iB;
/// -1 for anything else.
std::int64_t parse_memory_size(const char* text);

/// A size as messages and tables have it: "512 bytes", "3.2 MiB".
std::string format_bytes(double bytes);

}  // namespace sojourn
