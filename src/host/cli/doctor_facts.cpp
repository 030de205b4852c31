#include "cli/doctor_facts.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/slurm_config.hpp"
#include "comm/command_output.hpp"
#include "comm/launcher.hpp"
#include "comm/threads.hpp"
#include "elimination/cache_folder.hpp"
#include "expects.hpp"
#include "model/document.hpp"
#include "result/build_facts.hpp"
#include "sojourn/elimination.hpp"
#include "sojourn/memory.hpp"

extern char** environ;

namespace sojourn::cli {
namespace {

namespace fs = std::filesystem;

MpiBackEndFacts mpi_back_end;

constexpr std::chrono::seconds kDeadline{5};

/// The value of `work`, or the text of the error that it throws.
template <class T, class Work>
Fact<T> fact_of(const Work& work) {
  Fact<T> fact;
  try {
    fact.value = work();
  } catch (const Error& error) {
    fact.fault = error.what();
  }
  return fact;
}

std::string found_in_path(const std::string& program, const Environment& environment) {
  std::istringstream folders(variable_text(environment, "PATH"));
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path path = fs::path(folder.empty() ? "." : folder) / program;
    std::error_code error;
    if (::access(path.c_str(), X_OK) == 0 && fs::is_regular_file(path, error))
      return fs::canonical(path, error).string();
  }
  return {};
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string answer_of(const std::vector<std::string>& command, Captured captured) {
  std::string fault;
  return command_output(command, kDeadline, fault, captured).value_or("");
}

std::int64_t bytes_free(const std::string& folder) {
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) return -1;
  return static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
}

FolderFacts cache_facts(const Environment& environment) {
  FolderFacts facts;
  try {
    facts.path = cache_folder_in_force();
  } catch (const Error& error) {
    facts.fault = error.what();
    return facts;
  }
  if (facts.path.empty()) return facts;
  struct stat status {};
  if (::stat(facts.path.c_str(), &status) != 0 && errno == ENOENT) {
    // A folder of ours is made when it is needed; one that was named has to be there.
    facts.missing = variable_text(environment, "SOJOURN_CACHE_DIR").empty();
    if (!facts.missing) facts.fault = "there is no such folder; make it, or let sojourn precompute make it";
    return facts;
  }
  CacheFolder folder;
  facts.fault = CacheFolder::open(facts.path, false, folder);
  facts.bytes_free = bytes_free(facts.path);
  return facts;
}

FolderFacts output_facts() {
  FolderFacts facts;
  std::error_code error;
  facts.path = fs::current_path(error).string();
  if (error) {
    facts.fault = error.message();
  } else if (::access(facts.path.c_str(), W_OK | X_OK) != 0) {
    facts.fault = std::strerror(errno);
  }
  facts.bytes_free = bytes_free(facts.path.empty() ? "." : facts.path);
  return facts;
}

std::vector<std::string> interface_facts() {
  std::vector<std::string> interfaces;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return interfaces;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(first, &::freeifaddrs);
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    if ((one->ifa_flags & IFF_UP) == 0 || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    const auto* const address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    if (::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) != nullptr)
      interfaces.push_back(fmt::format("{} {}", one->ifa_name, text.data()));
  }
  return interfaces;
}

void look_at_slurm(MachineFacts& facts, const Environment& environment) {
  facts.slurm = fact_of<SlurmEnvironment>([&] { return detect_slurm_environment(environment); });
  for (const char* const command : {"sbatch", "srun", "scontrol", "squeue"}) {
    if (!found_in_path(command, environment).empty()) facts.slurm_commands.emplace_back(command);
  }
  const auto has = [&](const char* name) { return std::ranges::count(facts.slurm_commands, name) > 0; };
  if (has("srun")) facts.mpi_plugins = answer_of({"srun", "--mpi=list"}, Captured::kOutputAndErrors);
  if (!facts.slurm.value.is_slurm) return;
  if (const auto end = whole_number(variable_text(environment, "SLURM_JOB_END_TIME"))) {
    facts.seconds_left = std::max<std::int64_t>(0, *end - std::time(nullptr));
  } else if (has("squeue")) {
    facts.seconds_left = slurm_seconds(
        first_line(answer_of({"squeue", "-h", "-j", facts.slurm.value.job_id, "-o", "%L"}, Captured::kOutput)));
  }
}

void look_at_ranks(MachineFacts& facts, const Environment& environment) {
  constexpr const char* kHint = "start the program without a launcher";
  facts.launcher = fact_of<std::pair<std::string, std::int64_t>>([&] {
    const LauncherRank rank = launcher_rank(environment, kHint);
    facts.is_first_rank = rank.rank == 0;
    facts.ranks_here = rank_on_node(environment, kHint).size;
    return std::pair(rank.source, rank.size);
  });
  facts.coordinator = fact_of<CoordinatorAddress>([&] { return get_coordinator_address(environment); });
  if (facts.coordinator.fault.empty() && facts.is_first_rank) {
    try {
      const CoordinatorListener listener(facts.coordinator.value);
    } catch (const CommError& error) {
      facts.port_fault = error.what();
    }
  }
  facts.interfaces = interface_facts();
}

