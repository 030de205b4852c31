#include "elimination/step_schedule.hpp"

#include <algorithm>
#include <numeric>
#include <queue>

namespace sojourn {
namespace {

class Dealer {
 public:
  Dealer(const TaskGraph& graph, std::int32_t num_streams, double barrier)
      : graph_(graph), num_streams_(num_streams), barrier_(barrier) {
    const std::int32_t n = graph.num_tasks();
    waits_.resize(n);
    after_begin_.assign(n + 1, 0);
    for (const std::int32_t before : graph.before) ++after_begin_[before + 1];
    for (std::int32_t t = 0; t < n; ++t) after_begin_[t + 1] += after_begin_[t];
    after_.resize(graph.before.size());
    std::vector<std::int64_t> next(after_begin_.begin(), after_begin_.end() - 1);
    for (std::int32_t t = 0; t < n; ++t) {
      waits_[t] = static_cast<std::int32_t>(graph.begin[t + 1] - graph.begin[t]);
      for (std::int64_t e = graph.begin[t]; e < graph.begin[t + 1]; ++e) after_[next[graph.before[e]]++] = t;
    }
    path_.resize(n);
    for (std::int32_t t = n; t-- > 0;) {
      double longest = 0;
      for (std::int64_t e = after_begin_[t]; e < after_begin_[t + 1]; ++e)
        longest = std::max(longest, path_[after_[e]]);
      path_[t] = longest + graph.cost[t];
    }
    owner_.assign(n, kNobody);
    for (std::int32_t t = 0; t < n; ++t)
      if (waits_[t] == 0) ready_.push_back(t);
  }

  StepSchedule run() {
    StepSchedule schedule;
    schedule.num_streams = num_streams_;
    std::int32_t num_left = graph_.num_tasks();
    while (num_left > 0) {
      Step best;
      double quota = barrier_ / 2;
      for (;;) {
        Step step = try_step(quota);
        const bool better = step.rate > best.rate;
        const bool far_worse = step.rate < kGiveUp * best.rate;
        const bool took_all = step.longest < quota || num_taken(step) == num_left;
        const double even = step.total / num_streams_;
        if (better) best = std::move(step);
        if (took_all) {
          // Where work ends and not quotas, an even share is the quota.
          Step shared = try_step(even);
          if (shared.rate > best.rate) best = std::move(shared);
        }
        if (took_all || far_worse) break;
        quota *= kGrowth;
      }
      commit(best, schedule);
      num_left -= num_taken(best);
    }
    return schedule;
  }

 private:
  static constexpr std::int32_t kNobody = -1, kSeveral = -2;
  static constexpr double kGrowth = 1.4, kGiveUp = 0.6;

  struct Step {
    std::vector<std::vector<std::int32_t>> runs;
    double rate = 0, longest = 0, total = 0;
  };
  static std::int32_t num_taken(const Step& step) {
    std::size_t count = 0;
    for (const std::vector<std::int32_t>& run : step.runs) count += run.size();
    return static_cast<std::int32_t>(count);
  }

  struct Shorter {
    const Dealer* dealer;
    bool operator()(std::int32_t a, std::int32_t b) const {
      return dealer->path_[a] != dealer->path_[b] ? dealer->path_[a] < dealer->path_[b] : a > b;
    }
  };
  using Heap = std::priority_queue<std::int32_t, std::vector<std::int32_t>, Shorter>;

  /// Deals out a step of runs of about `quota`, and leaves everything as it was.
  Step try_step(double quota) {
    Step step;
    step.runs.resize(num_streams_);
    Heap open(Shorter{this}, ready_);
    std::vector<std::int32_t> touched;
    for (std::int32_t s = 0; s < num_streams_; ++s) {
      Heap own(Shorter{this});
      double work = 0, own_work = 0;
      while (work < quota) {
        // The stream's own chain or something open, whichever has more waiting for it.
        const bool from_own = !own.empty() && (open.empty() || !Shorter{this}(own.top(), open.top()));
        Heap& heap = from_own ? own : open;
        if (heap.empty()) break;
        const std::int32_t task = heap.top();
        // What the stream alone has opened is better shared in a step of its own, unless it is a mere chain.
        if (from_own && open.empty() && own_work - graph_.cost[task] > barrier_) break;
        heap.pop();
        if (from_own) own_work -= graph_.cost[task];
        step.runs[s].push_back(task);
        work += graph_.cost[task];
        for (std::int64_t e = after_begin_[task]; e < after_begin_[task + 1]; ++e) {
          const std::int32_t next = after_[e];
          touched.push_back(next);
          owner_[next] = owner_[next] == kNobody || owner_[next] == s ? s : kSeveral;
          if (--waits_[next] == 0 && owner_[next] == s) {
            own.push(next);
            own_work += graph_.cost[next];
          }
        }
      }
      step.total += work;
      step.longest = std::max(step.longest, work);
    }
    for (const std::int32_t task : touched) {
      ++waits_[task];
      owner_[task] = kNobody;
    }
    step.rate = step.total / (step.longest + barrier_);
    return step;
  }

  void commit(const Step& step, StepSchedule& schedule) {
    std::vector<std::int32_t> opened;
    for (const std::vector<std::int32_t>& run : step.runs) {
      for (const std::int32_t task : run) {
        schedule.order.push_back(task);
        waits_[task] = kTaken;
        for (std::int64_t e = after_begin_[task]; e < after_begin_[task + 1]; ++e) {
          const std::int32_t next = after_[e];
          if (waits_[next] > 0 && --waits_[next] == 0) opened.push_back(next);
        }
      }
      schedule.run.push_back(static_cast<std::int32_t>(schedule.order.size()));
    }
    std::erase_if(ready_, [&](std::int32_t task) { return waits_[task] == kTaken; });
    for (const std::int32_t task : opened)
      if (waits_[task] != kTaken) ready_.push_back(task);
    schedule.cost += step.longest + barrier_;
  }

  static constexpr std::int32_t kTaken = -1;

  const TaskGraph& graph_;
  std::int32_t num_streams_;
  double barrier_;
  std::vector<std::int32_t> waits_;  ///< tasks before it that are not dealt out
  std::vector<std::int64_t> after_begin_;
  std::vector<std::int32_t> after_;
  std::vector<double> path_;         ///< cost of the longest chain that begins with the task
  std::vector<std::int32_t> owner_;  ///< of this step's tasks before it
  std::vector<std::int32_t> ready_;
};

}  // namespace

StepSchedule deal_out(const TaskGraph& graph, std::int32_t num_streams, double barrier) {
  if (num_streams == 1 && graph.num_tasks() > 0) {
    StepSchedule all{1, std::vector<std::int32_t>(graph.cost.size()), {0, graph.num_tasks()}, barrier};
    std::iota(all.order.begin(), all.order.end(), 0);
    all.cost += std::accumulate(graph.cost.begin(), graph.cost.end(), 0.0);
    return all;
  }
  return Dealer(graph, num_streams, barrier).run();
}

}  // namespace sojourn
