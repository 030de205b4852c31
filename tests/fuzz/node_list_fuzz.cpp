#include "comm/node_list.hpp"
#include "fuzz/reader.hpp"

namespace sojourn {

/// Node lists: what can be counted, and is not huge, expands to as many hosts, of which the first is the first.
void fuzz::read(std::span<const unsigned char> bytes) {
  const std::string_view text = text_of(bytes);
  const std::int64_t count = count_nodes(text);
  if (count > 10'000) return;
  const std::vector<std::string> hosts = expand_node_list(text);
  if (std::ssize(hosts) != count) fail("another number of hosts than counted");
  if (hosts.front() != first_node(text)) fail("another first host");
}

}  // namespace sojourn
