#include <utility>

#include "device/cuda_cloud.hpp"
#include "device/posterior/resident_posterior.hpp"

namespace sojourn {

std::unique_ptr<DeviceCloud> make_cuda_cloud(CudaMachine& machine, LikelihoodBatch<CudaMachine>& likelihood,
                                             const ParameterTables& parameters, const SvgdOptions& options,
                                             const std::string& name, const LikelihoodDevice::Report& report) {
  auto posterior = std::make_unique<PosteriorBatch<CudaMachine>>(machine, likelihood, parameters);
  return std::make_unique<CloudBatch<CudaMachine>>(machine, std::move(posterior), options, name, report);
}

std::unique_ptr<DevicePosterior> make_cuda_posterior(CudaMachine& machine, LikelihoodBatch<CudaMachine>& likelihood,
                                                     const ParameterTables& parameters, std::int64_t most_particles,
                                                     const LikelihoodDevice::Report& report) {
  auto posterior = std::make_unique<PosteriorBatch<CudaMachine>>(machine, likelihood, parameters);
  posterior->reserve(most_particles, report);
  return std::make_unique<ResidentPosterior<CudaMachine>>(machine, std::move(posterior), most_particles);
}

}  // namespace sojourn
