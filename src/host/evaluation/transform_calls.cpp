#include "evaluation/transform_kernels.hpp"

namespace sojourn {

TransformReplay::TransformReplay(const StateGraph& graph, const Prc& prc, std::span<const double> reward)
    : kernels_(on_instruction_set([&](auto set) { return transform_kernels_on<set>(graph, prc, reward); })) {}
TransformReplay::~TransformReplay() = default;
TransformReplay::TransformReplay(TransformReplay&&) noexcept = default;

TransformReplay::WorkspacePtr TransformReplay::make_workspace() const { return kernels_->make_workspace(); }
std::int64_t TransformReplay::workspace_bytes(int num_transforms, bool gradient) const {
  return kernels_->workspace_bytes(num_transforms, gradient);
}
std::int32_t TransformReplay::num_rates() const { return kernels_->num_rates(); }
double TransformReplay::num_roundings() const { return kernels_->num_roundings(); }
void TransformReplay::set_particle(std::span<const double> phi, Workspace& workspace) const {
  kernels_->set_particle(phi, workspace);
}
double TransformReplay::atom(const Workspace& workspace) const { return kernels_->atom(workspace); }
std::span<const double> TransformReplay::atom_gradient(const Workspace& workspace) const {
  return kernels_->atom_gradient(workspace);
}
double TransformReplay::density_at_zero(Workspace& workspace, std::span<double> gradient) const {
  return kernels_->density_at_zero(workspace, gradient);
}
void TransformReplay::evaluate(std::span<const std::complex<double>> s, std::span<std::complex<double>> density,
                               std::span<std::complex<double>> survival,
                               std::span<std::complex<double>> density_gradient,
                               std::span<std::complex<double>> survival_gradient, Workspace& workspace) const {
  kernels_->evaluate(s, density, survival, density_gradient, survival_gradient, workspace);
}
void TransformReplay::evaluate_real(bool survival, std::span<const double> s, std::span<double> value,
                                    std::span<double> first, std::span<double> second, Workspace& workspace) const {
  kernels_->evaluate_real(survival, s, value, first, second, workspace);
}
void TransformReplay::right_of_poles(std::span<const double> s, std::span<bool> answer, Workspace& workspace) const {
  kernels_->right_of_poles(s, answer, workspace);
}
void TransformReplay::evaluate_scaled(std::complex<double> s, bool survival, ScaledComplexValue& value,
                                      std::span<std::complex<double>> gradient, Workspace& workspace) const {
  kernels_->evaluate_scaled(s, survival, value, gradient, workspace);
}
void TransformReplay::evaluate_real_scaled(bool survival, double s, ScaledValue& value, ScaledValue& first,
                                           ScaledValue& second, Workspace& workspace) const {
  kernels_->evaluate_real_scaled(survival, s, value, first, second, workspace);
}

}  // namespace sojourn
