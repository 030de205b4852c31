#include "posterior/likelihood_on_line.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "posterior/chebyshev_tail.hpp"

namespace sojourn {
namespace {

constexpr int kNumNodes = LikelihoodOnLine::kNumNodes;

/// T_k at node m, x_m = cos(pi (m + 1/2) / N).
double node_polynomial(int k, int m) { return std::cos(std::numbers::pi * k * (m + 0.5) / kNumNodes); }

struct NodeTable {
  double to_coefficient[kNumNodes][kNumNodes];
  NodeTable() {
    for (int k = 0; k < kNumNodes; ++k)
      for (int m = 0; m < kNumNodes; ++m)
        to_coefficient[k][m] = (k == 0 ? 1.0 : 2.0) / kNumNodes * node_polynomial(k, m);
  }
};
const NodeTable& node_table() {
  static const NodeTable table;
  return table;
}

double tail(const double* coefficient) {
  double largest = 0;
  for (int k = kNumNodes - kNumTailCoefficients; k < kNumNodes; ++k)
    largest = std::max(largest, std::abs(coefficient[k]));
  return kTailFactor * largest;
}

}  // namespace

LikelihoodOnLine::LikelihoodOnLine(double width, double rtol, double least_scale)
    : width_(width), rtol_(rtol), least_scale_(least_scale) {}

double LikelihoodOnLine::node(const Key& key, int index) const {
  const double middle = static_cast<double>(key.second) + 0.5;
  return std::ldexp(width_ * (middle + 0.5 * node_polynomial(1, index)), -key.first);
}

LikelihoodOnLine::Cell LikelihoodOnLine::make_cell(const Key& key, std::span<const Sample> samples) {
  Cell cell{};
  cell.halvings = key.first;
  cell.place = key.second;
  cell.state = key.first < kMaxHalvings ? State::kHalved : State::kRough;
  double scale = least_scale_, steepest = 0, node_error = 0;
  for (const Sample& sample : samples) {
    if (!sample.ok) return cell;
    steepest = std::max(steepest, std::abs(sample.slope));
    node_error = std::max(node_error, sample.error);
  }
  for (int k = 0; k < kNumNodes; ++k)
    for (int m = 0; m < kNumNodes; ++m) {
      cell.value[k] += node_table().to_coefficient[k][m] * samples[m].value;
      cell.slope[k] += node_table().to_coefficient[k][m] * samples[m].slope;
    }
  // The mean of the values, so that a cell in which the sum crosses zero is not held to its smallest value.
  scale = std::max(scale, std::abs(cell.value[0]));
  const double error = node_error + tail(cell.value) / scale;
  const double slope_error = tail(cell.slope) / std::max(scale, steepest);
  if (!(error <= rtol_ && slope_error <= rtol_)) return cell;
  cell.state = State::kServes;
  worst_error_ = std::max(worst_error_, error);
  return cell;
}

void LikelihoodOnLine::prepare(std::span<const double> z, const Evaluate& evaluate) {
  const auto in_order = [](const Cell& cell, const Key& key) {
    return line_series::before(cell.halvings, cell.place, key.first, key.second);
  };
  for (int halvings = 0; halvings <= kMaxHalvings; ++halvings) {
    std::vector<Key> missing;
    for (const double place : z) {
      if (!line_series::has_place(width_, place)) continue;
      if (halvings > 0) {
        const Cell* const parent =
            line_series::find(table(), halvings - 1, line_series::place_of(width_, place, halvings - 1));
        if (parent == nullptr || parent->state != State::kHalved) continue;
      }
      const Key own{halvings, line_series::place_of(width_, place, halvings)};
      if (line_series::find(table(), own.first, own.second) == nullptr) missing.push_back(own);
    }
    std::sort(missing.begin(), missing.end());
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    if (missing.empty()) continue;
    std::vector<double> places;
    for (const Key& cell : missing)
      for (int m = 0; m < kNumNodes; ++m) places.push_back(node(cell, m));
    std::vector<Sample> samples(places.size());
    evaluate(places, samples);
    num_evaluations_ += static_cast<std::int64_t>(places.size());
    for (std::size_t c = 0; c < missing.size(); ++c)
      cells_.insert(std::lower_bound(cells_.begin(), cells_.end(), missing[c], in_order),
                    make_cell(missing[c], std::span(samples).subspan(c * kNumNodes, kNumNodes)));
  }
}

std::optional<LinePoint> LikelihoodOnLine::at(double z) const {
  LinePoint point;
  if (line_series::at(table(), z, point.value, point.slope) != line_series::Answer::kGiven) return std::nullopt;
  return point;
}

}  // namespace sojourn
