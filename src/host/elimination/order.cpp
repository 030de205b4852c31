#include "elimination/order.hpp"

#include <amd.h>

#include <numeric>

#include "expects.hpp"

namespace sojourn {

std::vector<std::int32_t> minimum_degree_order(std::int32_t num_vertices, std::span<const std::int32_t> row_begin,
                                               std::span<const std::int32_t> column) {
  std::vector<std::int32_t> order(num_vertices);
  std::iota(order.begin(), order.end(), 0);
  if (num_vertices < 3) return order;
  const int status = amd_order(num_vertices, row_begin.data(), column.data(), order.data(), nullptr, nullptr);
  if (status == AMD_OUT_OF_MEMORY) throw std::bad_alloc();
  SOJOURN_EXPECTS(status == AMD_OK || status == AMD_OK_BUT_JUMBLED, ModelError,
                  "elimination: the ordering of a component of {} states failed (AMD status {})", num_vertices, status);
  return order;
}

}  // namespace sojourn
