#include "sojourn/environment.hpp"

#include <cstdlib>
#include <utility>

namespace sojourn {
namespace {

constexpr const char* kProxies[] = {"http_proxy", "https_proxy", "ftp_proxy", "all_proxy",
                                    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY"};

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr) return {};
    return std::string(value);
  };
}

std::string variable_text(const Environment& environment, const std::string& name, const std::string& fallback) {
  const std::optional<std::string> text = environment(name);
  return text && !text->empty() ? *text : fallback;
}

Environment fixed_environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return {};
    return found->second;
  };
}

ProxiesUnset::ProxiesUnset() {
  for (const char* const name : kProxies) {
    const char* const value = std::getenv(name);
    if (value == nullptr) continue;
    saved_.emplace(name, value);
    unsetenv(name);
  }
}

ProxiesUnset::~ProxiesUnset() {
  for (const auto& [name, value] : saved_) setenv(name.c_str(), value.c_str(), 1);
}

}  // namespace sojourn