void look_at_cores(MachineFacts& facts, const Environment& environment) {
  facts.cores_online = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  facts.cores_usable = num_usable_cores();
  facts.cores_of_ranks = cores_of_all_ranks(core_facts());
  facts.threads = fact_of<int>([&] {
    // One that another variable overrules is looked at too: it rules the next program.
    if (const auto threads = environment("OMP_NUM_THREADS")) (void)parse_num_threads("OMP_NUM_THREADS", *threads);
    return resolve_num_threads();
  });
  if (facts.threads.fault.empty()) facts.thread_warning = oversubscription_warning(facts.threads.value);
  facts.wait_policy = variable_text(environment, "OMP_WAIT_POLICY");
  facts.memory_left = fact_of<std::int64_t>([] { return memory_left(); });
}

void look_at_build(MachineFacts& facts, const Environment& environment) {
  try {
    facts.build = build_info();
  } catch (const Error&) {  // said by the check of threads
    facts.build = build_facts();
    facts.build.instruction_set = to_string(instruction_set());
    for (const InstructionSet set : usable_instruction_sets())
      facts.build.instruction_sets.emplace_back(to_string(set));
  }
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) facts.host = host.data();
  std::error_code error;
  facts.program = fs::read_symlink("/proc/self/exe", error).string();
  facts.program_in_path = found_in_path("sojourn", environment);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    const auto equals = text.find('=');
    if (text.starts_with("SOJOURN_") && equals != std::string::npos)
      facts.variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
}

int leading_number(std::string_view text) {
  int number = -1;
  (void)std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Oldest driver that runs programs of a CUDA toolkit, by its major version (NVIDIA's compatibility table).
int least_driver(int cuda_major) {
  if (cuda_major >= 13) return 580;
  return cuda_major == 12 ? 525 : 450;
}

}  // namespace

void set_mpi_facts(MpiBackEndFacts facts) { mpi_back_end = facts; }

std::string mpi_library() { return mpi_back_end.library == nullptr ? std::string() : mpi_back_end.library(); }

std::string driver_here() {
  std::ifstream driver("/proc/driver/nvidia/version");
  return driver_version(std::string(std::istreambuf_iterator<char>(driver), {}));
}

std::string old_driver_text(const std::string& driver, const std::string& cuda_version) {
  const int least = least_driver(leading_number(cuda_version));
  if (driver.empty() || leading_number(driver) >= least) return {};
  return fmt::format("driver {} is older than {}, which CUDA {} needs", driver, least, cuda_version);
}

std::string driver_version(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  if (line.find("NVRM version") == std::string_view::npos) return {};
  std::istringstream words{std::string(line)};
  for (std::string word; words >> word;) {
    const auto dot = word.find('.');
    if (dot >= 3 && dot != std::string::npos &&
        std::ranges::all_of(word, [](unsigned char c) { return std::isdigit(c) != 0 || c == '.'; }))
      return word;
  }
  return {};
}

ResultFacts result_facts(const std::string& folder) {
  ResultFacts facts;
  facts.folder = folder;
  const std::string failure = folder + "/failure.json", summary = folder + "/summary.json";
  DocumentLimits limits;
  limits.what = "results";
  limits.bytes_option = "the limit of";
  try {
    if (fs::exists(failure)) {
      facts.failure = nlohmann::json::parse(read_text_file(failure, limits)).at("message");
      if (!fs::exists(summary)) return facts;
    }
    const auto json = nlohmann::json::parse(read_text_file(summary, limits));
    for (const auto& diagnostic : json.at("diagnostics"))
      facts.diagnostics.emplace_back(diagnostic.at("name").get<std::string>(),
                                     diagnostic.at("verdict").get<std::string>());
  } catch (const Error& error) {
    facts.fault = error.what();
  } catch (const std::exception&) {
    facts.fault = fmt::format("{}: its summary.json or failure.json is not one of sojourn infer", folder);
  }
  return facts;
}

MachineFacts machine_facts(const std::string& results, const Environment& environment) {
  MachineFacts facts;
  look_at_build(facts, environment);
  look_at_cores(facts, environment);
  facts.driver = driver_here();
  facts.asks_for_gpu = variable_text(environment, "SOJOURN_DEVICE").starts_with("cuda");
  facts.mpi_library = mpi_library();
  if (mpi_back_end.takes_device_memory != nullptr) facts.mpi_cuda = mpi_back_end.takes_device_memory();
  facts.cuda_aware_mpi = variable_text(environment, "SOJOURN_CUDA_AWARE_MPI");
  if (!found_in_path("mpirun", environment).empty())
    facts.mpirun = first_line(answer_of({"mpirun", "--version"}, Captured::kOutput));
  look_at_slurm(facts, environment);
  look_at_ranks(facts, environment);
  facts.cache_off = variable_text(environment, "SOJOURN_DISABLE_CACHE") == "1";
  facts.cache = cache_facts(environment);
  facts.output = output_facts();
  if (!results.empty()) facts.result = result_facts(results);
  return facts;
}

}  // namespace sojourn::cli
