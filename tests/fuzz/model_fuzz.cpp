#include "fuzz/reader.hpp"
#include "sojourn/model.hpp"

/// Model files: any text is a model or a ModelError.
void sojourn::fuzz::read(std::span<const unsigned char> bytes) {
  ModelLimits limits;
  limits.max_states = 500;  // enough for every way through the readers, and quick
  const Model model = parse_model(text_of(bytes), "input.yaml", limits);
  (void)digest(model);
}
