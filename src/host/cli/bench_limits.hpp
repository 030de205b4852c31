#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace sojourn::cli {

/// Two loops that no program on this machine beats by much: what a throughput is compared with.
class MachineProbe {
 public:
  /// Two arrays of `copy_bytes` each, touched first by `num_threads` threads, so that their memory lies near them.
  MachineProbe(std::size_t copy_bytes, int num_threads);

  /// Multiply-adds per second of `num_threads` threads on vector registers alone, in double precision and with the
  /// widest vectors of this processor, whatever the program is compiled for. Runs about `seconds`.
  double multiply_adds_per_second(int num_threads, double seconds) const;
  /// Bytes read plus bytes written per second while `num_threads` threads copy one array to the other, each its part.
  double copied_bytes_per_second(int num_threads, double seconds);

  /// Bytes of an array that no cache of this size holds: twice `last_cache_bytes`, 64 MiB to 512 MiB.
  static std::size_t copy_size(std::size_t last_cache_bytes);

 private:
  std::size_t copy_bytes_;
  std::unique_ptr<char[]> from_, to_;
};

/// Widest vectors that this processor multiplies and adds in one instruction.
std::string vector_name();

}  // namespace sojourn::cli
