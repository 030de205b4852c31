#pragma once

#include "evaluation/instruction_set.hpp"
#include "evaluation/transform.hpp"

namespace sojourn {

/// The members of `TransformReplay`, compiled for one instruction set: its workspace holds packs of the set's width.
class TransformKernels {
 public:
  TransformKernels() = default;
  TransformKernels(const TransformKernels&) = delete;
  TransformKernels& operator=(const TransformKernels&) = delete;
  virtual ~TransformKernels() = default;

  [[nodiscard]] virtual TransformReplay::WorkspacePtr make_workspace() const = 0;
  [[nodiscard]] virtual std::int64_t workspace_bytes(int num_transforms, bool gradient) const = 0;
  [[nodiscard]] virtual std::int32_t num_rates() const = 0;
  [[nodiscard]] virtual double num_roundings() const = 0;
  virtual void set_particle(std::span<const double> phi, TransformReplay::Workspace& workspace) const = 0;
  [[nodiscard]] virtual double atom(const TransformReplay::Workspace& workspace) const = 0;
  [[nodiscard]] virtual std::span<const double> atom_gradient(const TransformReplay::Workspace& workspace) const = 0;
  virtual double density_at_zero(TransformReplay::Workspace& workspace, std::span<double> gradient) const = 0;
  virtual void evaluate(std::span<const std::complex<double>> s, std::span<std::complex<double>> density,
                        std::span<std::complex<double>> survival, std::span<std::complex<double>> density_gradient,
                        std::span<std::complex<double>> survival_gradient,
                        TransformReplay::Workspace& workspace) const = 0;
  virtual void evaluate_real(bool survival, std::span<const double> s, std::span<double> value, std::span<double> first,
                             std::span<double> second, TransformReplay::Workspace& workspace) const = 0;
  virtual void right_of_poles(std::span<const double> s, std::span<bool> answer,
                              TransformReplay::Workspace& workspace) const = 0;
  virtual void evaluate_scaled(std::complex<double> s, bool survival, ScaledComplexValue& value,
                               std::span<std::complex<double>> gradient,
                               TransformReplay::Workspace& workspace) const = 0;
  virtual void evaluate_real_scaled(bool survival, double s, ScaledValue& value, ScaledValue& first,
                                    ScaledValue& second, TransformReplay::Workspace& workspace) const = 0;
};

template <InstructionSet>
std::unique_ptr<TransformKernels> transform_kernels_on(const StateGraph& graph, const Prc& prc,
                                                       std::span<const double> reward);

}  // namespace sojourn
