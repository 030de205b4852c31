/// Writes the zoo as JSON to stdout, the input of make_golden.py. Not part of the test build:
///   g++ -std=c++20 -Iinclude -Isrc/host -Itests tests/oracle/dump_zoo.cpp src/host/graph/*.cpp -lfmt -o dump_zoo
#include <cstdio>
#include <nlohmann/json.hpp>

#include "oracle/zoo.hpp"

int main() {
  nlohmann::json chains = nlohmann::json::array();
  for (const sojourn::oracle::ZooChain& chain : sojourn::oracle::zoo()) {
    const sojourn::StateGraph& graph = chain.graph;
    nlohmann::json edges = nlohmann::json::array();
    nlohmann::json initial = nlohmann::json::array();
    for (std::int32_t from = 0; from < graph.num_states(); ++from) {
      for (std::int64_t e = graph.edge_begin(from); e < graph.edge_end(from); ++e) {
        nlohmann::json terms = nlohmann::json::array();
        for (const sojourn::RateTerm& term : graph.terms(e)) terms.push_back({term.rate, term.coefficient});
        edges.push_back({from, graph.edge_to(e), graph.base(e), terms});
      }
    }
    for (const sojourn::InitialMass& mass : graph.initial()) initial.push_back({mass.state, mass.probability});
    chains.push_back({{"name", chain.name},
                      {"discrete", graph.time_kind() == sojourn::TimeKind::kDiscrete},
                      {"states", graph.num_states()},
                      {"edges", edges},
                      {"initial", initial},
                      {"reward", chain.reward},
                      {"real_spectrum", chain.real_spectrum},
                      {"phi", chain.phi}});
  }
  std::puts(chains.dump().c_str());
}
