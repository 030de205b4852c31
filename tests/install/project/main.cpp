#include <cmath>
#include <cstdio>
#include <sojourn/evaluator.hpp>
#include <sojourn/families.hpp>

int main() {
  const sojourn::Evaluator evaluator(sojourn::coalescent_lineages(4));
  sojourn::Matrix<double> theta(1, 1, 7.0);
  const auto moments = evaluator.moments(theta.view(), evaluator.model().graph.unit_reward(), 1, false);
  std::printf("%.17g\n", moments.values(0, 0));
  return std::abs(moments.values(0, 0) - 0.21428571428571429) < 1e-15 ? 0 : 1;
}
