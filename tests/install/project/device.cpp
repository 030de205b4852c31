#include <cstdio>
#include <sojourn/cuda_device.hpp>
#include <sojourn/evaluator.hpp>
#include <sojourn/families.hpp>

int main() {
  try {
    sojourn::Evaluator evaluator(sojourn::coalescent_lineages(4));
    evaluator.use_device(sojourn::open_cuda_device(0, {}).moments);
    sojourn::Matrix<double> theta(1, 1, 7.0);
    const auto moments = evaluator.moments(theta.view(), evaluator.model().graph.unit_reward(), 1, false);
    std::printf("%.17g by a device\n", moments.values(0, 0));
    return moments.values(0, 0) > 0.214 && moments.values(0, 0) < 0.215 ? 0 : 1;
  } catch (const sojourn::DeviceError& error) {
    // A machine to build on need have none.
    std::printf("%s\n", error.what());
    return 0;
  }
}
