#include "fuzz/reader.hpp"
#include "sojourn/model.hpp"

/// Model files: any text is a model or a ModelError.
void sojourn::fuzz::read(std::span<const unsigned char> bytes) {
  ModelLimits limits;
  limits.max_states = 5000;
  const Model model = parse_model(text_of(bytes), "input.yaml", limits);
  (void)digest(model);
}
