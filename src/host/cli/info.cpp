#include "sojourn/info.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/doctor_facts.hpp"
#include "cli/json_writer.hpp"
#include "cli/streams.hpp"
#include "cli/verb.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

struct InfoOptions {
  bool json = false;
};

std::string as_json(const BuildInfo& info) {
  JsonWriter json;
  json.begin_object();
  json.member("version", info.version).member("compiler", info.compiler).member("build_type", info.build_type);
  json.member("cuda", info.cuda).member("nccl", info.nccl).member("mpi", info.mpi).member("openmp", info.openmp);
  json.member("cuda_version", info.cuda_version).member("nccl_version", info.nccl_version);
  json.member("mpi_version", info.mpi_version).member("mpi_library", mpi_library());
  json.key("devices").values(info.devices);
  json.member("num_threads", info.num_threads).member("instruction_set", info.instruction_set);
  json.key("instruction_sets").values(info.instruction_sets);
  return json.end_object().take();
}

std::string as_text(const BuildInfo& info) {
  const auto part = [](const char* name, bool present, const std::string& version) {
    return fmt::format("{:<10}{}{}{}\n", name, present ? "yes" : "no", version.empty() ? "" : ", ", version);
  };
  std::string text =
      fmt::format("sojourn {}\n{:<10}{}, {}\n", info.version, "compiler", info.compiler, info.build_type);
  text += part("CUDA", info.cuda, info.cuda_version);
  text += part("NCCL", info.nccl, info.nccl_version);
  const std::string library = mpi_library();
  text += part("MPI", info.mpi, library.empty() ? info.mpi_version : info.mpi_version + ", " + library);
  text += part("OpenMP", info.openmp, "");
  text += fmt::format("{:<10}{}\n", "threads", info.num_threads);
  text += fmt::format("{:<10}{} (of {})\n", "kernels", info.instruction_set, fmt::join(info.instruction_sets, ", "));
  if (info.devices.empty())
    text += fmt::format("{:<10}cpu ({})\n", "devices",
                        info.cuda ? "no GPU is seen; check nvidia-smi and CUDA_VISIBLE_DEVICES" : "built without CUDA");
  for (const std::string& device : info.devices) text += fmt::format("{:<10}{}\n", "device", device);
  return text;
}

}  // namespace

Action add_info(CLI::App& app) {
  const auto options = std::make_shared<InfoOptions>();
  app.add_flag("--json", options->json, "Print one JSON object");
  app.footer("Example:\n  sojourn info --json");
  return [options] {
    const BuildInfo info = build_info();
    write_stdout(options->json ? as_json(info) : as_text(info));
    return ExitCode::kDone;
  };
}

}  // namespace sojourn::cli
