#include "cli/run_file.hpp"
#include "fuzz/reader.hpp"

/// Run files, before anything they name is opened.
void sojourn::fuzz::read(std::span<const unsigned char> bytes) {
  (void)cli::parse_run_file(text_of(bytes), "input.yaml");
}
