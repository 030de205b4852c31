#include "zoo/findings.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <limits>
#include <vector>

namespace sojourn::zoo {
namespace {

std::vector<Finding>& all_findings() {
  static std::vector<Finding> findings;
  return findings;
}

/// Writes the file after all tests.
class WriteFindings : public testing::Environment {
 public:
  void TearDown() override {
    const char* path = std::getenv("SOJOURN_ZOO_RESULTS");
    if (path == nullptr || *path == '\0') return;
    std::ofstream file(path);
    file.precision(std::numeric_limits<double>::max_digits10);
    file << "chain,quantity,route,taken,point,error,bound,gradient_error,tolerance,slack\n";
    for (const Finding& f : all_findings())
      file << f.chain << ',' << f.quantity << ',' << f.route << ',' << f.taken << ',' << f.point << ',' << f.error
           << ',' << f.bound << ',' << f.gradient_error << ',' << f.tolerance << ',' << f.slack << '\n';
    file.close();
    EXPECT_TRUE(file) << "cannot write " << path;
  }
};
const auto* const kWriter = testing::AddGlobalTestEnvironment(new WriteFindings);

}  // namespace

void record(const Finding& finding) { all_findings().push_back(finding); }

}  // namespace sojourn::zoo
