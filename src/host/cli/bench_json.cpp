#include <cmath>

#include "cli/bench_output.hpp"
#include "cli/json_writer.hpp"

namespace sojourn::cli {
namespace {

void write(JsonWriter& json, const char* name, const Spread& spread) {
  json.key(name).begin_object();
  json.member("median", spread.median()).member("low", spread.low()).member("high", spread.high()).end_object();
}

/// NaN (null) where nothing is counted.
double known(double value) { return value > 0 ? value : std::nan(""); }

void write_machine(JsonWriter& json, const BenchReport& report) {
  const BenchMachine& machine = report.machine;
  json.key("machine").begin_object();
  json.member("cpu", machine.cpu).member("cores", machine.num_cores).member("usable_cores", machine.num_usable_cores);
  json.member("l1d_bytes", machine.l1d).member("l2_bytes", machine.l2).member("l3_bytes", machine.l3);
  json.member("vectors", machine.vectors).member("description", describe(machine));
  json.key("load_average_before").values(report.load_before);
  json.key("load_average_after").values(report.load_after).end_object();
}

void write_row(JsonWriter& json, const BenchRow& row, const BenchResult& result) {
  const BenchShare share = share_of_limit(row, result);
  json.begin_object().member("case", result.cases[row.case_index].name).member("quantity", to_string(row.quantity));
  json.member("device", row.device).member("precision", to_string(row.precision));
  json.member("threads", row.num_threads).member("particles", row.num_particles);
  json.member("status", row.not_measured.empty() ? "ok" : "not measured");
  if (!row.not_measured.empty()) {
    json.member("reason", row.not_measured).end_object();
    return;
  }
  write(json, "per_second", row.rate);
  if (row.device != "cpu") json.member("particles_on_cpu", row.num_on_cpu);
  json.member("multiply_adds_per_second", known(row.multiply_adds * row.rate.median()));
  json.member("memory_bytes_per_second", known(row.bytes * row.rate.median()));
  json.member("share_of_multiply_adds", known(share.multiply_adds)).member("share_of_copy", known(share.copy));
  json.member("share", known(share.largest()));
  if (row.device != "cpu") json.member("share_of_cache", known(share.cache)).member("mapping", row.traffic.mapping);
  json.key("limit");
  if (share.largest() > 0) {
    json.value(share.limit());
  } else {
    json.null();
  }
  json.end_object();
}

}  // namespace

std::string bench_json(const BenchReport& report) {
  JsonWriter json;
  json.begin_object().member("schema", "sojourn/bench/1");
  json.member("version", report.build.version).member("compiler", report.build.compiler);
  json.member("instruction_set", report.build.instruction_set);
  json.member("build_type", report.build.build_type).member("quick", report.plan.quick);
  json.member("repetitions", report.plan.num_repetitions).member("seconds", report.plan.seconds);
  json.member("observations", report.plan.num_observations);
  write_machine(json, report);
  json.key("warnings").values(report.warnings);
  json.key("limits").begin_array();
  for (const BenchLimit& limit : report.result.limits) {
    json.begin_object().member("threads", limit.num_threads);
    write(json, "multiply_adds_per_second", limit.multiply_adds);
    write(json, "copied_bytes_per_second", limit.copied_bytes);
    json.end_object();
  }
  json.end_array();
  json.key("cases").begin_array();
  for (const BenchCaseFacts& one : report.result.cases) {
    json.begin_object().member("name", one.name).member("description", one.description);
    json.member("states", one.num_states).member("edges", one.num_edges).member("parameters", one.num_parameters);
    json.member("factor_multiply_adds", one.factor_multiply_adds);
    json.member("solve_multiply_adds", one.solve_multiply_adds).member("program_bytes", one.program_bytes);
    json.member("elimination_seconds", one.elimination_seconds).end_object();
  }
  json.end_array();
  json.key("measurements").begin_array();
  for (const BenchRow& row : report.result.rows) write_row(json, row, report.result);
  json.end_array();
  json.key("speedup").begin_object();
  const std::array<double, 4> speedups = bench_speedups(report.result);
  for (std::size_t q = 0; q < speedups.size(); ++q) json.member(to_string(kBenchQuantities[q]), speedups[q]);
  json.end_object();
  json.key("devices").begin_array().begin_object();
  if (report.result.device.empty()) {
    json.member("device", "cuda").member("status", "not measured").member("reason", why_no_device(report.build));
  } else {
    const DeviceLimits& limits = report.result.device_limits;
    json.member("device", report.result.device).member("status", "measured");
    json.member("shared_dot_multiply_adds_per_second", known(limits.shared_dot));
    json.member("register_multiply_adds_per_second", known(limits.multiply_adds));
    json.member("cache_bytes_per_second", known(limits.cache_bytes));
    json.member("memory_bytes_per_second", known(limits.memory_bytes));
  }
  json.end_object().end_array();
  return json.member("counting", bench_counting()).end_object().take();
}

}  // namespace sojourn::cli
