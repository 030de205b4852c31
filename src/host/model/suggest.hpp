#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sojourn {

/// Number of inserted, deleted, replaced or swapped neighbouring characters between two names
/// (restricted Damerau-Levenshtein distance). Cost: O(|a| |b|), names are cut at 64 characters.
int edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `name`, or empty when none is near enough to be meant (a third of its length, at least one
/// and at most three edits, upper and lower case counting as equal).
std::string closest(std::string_view name, std::span<const std::string> candidates);

/// "; did you mean 'x'?" for the closest candidate, or "" when there is none.
std::string suggestion(std::string_view name, std::span<const std::string> candidates);

/// "a, b, c" for messages; at most `limit` names, then how many more there are.
std::string list_names(std::span<const std::string> names, std::size_t limit = 12);

}  // namespace sojourn
