#pragma once

#include "common/svgd_tile.hpp"

/// One thread block's share of the direction, as steps that the CUDA kernel and a host loop both take.
///
/// A block owns kBlockRows rows. Its kBlockSlices slices share the column tiles out: slice q takes tiles q, q + slices,
/// ... in index order, and the slices' sums are added in slice order. The order of all sums is thus fixed by n alone.
/// Columns pass through a tile of kTileColumns particles, which a device keeps in shared memory.
namespace sojourn::svgd_block {

inline constexpr int kBlockRows = 32;
inline constexpr int kBlockSlices = 8;
inline constexpr int kTileColumns = 32;

SOJOURN_HD inline std::int64_t num_row_blocks(std::int64_t num_rows) {
  return (num_rows + kBlockRows - 1) / kBlockRows;
}
SOJOURN_HD inline std::int64_t num_tiles(std::int64_t num_columns) {
  return (num_columns + kTileColumns - 1) / kTileColumns;
}
SOJOURN_HD inline int tile_columns(std::int64_t tile, std::int64_t num_columns) {
  const std::int64_t left = num_columns - tile * kTileColumns;
  return left < kTileColumns ? static_cast<int>(left) : kTileColumns;
}

/// Copies column `column` of a tile from [d, stride] arrays into the tile's own [d, kTileColumns] arrays, of doubles or
/// floats.
template <class Number>
SOJOURN_HD inline void load_column(int dim, const double* u, const double* s, std::int64_t stride, std::int64_t tile,
                                   int column, Number* tile_u, Number* tile_s) {
  const std::int64_t j = tile * kTileColumns + column;
  for (int c = 0; c < dim; ++c) {
    tile_u[c * kTileColumns + column] = static_cast<Number>(u[c * stride + j]);
    tile_s[c * kTileColumns + column] = static_cast<Number>(s[c * stride + j]);
  }
}

/// Adds the slices' sums of row `row` in slice order and divides by n. `slice_sum` is [slices, d, kBlockRows].
SOJOURN_HD inline double combine_slices(int dim, const double* slice_sum, int coordinate, int row, double inverse_n) {
  double sum = 0;
  for (int q = 0; q < kBlockSlices; ++q) sum += slice_sum[(q * dim + coordinate) * kBlockRows + row];
  return sum * inverse_n;
}

}  // namespace sojourn::svgd_block
