#include "result/netcdf_file.hpp"

#include <netcdf.h>

#include <cctype>
#include <set>

#include "expects.hpp"
#include "result/build_facts.hpp"

namespace sojourn {

namespace {

void netcdf_try(int status, const std::string& path, const char* what) {
  SOJOURN_EXPECTS(status == NC_NOERR, IoError, "{}: cannot {}: {}; check space and permissions of its folder", path,
                  what, nc_strerror(status));
}

/// Owner of an open netCDF file and of the names of what is done to it.
class NetcdfFile {
 public:
  explicit NetcdfFile(std::string path) : path_(std::move(path)) {
    netcdf_try(nc_create(path_.c_str(), NC_NETCDF4 | NC_NOCLOBBER, &id_), path_, "create");
  }
  ~NetcdfFile() {
    if (open_) nc_abort(id_);
  }
  NetcdfFile(const NetcdfFile&) = delete;
  NetcdfFile& operator=(const NetcdfFile&) = delete;

  [[nodiscard]] int id() const { return id_; }
  int add_group(const char* name) {
    int group = 0;
    netcdf_try(nc_def_grp(id_, name, &group), path_, "add a group");
    text_attribute(group, NC_GLOBAL, "inference_library", "sojourn");
    text_attribute(group, NC_GLOBAL, "inference_library_version", build_facts().version);
    return group;
  }
  int add_dimension(int group, const char* name, std::size_t length) {
    int dimension = 0;
    netcdf_try(nc_def_dim(group, name, length, &dimension), path_, "add a dimension");
    return dimension;
  }
  int add_variable(int group, const std::string& name, nc_type type, const std::vector<int>& dimensions) {
    int variable = 0;
    netcdf_try(nc_def_var(group, name.c_str(), type, static_cast<int>(dimensions.size()), dimensions.data(), &variable),
               path_, "add a variable");
    return variable;
  }
  void text_attribute(int group, int variable, const char* name, const std::string& text) {
    // A zero-length text attribute is legal but trips some readers.
    if (text.empty()) return;
    netcdf_try(nc_put_att_text(group, variable, name, text.size(), text.c_str()), path_, "add an attribute");
  }
  void put(int group, int variable, const std::vector<double>& values) {
    netcdf_try(nc_put_var_double(group, variable, values.data()), path_, "write");
  }
  void put(int group, int variable, const std::vector<long long>& values) {
    netcdf_try(nc_put_var_longlong(group, variable, values.data()), path_, "write");
  }
  void close() {
    open_ = false;
    netcdf_try(nc_close(id_), path_, "close");
  }

 private:
  std::string path_;
  int id_ = 0;
  bool open_ = true;
};

struct ChainAndDraw {
  int chain, draw;
};

ChainAndDraw add_chain_and_draw(NetcdfFile& file, int group, std::size_t num_draws) {
  const ChainAndDraw dimensions{file.add_dimension(group, "chain", 1), file.add_dimension(group, "draw", num_draws)};
  const int chain = file.add_variable(group, "chain", NC_INT64, {dimensions.chain});
  const int draw = file.add_variable(group, "draw", NC_INT64, {dimensions.draw});
  std::vector<long long> index(num_draws);
  for (std::size_t i = 0; i < num_draws; ++i) index[i] = static_cast<long long>(i);
  file.put(group, chain, std::vector<long long>{0});
  file.put(group, draw, index);
  return dimensions;
}

/// A name netCDF takes, different from those in `taken`.
std::string variable_name(const std::string& name, std::set<std::string>& taken) {
  std::string result;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte >= 0x80 || std::isalnum(byte) != 0 || c == '_' ? c : '_';
  }
  if (result.empty() || std::isdigit(static_cast<unsigned char>(result[0])) != 0) result.insert(result.begin(), '_');
  while (!taken.insert(result).second) result += '_';
  return result;
}

void write_posterior(NetcdfFile& file, const RunFacts& facts) {
  const int group = file.add_group("posterior");
  const auto [chain, draw] = add_chain_and_draw(file, group, facts.result->particles.num_rows());
  std::set<std::string> taken = {"chain", "draw"};
  for (const ParameterFacts& parameter : facts.parameters) {
    const int variable =
        file.add_variable(group, variable_name(parameter.summary.name, taken), NC_DOUBLE, {chain, draw});
    file.text_attribute(group, variable, "long_name", parameter.summary.name);
    file.text_attribute(group, variable, "prior", parameter.summary.prior);
    file.text_attribute(group, variable, "transform", parameter.summary.transform);
    file.put(group, variable, parameter.natural);
  }
}

void write_sample_stats(NetcdfFile& file, const RunFacts& facts) {
  const std::vector<double>& log_density = facts.result->svgd.log_density;
  if (log_density.size() != facts.result->particles.num_rows()) return;
  const int group = file.add_group("sample_stats");
  const auto [chain, draw] = add_chain_and_draw(file, group, log_density.size());
  const int variable = file.add_variable(group, "lp", NC_DOUBLE, {chain, draw});
  file.text_attribute(group, variable, "long_name", "log posterior density on the unconstrained scale");
  file.put(group, variable, log_density);
}

void write_observed_data(NetcdfFile& file, const RunFacts& facts) {
  const auto& items = facts.observations->items;
  if (items.empty()) return;
  const int group = file.add_group("observed_data");
  const int observation = file.add_dimension(group, "observation", items.size());
  std::vector<double> lower, upper, entry, weight;
  std::vector<long long> event, index;
  for (const Observation& item : items) {
    index.push_back(static_cast<long long>(index.size()));
    lower.push_back(item.lower);
    upper.push_back(item.upper);
    entry.push_back(item.entry);
    weight.push_back(item.weight);
    event.push_back(item.right_censored() ? 0 : item.exact() ? 1 : 2);
  }
  const auto add = [&](const char* name, nc_type type, const char* meaning, const auto& values) {
    const int variable = file.add_variable(group, name, type, {observation});
    file.text_attribute(group, variable, "long_name", meaning);
    file.put(group, variable, values);
  };
  add("observation", NC_INT64, "index of the distinct observation", index);
  add("time", NC_DOUBLE, "observed time or count; where not exact, the lower end", lower);
  add("upper", NC_DOUBLE, "upper end, infinite where right-censored", upper);
  add("entry", NC_DOUBLE, "seen only because the time exceeded this; 0 for none", entry);
  add("weight", NC_DOUBLE, "multiplicity", weight);
  add("event", NC_INT64, "1 exact, 0 right-censored, 2 interval-censored", event);
}

}  // namespace

void write_posterior_netcdf(const std::string& path, const RunFacts& facts) {
  NetcdfFile file(path);
  file.text_attribute(file.id(), NC_GLOBAL, "inference_library", "sojourn");
  file.text_attribute(file.id(), NC_GLOBAL, "inference_library_version", build_facts().version);
  file.text_attribute(file.id(), NC_GLOBAL, "model", facts.result->model_name);
  file.text_attribute(file.id(), NC_GLOBAL, "model_digest", facts.result->model_digest);
  file.text_attribute(file.id(), NC_GLOBAL, "data_digest", facts.result->data_digest);
  write_posterior(file, facts);
  write_sample_stats(file, facts);
  write_observed_data(file, facts);
  file.close();
}

}  // namespace sojourn
