#include "fuzz/reader.hpp"
#include "sojourn/posterior.hpp"

/// Data files, in continuous and in discrete time.
void sojourn::fuzz::read(std::span<const unsigned char> bytes) {
  for (const TimeKind kind : {TimeKind::kContinuous, TimeKind::kDiscrete}) {
    try {
      (void)parse_observations(text_of(bytes), "input.csv", kind);
    } catch (const Error&) {
    }
  }
}
