#include "klu_means.hpp"

#include <map>
#include <stdexcept>
#include <utility>

namespace sojourn::bench {

KluMeans::KluMeans(const StateGraph& graph, std::span<const double> reward, std::span<const double> phi, int scale) {
  std::vector<int> row_of(graph.num_states(), -1);
  for (int s = 0; s < graph.num_states(); ++s) {
    if (graph.is_absorbing(s)) continue;
    row_of[s] = static_cast<int>(reward_.size());
    reward_.push_back(reward[s]);
  }
  const int n = static_cast<int>(reward_.size());
  alpha_.assign(n, 0);
  x_.assign(n, 0);
  for (const InitialMass& mass : graph.initial())
    if (row_of[mass.state] >= 0) alpha_[row_of[mass.state]] += mass.probability;

  // Entries by (column, row); each a linear form of the rates, terms of one rate merged.
  std::map<std::pair<int, int>, std::map<int, double>> forms;
  for (int s = 0; s < graph.num_states(); ++s) {
    for (std::int64_t e = graph.edge_begin(s); e < graph.edge_end(s); ++e) {
      const auto add = [&](int column, double sign) {
        auto& form = forms[{column, row_of[s]}];
        if (graph.base(e) != 0) form[-1] += sign * graph.base(e);
        for (const RateTerm& term : graph.terms(e)) form[term.rate] += sign * term.coefficient;
      };
      add(row_of[s], 1);
      if (const int column = row_of[graph.edge_to(e)]; column >= 0) add(column, -1);
    }
  }
  column_begin_.assign(n + 1, 0);
  term_begin_.push_back(0);
  for (const auto& [place, form] : forms) {
    ++column_begin_[place.first + 1];
    row_.push_back(place.second);
    for (const auto& [rate, coefficient] : form) terms_.push_back({rate, coefficient});
    term_begin_.push_back(static_cast<int>(terms_.size()));
  }
  for (int c = 0; c < n; ++c) column_begin_[c + 1] += column_begin_[c];

  klu_defaults(&common_);
  common_.scale = scale;
  std::vector<double> values(num_values());
  assemble(phi, values);
  symbolic_ = klu_analyze(n, column_begin_.data(), row_.data(), &common_);
  if (symbolic_ != nullptr)
    numeric_ = klu_factor(column_begin_.data(), row_.data(), values.data(), symbolic_, &common_);
  if (numeric_ == nullptr) throw std::runtime_error("klu_analyze or klu_factor failed");
}

KluMeans::~KluMeans() {
  klu_free_numeric(&numeric_, &common_);
  klu_free_symbolic(&symbolic_, &common_);
}

void KluMeans::assemble(std::span<const double> phi, std::span<double> values) const {
  for (std::size_t i = 0; i < values.size(); ++i) {
    double sum = 0;
    for (int t = term_begin_[i]; t < term_begin_[i + 1]; ++t)
      sum += terms_[t].rate < 0 ? terms_[t].coefficient : terms_[t].coefficient * phi[terms_[t].rate];
    values[i] = sum;
  }
}

void KluMeans::refactor(std::span<double> values) {
  if (klu_refactor(column_begin_.data(), row_.data(), values.data(), symbolic_, numeric_, &common_) == 0)
    throw std::runtime_error("klu_refactor failed");
}

double KluMeans::solve() {
  if (klu_solve(symbolic_, numeric_, symbolic_->n, 1, x_.data(), &common_) == 0)
    throw std::runtime_error("klu_solve failed");
  double sum = 0;
  for (std::size_t v = 0; v < x_.size(); ++v) sum += alpha_[v] * x_[v];
  return sum;
}

double KluMeans::mean(std::span<double> values) {
  refactor(values);
  x_ = reward_;
  return solve();
}

double KluMeans::second_moment(std::span<double> values) {
  mean(values);
  for (std::size_t v = 0; v < x_.size(); ++v) x_[v] *= 2 * reward_[v];
  return solve();
}

}  // namespace sojourn::bench
