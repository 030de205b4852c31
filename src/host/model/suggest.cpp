#include "model/suggest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace sojourn {
namespace {

constexpr std::size_t kLongestName = 64;

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  a = a.substr(0, kLongestName);
  b = b.substr(0, kLongestName);
  // Three rolling rows: a swap of neighbours looks two rows back.
  std::array<std::array<int, kLongestName + 1>, 3> row{};
  for (std::size_t j = 0; j <= b.size(); ++j) row[0][j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& now = row[i % 3];
    const auto& before = row[(i + 2) % 3];
    now[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int replace = before[j - 1] + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      now[j] = std::min({before[j] + 1, now[j - 1] + 1, replace});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
        now[j] = std::min(now[j], row[(i + 1) % 3][j - 2] + 1);
    }
  }
  return row[a.size() % 3][b.size()];
}

std::string closest(std::string_view name, std::span<const std::string> candidates) {
  std::string best;
  int best_distance = std::clamp(static_cast<int>(name.size()) / 3, 1, 3) + 1;
  for (const std::string& candidate : candidates) {
    const int distance = edit_distance(name, candidate);
    // One edit turns any one-letter name into any other: only a change of case is near enough there.
    if (distance >= best_distance || (distance > 0 && std::max(name.size(), candidate.size()) < 2)) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string suggestion(std::string_view name, std::span<const std::string> candidates) {
  const std::string best = closest(name, candidates);
  return best.empty() ? std::string() : fmt::format("; did you mean '{}'?", best);
}

std::string list_names(std::span<const std::string> names, std::size_t limit) {
  std::string text;
  for (std::size_t i = 0; i < std::min(limit, names.size()); ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > limit) text += fmt::format(" and {} more", names.size() - limit);
  return names.empty() ? "none" : text;
}

}  // namespace sojourn
