#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace sojourn {

/// Where the value of an environment variable is looked up; nothing where it is unset. What reads many variables takes
/// one of these, so that it is a function of what it is given.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The variables of this process, as they are at each look.
Environment process_environment();

/// A variable's text; `fallback` where it is unset or empty.
std::string variable_text(const Environment& environment, const std::string& name, const std::string& fallback = {});

/// These variables and no others.
Environment fixed_environment(std::map<std::string, std::string> variables);

/// While it lives, the process has no HTTP proxy variables (http_proxy, https_proxy, all_proxy, in either case), which
/// make some libraries ask a proxy for the way to another rank; then they are put back. Other threads must not read or
/// change the environment meanwhile.
class ProxiesUnset {
 public:
  ProxiesUnset();
  ProxiesUnset(const ProxiesUnset&) = delete;
  ProxiesUnset& operator=(const ProxiesUnset&) = delete;
  ~ProxiesUnset();

 private:
  std::map<std::string, std::string> saved_;
};

}  // namespace sojourn
