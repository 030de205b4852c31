#include "device/comm/device_communicator.hpp"

#include "comm/rank_mesh.hpp"

namespace sojourn {

void DeviceCommunicator::gather_rows(double* values, std::int64_t num_rows, std::int64_t unit, std::size_t width) {
  for (int root = 0; root < size(); ++root) {
    const RankRows rows = rows_of_rank(num_rows, unit, root, size());
    const auto count = static_cast<std::size_t>(rows.end - rows.begin) * width;
    if (count > 0) broadcast(values + static_cast<std::size_t>(rows.begin) * width, count * sizeof(double), root);
  }
}

}  // namespace sojourn
