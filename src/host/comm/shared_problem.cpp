#include "sojourn/shared_problem.hpp"

#include "comm/shared_arrays.hpp"
#include "elimination/prc_parts.hpp"
#include "expects.hpp"
#include "graph/content_hash.hpp"
#include "graph/law_parts.hpp"

namespace sojourn {
namespace {

/// Names the arrays of a problem, in one order on all ranks. Constant arguments on the rank that gives.
template <class Graph, class Arrays, class Reward>
void name_arrays(SharedArrays& shared, Graph& graph, Arrays& prc, Reward& reward) {
  const auto add = [&shared](auto& array) { shared.add(array); };
  const auto add_value = [&shared](auto& value) { shared.add_value(value); };
  LawParts::visit(graph, add, add_value);
  visit_prc(prc, add, add_value);
  shared.add(reward);
}

/// The name, the parameters' names, the derived rates' names and then their expressions.
FlatTexts texts_of(const Model& model) {
  FlatTexts texts;
  texts.add(model.name);
  for (const Parameter& parameter : model.parameters) texts.add(parameter.name);
  for (const std::string& name : model.rates.names()) texts.add(name);
  for (const std::string& expression : model.rates.expressions()) texts.add(expression);
  return texts;
}

void read_texts(const std::vector<std::string>& texts, std::span<const double> ranges, bool is_identity, Model& model) {
  const auto num_parameters = static_cast<std::ptrdiff_t>(ranges.size() / 2);
  const std::ptrdiff_t num_rates = (std::ssize(texts) - 1 - num_parameters) / 2;
  model.name = texts.front();
  const auto names = texts.begin() + 1, rates = names + num_parameters, expressions = rates + num_rates;
  for (std::ptrdiff_t p = 0; p < num_parameters; ++p)
    model.parameters.push_back({names[p], ranges[2 * p], ranges[2 * p + 1]});
  model.rates = is_identity ? RateMap::identity(static_cast<std::int32_t>(num_parameters))
                            : RateMap::derived({names, rates}, {rates, expressions}, {expressions, texts.end()});
}

std::string digest_of(const RateMap& rates) {
  ContentHash hash;
  hash.add(rates.fingerprint());
  return fmt::format("{:016x}", hash.digest().low64);
}

}  // namespace

std::optional<Problem> share_problem(Communicator& ranks, Posterior* own, std::int64_t part_shares) {
  const bool gives = ranks.rank() == 0;
  SOJOURN_EXPECTS(!gives || own != nullptr, UsageError, "share_problem: rank 0 gives no posterior");
  SharedArrays shared(ranks);
  FlatTexts texts;
  std::vector<double> ranges;
  bool is_identity = true;
  Problem problem;
  const auto arrays = std::make_shared<PrcArrays>();
  std::vector<double> own_reward;
  if (gives) {
    const Model& model = own->model();
    texts = texts_of(model);
    is_identity = model.rates.is_identity();
    for (const Parameter& parameter : model.parameters) {
      ranges.push_back(parameter.lower);
      ranges.push_back(parameter.upper);
    }
    own_reward = own->reward();
    name_arrays(shared, model.graph, own->prc().arrays(), own_reward);
  } else {
    name_arrays(shared, problem.model.graph, *arrays, problem.reward);
  }
  shared.add(texts.characters);
  shared.add(texts.lengths);
  shared.add(ranges);
  shared.add_value(is_identity);
  shared.exchange("problem");
  std::string fault;
  if (!gives) {
    try {
      read_texts(texts.texts(), ranges, is_identity, problem.model);
    } catch (const Error& error) {
      fault = error.what();
    }
  }
  vote(ranks, fault);
  // An expression is text that every rank reads for itself.
  expect_same_everywhere(ranks, "rates", digest_of((gives ? own->model() : problem.model).rates));
  SharedObservations given = share_observations(ranks, own, part_shares);
  if (gives) return {};
  problem.observations = std::move(given.observations);
  problem.known = {Prc(arrays), true, given.held};
  return problem;
}

}  // namespace sojourn
