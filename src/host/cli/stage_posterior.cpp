#include "cli/stage_posterior.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "cli/mesh_picture.hpp"
#include "cli/ranks.hpp"
#include "cli/text_table.hpp"
#include "expects.hpp"
#include "sojourn/shared_problem.hpp"

namespace sojourn::cli {

StagePosterior::StagePosterior(Communicator& ranks, const RunFile& run, const Device& device, int num_threads)
    : ranks_(ranks), run_(run), device_(device), num_threads_(num_threads) {
  // Told by all ranks, before the first one alone goes on.
  if (ranks.size() > 1) (void)choose_mesh(1, 2, ranks.size(), run.observation_shares);
}

void StagePosterior::make(std::vector<StageProblem> problems, const std::vector<Stage>& stages) {
  for (const Stage& stage : stages) {
    if (later_.contains(stage.problem)) continue;
    StageProblem& problem = problems[stage.problem];
    later_[stage.problem] = {made(std::move(problem.model), std::move(problem.observations), problem.reward, stage, {}),
                             stage};
  }
  take(stages.front());
}

void StagePosterior::take(const Stage& stage) {
  std::tie(posterior_, stage_) = std::move(later_.at(stage.problem));
  later_.erase(later_.begin(), later_.upper_bound(stage.problem));
}

std::unique_ptr<Posterior> StagePosterior::made(Model model, Observations observations, std::span<const double> reward,
                                                const Stage& stage, const PosteriorFacts& known) const {
  EvaluatorOptions evaluator;
  evaluator.num_threads = num_threads_;
  evaluator.rtol = stage.tolerance;
  auto posterior = std::make_unique<Posterior>(std::move(model), std::move(observations), run_.prior_map(),
                                               run_.fixed_map(), reward, evaluator, stage.compression, known);
  if (device_) posterior->use_device(device_.likelihood);
  return posterior;
}

void StagePosterior::remake(Observations observations, const std::optional<HeldParts>& held, const Stage& stage) {
  posterior_ =
      made(posterior_->model(), std::move(observations), posterior_->reward(), stage, {posterior_->prc(), true, held});
}

RankMesh StagePosterior::mesh(const Stage& stage) const {
  return choose_mesh(stage.sampler.num_particles, posterior_->num_parts(), ranks_.size(), run_.observation_shares);
}

void StagePosterior::share(const Stage& stage) {
  if (ranks_.size() == 1) return;
  const bool gives = ranks_.rank() == 0;
  std::optional<Problem> problem = share_problem(ranks_, posterior_.get(), gives ? mesh(stage).part_shares : 0);
  stage_ = stage;
  on_all_ranks(ranks_, [&] {
    if (!problem) return;
    check_parameter_names(run_, problem->model);
    posterior_ =
        made(std::move(problem->model), std::move(problem->observations), problem->reward, stage, problem->known);
  });
}

void StagePosterior::enter(const Stage& now, bool alone) {
  const bool gives = ranks_.rank() == 0, other_problem = now.problem != stage_.problem;
  if (other_problem) {
    posterior_.reset();
    if (gives) take(now);
  }
  const bool same = now.tolerance == stage_.tolerance && now.compression == stage_.compression;
  stage_ = now;
  const auto remake_of_all = [&] {
    if (gives && !same) remake(posterior_->observations(), {}, now);
  };
  if (alone || ranks_.size() == 1) return remake_of_all();
  if (other_problem) {
    on_all_ranks(ranks_, remake_of_all);
    return share(now);
  }
  // The first rank has all observations, and tells in how many shares they are.
  on_all_ranks(ranks_, remake_of_all);
  std::int64_t shares = gives ? mesh(now).part_shares : 0;
  shares = ranks_.broadcast(std::span<const std::int64_t>(&shares, 1), 0)[0];
  if (same && shares == std::max<std::int64_t>(posterior_->part_shares(), 1)) return;
  SharedObservations given = share_observations(ranks_, posterior_.get(), shares);
  on_all_ranks(ranks_, [&] {
    if (!gives) remake(std::move(given.observations), given.held, now);
  });
}

std::vector<std::string> StagePosterior::warnings() const {
  std::vector<std::string> all = posterior_->warnings();
  for (const auto& [problem, waiting] : later_) {
    for (const std::string& warning : waiting.first->warnings()) {
      if (std::ranges::find(all, warning) == all.end()) all.push_back(warning);
    }
  }
  return all;
}

std::string StagePosterior::words_of_mesh(const Stage& stage) const {
  if (ranks_.size() == 1 || posterior_->num_parts() == 1) return {};
  const RankMesh mesh = this->mesh(stage);
  std::string text = fmt::format("ranks: {} x {} (particles x observations)", mesh.row_shares, mesh.part_shares);
  if (const std::optional<HeldParts>& held = posterior_->held())
    text += fmt::format(", {} of {} distinct observations on the first", format_count(held->num_held()),
                        format_count(held->num_observations));
  text += '\n' + mesh_picture(mesh, stage.sampler.num_particles, posterior_->num_parts());
  text.pop_back();  // as a line, which whoever prints it ends
  return text;
}

}  // namespace sojourn::cli
