#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/device_plan.hpp"
#include "cli/run_file.hpp"
#include "cli/stage_problems.hpp"
#include "cli/stages.hpp"
#include "cli/verb.hpp"
#include "comm/rank_mesh.hpp"
#include "sampler/sharded_target.hpp"
#include "sojourn/communicator.hpp"
#include "sojourn/posterior.hpp"

namespace sojourn::cli {

/// The posterior of a run's stages on every rank. The first rank makes it from what it has read; each of the others
/// gets what it evaluates it from, which is not every observation where ranks share these out.
class StagePosterior {
 public:
  /// All outlive this. @throws UsageError on every rank where the ranks cannot share out observations as the run asks.
  StagePosterior(Communicator& ranks, const RunFile& run, const Device& device, int num_threads);

  /// On the first rank: the posteriors of all problems, each as its first stage has it. @throws as `Posterior`.
  void make(std::vector<StageProblem> problems, const std::vector<Stage>& stages);
  /// Gives the first stage's to the other ranks. All ranks call it. @throws as `share_problem`, and as `Posterior`.
  void share(const Stage& stage);
  /// Goes on to a stage that may have another problem, tolerance, compression or mesh of ranks; never back. All ranks
  /// call it; with `alone` the first one, which holds all observations. What earlier problems need is let go.
  void enter(const Stage& now, bool alone);

  /// On the first rank, before a stage is entered: of all problems, each once.
  [[nodiscard]] std::vector<std::string> warnings() const;

  /// The posterior of the stage entered last is evaluated no more afterwards. @throws as `plan_device`.
  [[nodiscard]] DevicePlan plan_on(const PlannedDevice& device, const SvgdOptions& options) {
    return plan_device(*posterior_, options, ranks_.size(), device);
  }

  const Posterior& operator*() const { return *posterior_; }
  const Posterior* operator->() const { return posterior_.get(); }

  /// The same evaluated by all ranks together.
  [[nodiscard]] ShardedTarget on_ranks(const Stage& stage) const {
    return {*posterior_, ranks_, stage.sampler.num_particles, run_.observation_shares};
  }
  /// How the ranks stand, and how many observations the first one evaluates; nothing where there is no mesh.
  [[nodiscard]] std::string words_of_mesh(const Stage& stage) const;

 private:
  [[nodiscard]] std::unique_ptr<Posterior> made(Model model, Observations observations, std::span<const double> reward,
                                                const Stage& stage, const PosteriorFacts& known) const;
  /// Its problem's posterior out of those that wait.
  void take(const Stage& stage);
  void remake(Observations observations, const std::optional<HeldParts>& held, const Stage& stage);
  [[nodiscard]] RankMesh mesh(const Stage& stage) const;

  Communicator& ranks_;
  const RunFile& run_;
  const Device& device_;
  int num_threads_;
  std::unique_ptr<Posterior> posterior_;
  Stage stage_;  ///< that `posterior_` is made for
  /// On the first rank, of the problems that are not entered yet, with the stage that each is made for.
  std::map<std::size_t, std::pair<std::unique_ptr<Posterior>, Stage>> later_;
};

}  // namespace sojourn::cli
