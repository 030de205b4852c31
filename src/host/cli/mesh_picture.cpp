#include "cli/mesh_picture.hpp"

#include <string_view>
#include <utility>
#include <vector>

#include "cli/text_table.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

constexpr std::int64_t kMostShown = 8;

std::string interval(std::string_view what, const RankRows& rows) {
  if (rows.begin == rows.end) return fmt::format("no {}", what);
  if (rows.end == rows.begin + 1) return fmt::format("{} {}", what, format_count(rows.end));
  return fmt::format("{}s {} to {}", what, format_count(rows.begin + 1), format_count(rows.end));
}

}  // namespace

std::string mesh_picture(const RankMesh& mesh, std::int64_t num_particles, std::int64_t num_parts) {
  const auto row_shares = static_cast<int>(mesh.row_shares);
  const auto shown = [](std::int64_t shares) { return shares <= kMostShown ? shares : kMostShown - 1; };
  const std::int64_t num_columns = shown(mesh.part_shares), num_rows = shown(mesh.row_shares);
  std::vector<std::string> header{" "};
  for (std::int64_t column = 0; column < num_columns; ++column)
    header.push_back(interval("part", parts_of_rank(num_parts, mesh.part_shares, static_cast<int>(column))));
  if (num_columns < mesh.part_shares) header.emplace_back("...");
  TextTable table(header);
  for (std::int64_t row = 0; row < num_rows; ++row) {
    std::vector<std::string> cells{
        interval("particle", rows_of_rank(num_particles, 1, static_cast<int>(row), row_shares))};
    for (std::int64_t column = 0; column < num_columns; ++column)
      cells.push_back(fmt::format("rank {}", row * mesh.part_shares + column));
    if (num_columns < mesh.part_shares) cells.emplace_back("...");
    table.add(std::move(cells));
  }
  if (num_rows < mesh.row_shares) table.add({"..."});
  return table.text();
}

}  // namespace sojourn::cli
