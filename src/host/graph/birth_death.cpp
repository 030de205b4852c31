#include "expects.hpp"
#include "graph/family_build.hpp"
#include "sojourn/families.hpp"

namespace sojourn {

Model birth_death(std::int32_t capacity, std::int32_t start, bool per_head, std::int64_t max_states) {
  expect_at_least("birth_death", "capacity", capacity, 1);
  SOJOURN_EXPECTS(start >= 1 && start <= capacity, ModelError,
                  "family 'birth_death': start {} must be in 1 .. capacity {}", start, capacity);
  expect_state_count("birth_death", capacity + 1.0, 1, max_states);
  StateGraphBuilder builder(TimeKind::kContinuous, 2);
  IntegerRows individuals(1);
  std::vector<double> reward;
  for (std::int32_t k = 0; k <= capacity; ++k) {
    individuals.append({&k, 1});
    reward.push_back(k);
  }
  builder.set_states({"individuals"}, std::move(individuals));
  for (std::int32_t k = 1; k <= capacity; ++k) {
    const double heads = per_head ? k : 1;
    const RateTerm birth{0, heads}, death{1, heads};
    builder.add_edge(k, k - 1, 0, {&death, 1});
    if (k < capacity) builder.add_edge(k, k + 1, 0, {&birth, 1});
  }
  builder.add_initial(start, 1);
  builder.add_reward("individuals", std::move(reward));
  return family_model("birth_death", {"birth", "death"}, std::move(builder).build());
}

}  // namespace sojourn
