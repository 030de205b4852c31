#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sojourn {

/// Most hosts a node list may stand for: some six times the largest machine there is.
inline constexpr std::int64_t kMostNodes = 1'000'000;

/// Hosts of a node list as SLURM writes it: names joined by commas, each with any number of brackets that hold numbers
/// and ranges, `node[001-004,007],gpu-[1-2]-x[3-4]`. Several brackets multiply, the last one fastest; a range is padded
/// to the width of its first number, as `scontrol show hostnames` does it.
///
/// All three: @throws CommError that gives the position of the fault, from 1, where the text is none, is empty, or
/// stands for more than `kMostNodes` hosts; before anything of that size is made. Cost: O(length) and what is returned.
std::vector<std::string> expand_node_list(std::string_view list);
std::int64_t count_nodes(std::string_view list);
std::string first_node(std::string_view list);

}  // namespace sojourn
