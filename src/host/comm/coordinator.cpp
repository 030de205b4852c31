#include "comm/coordinator.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <sstream>

#include "comm/command_output.hpp"
#include "comm/launcher.hpp"
#include "comm/node_list.hpp"
#include "expects.hpp"

namespace sojourn {
namespace {

constexpr int kLargestPort = 65535;
constexpr std::chrono::seconds kScontrolDeadline{5};
constexpr const char* kAddress = "SOJOURN_COORDINATOR_ADDRESS";

int port_from(const char* name, std::string_view text) {
  const auto port = whole_number(text);
  SOJOURN_EXPECTS(port && *port >= 1 && *port <= kLargestPort, UsageError,
                  "{}='{}': a port is a whole number from 1 to {}; unset it for {}", name, text, kLargestPort,
                  kDefaultCoordinatorPort);
  return static_cast<int>(*port);
}

void expect_host(const std::string& host, const std::string& text) {
  const bool is_address = host.find(':') != std::string::npos;
  const std::string_view allowed = is_address ? ":.%" : "-._";
  const bool fine =
      !host.empty() && host.size() <= 253 && host.front() != '-' && std::ranges::all_of(host, [&](unsigned char c) {
        return std::isalnum(c) != 0 || allowed.find(static_cast<char>(c)) != std::string_view::npos;
      });
  SOJOURN_EXPECTS(fine, UsageError, "{}='{}' is not a host, an address or host:port, such as node1:12345", kAddress,
                  text);
}

/// A host, an address, `host:port` or `[address]:port`.
void read_address(const std::string& text, CoordinatorAddress& coordinator) {
  std::string host = text, port;
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    host = close == std::string::npos ? "" : text.substr(1, close - 1);
    if (close != std::string::npos) port = text.substr(close + 1);
  } else if (std::ranges::count(text, ':') == 1) {
    host = text.substr(0, text.find(':'));
    port = text.substr(text.find(':'));
  }
  expect_host(host, text);
  coordinator.host = host;
  if (!port.empty())
    coordinator.port = port_from(kAddress, port.front() == ':' ? std::string_view(port).substr(1) : port);
}

/// The first host of the node list; another's answer counts where it is as long as the list.
void read_node_list(const SlurmEnvironment& slurm, const NodeLister& list_nodes, CoordinatorAddress& coordinator) {
  const std::string own = first_node(slurm.nodelist);
  const std::int64_t count = count_nodes(slurm.nodelist);
  const std::vector<std::string> answer = list_nodes ? list_nodes(slurm.nodelist) : std::vector<std::string>();
  if (std::ssize(answer) == count && !answer.front().empty()) {
    coordinator.host = answer.front();
    coordinator.source = "scontrol show hostnames";
    return;
  }
  coordinator.host = own;
  coordinator.source = "SLURM_JOB_NODELIST";
  if (!list_nodes) return;
  coordinator.warning = fmt::format(
      "scontrol show hostnames {}; the first host of '{}' is taken to be {}",
      answer.empty() ? "gave no answer" : fmt::format("names {} hosts where {} are listed", answer.size(), count),
      slurm.nodelist, own);
}

}  // namespace

bool is_loopback(const std::string& host) {
  std::string lower = host;
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower == "localhost" || lower == "localhost.localdomain" || lower == "ip6-localhost" || lower == "::1" ||
         lower == "0.0.0.0" || lower == "::" || lower.rfind("127.", 0) == 0;
}

int coordinator_port(const Environment& environment) {
  constexpr const char* kPort = "SOJOURN_COORDINATOR_PORT";
  const auto text = environment(kPort);
  return text ? port_from(kPort, *text) : kDefaultCoordinatorPort;
}

std::string CoordinatorAddress::text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

NodeLister scontrol_hostnames() {
  return [](const std::string& nodelist) {
    std::string fault;
    const auto output = command_output({"scontrol", "show", "hostnames", nodelist}, kScontrolDeadline, fault);
    std::vector<std::string> hosts;
    std::istringstream lines(output.value_or(""));
    for (std::string line; std::getline(lines, line);) hosts.push_back(line);
    return hosts;
  };
}

CoordinatorAddress find_coordinator(const Environment& environment, const NodeLister& list_nodes, std::string& fault) {
  const SlurmEnvironment slurm = detect_slurm_environment(environment);
  CoordinatorAddress coordinator;
  coordinator.port = coordinator_port(environment);
  const auto given = environment(kAddress);
  if (given && !given->empty()) {
    coordinator.source = kAddress;
    read_address(*given, coordinator);
  } else if (!slurm.nodelist.empty()) {
    read_node_list(slurm, list_nodes, coordinator);
  } else {
    coordinator.host = "localhost";
    coordinator.source = "default";
  }
  if (is_loopback(coordinator.host) && std::max(slurm.node_count, count_rank_nodes(environment)) > 1)
    fault = fmt::format(
        "coordinator {}: with more than one node every rank would look for it on its own; set {} to the name of the "
        "first rank's node",
        coordinator.text(), kAddress);
  return coordinator;
}

std::int64_t count_rank_nodes(const Environment& environment) {
  const LauncherRank rank = launcher_rank(environment, "start the program without a launcher");
  // A launcher that puts only some of the ranks here has put the others on another node.
  const LauncherRank here = rank_on_node(environment, "start the program without a launcher");
  if (rank.size == 1) return 1;
  if (!here.source.empty()) return (rank.size + here.size - 1) / here.size;
  return detect_slurm_environment(environment).node_count;
}

CoordinatorAddress get_coordinator_address(const Environment& environment, const NodeLister& list_nodes) {
  std::string fault;
  const CoordinatorAddress coordinator = find_coordinator(environment, list_nodes, fault);
  if (!fault.empty()) throw CommError(fault);
  return coordinator;
}

}  // namespace sojourn
