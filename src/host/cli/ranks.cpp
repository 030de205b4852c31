#include "cli/ranks.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <thread>

#include "cli/doctor_facts.hpp"
#include "cli/numbers.hpp"
#include "cli/streams.hpp"
#include "comm/cuda_aware_mpi.hpp"
#include "comm/launcher.hpp"
#include "comm/node_flag.hpp"
#include "comm/node_list.hpp"
#include "comm/wrapped_communicator.hpp"
#include "expects.hpp"
#include "graph/content_hash.hpp"
#include "result/build_facts.hpp"
#include "sojourn/distributed.hpp"

namespace sojourn::cli {
namespace {

RankBackEnd rank_back_end;

/// Ranks of several nodes take turns to speak: a rank waits this long for each that is lower, at most ten times.
constexpr std::chrono::seconds kTurn{1};
constexpr int kMostTurns = 10;
/// A launcher passes on what ranks write, and may end before it has done so: MPICH's lost a line on a busy machine.
constexpr std::chrono::milliseconds kUntilHeard{300};
/// How long a rank that leaves the word to another waits to be ended by it.
constexpr std::chrono::seconds kPatience{10};

/// Which of the ranks that see a failure speaks.
struct Voice {
  int rank = 0;
  std::unique_ptr<NodeFlag> node;
};
Voice voice;

/// Of a regular file's bytes; empty where there is none, or it cannot be read.
std::string file_digest(const std::string& path) {
  constexpr std::size_t kAtOnce = std::size_t{1} << 20;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return {};
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes(kAtOnce);
  ContentHash hash;
  while (file.good()) {
    file.read(bytes.data(), std::ssize(bytes));
    hash.add_bytes(bytes.data(), static_cast<std::size_t>(file.gcount()));
  }
  return file.eof() ? fmt::format("{:016x}", hash.digest().low64) : std::string();
}

std::chrono::duration<double> deadline_of(const Environment& environment) {
  return std::chrono::duration<double>(
      parse_number("SOJOURN_COMM_TIMEOUT", variable_text(environment, "SOJOURN_COMM_TIMEOUT", "3600"), 1e-3));
}

/// Takes a line for each call; empty where none is asked for.
std::function<void(const std::string&)> log_of(const Environment& environment) {
  const char* const name = environment("SOJOURN_DEBUG_COMM") ? "SOJOURN_DEBUG_COMM" : "SOJOURN_COMM_LOG";
  const std::string log = variable_text(environment, name, "0");
  SOJOURN_EXPECTS(log == "0" || log == "1", UsageError, "{}='{}' must be 0 or 1", name, log);
  if (log == "0") return {};
  return [](const std::string& line) { write_stderr_of_any(line + '\n'); };
}

/// A failure that cannot be voted on, as the other ranks are inside a call: many see it at about the same time, one
/// speaks. That is the lowest that is there, which ends all others before their turn; on one node no two ever speak.
void end_all_ranks(const std::string& text) {
  std::this_thread::sleep_for(std::min(voice.rank, kMostTurns) * kTurn);
  if (!voice.node || voice.node->claim()) {
    write_stderr_of_any("error: " + text + '\n');
    std::this_thread::sleep_for(kUntilHeard);
  } else {
    std::this_thread::sleep_for(kPatience);
  }
  rank_back_end.abort(static_cast<int>(ExitCode::kDevice));
}

std::unique_ptr<Communicator> wrap(std::unique_ptr<Communicator> ranks, CommCost* cost,
                                   const Environment& environment) {
  ranks = make_watched_communicator(std::move(ranks), deadline_of(environment), [](const std::string& text) {
    end_all_ranks(text +
                  "; a rank has ended or hangs, all ranks are ended now; raise SOJOURN_COMM_TIMEOUT where work takes "
                  "longer");
  });
  if (auto log = log_of(environment)) ranks = make_logged_communicator(std::move(ranks), std::move(log));
  if (cost != nullptr) ranks = make_measured_communicator(std::move(ranks), *cost);
  return ranks;
}

}  // namespace

void set_rank_back_end(RankBackEnd back_end) { rank_back_end = back_end; }

std::unique_ptr<Communicator> open_ranks(CommCost* cost, const Environment& environment) {
  const LauncherRank launched = launcher_rank(environment, "start the program without a launcher");
  if (launched.size == 1) return make_serial_communicator();
  if (rank_back_end.open == nullptr) {
    // No rank can be asked what it sees: all see this. Launchers end all ranks when one fails, so the first one, which
    // speaks, must be the first to leave.
    if (launched.rank != 0) {
      speak(false);
      std::this_thread::sleep_for(kPatience);
    }
    throw CommError(
        fmt::format("started as {} processes ({}), but this program is built without MPI; build it where MPI is found, "
                    "or start one process",
                    launched.size, launched.source));
  }
  std::unique_ptr<Communicator> ranks = rank_back_end.open();
  if (ranks->rank() != 0) speak(false);
  SOJOURN_EXPECTS(
      ranks->size() == launched.size && ranks->rank() == launched.rank, CommError,
      "launcher/MPI mismatch: {} says rank {} of {}, MPI says {} of {}; start with the mpirun of the MPI that "
      "the program is linked with, or try srun --mpi={}",
      launched.source, launched.rank, launched.size, ranks->rank(), ranks->size(), srun_mpi_of(mpi_library()));
  // First of all, as programs that differ would wait for each other's calls.
  expect_same_everywhere(*ranks, "version", build_facts().version);
  voice.rank = ranks->rank();
  voice.node = std::make_unique<NodeFlag>(*ranks);
  if (!voice.node->fault().empty())
    warn(fmt::format("{}; where a call between ranks hangs, more than one of them may say so", voice.node->fault()));
  return wrap(std::move(ranks), cost, environment);
}

void expect_slurm_variables(const Environment& environment) {
  if (const auto nodes = environment("SLURM_JOB_NODELIST")) (void)count_nodes(*nodes);
  (void)detect_slurm_environment(environment);
}

void expect_variables(const Communicator& ranks, const Environment& environment) {
  expect_slurm_variables(environment);
  const CudaAwareMpi wish = cuda_aware_mpi_from(variable_text(environment, "SOJOURN_CUDA_AWARE_MPI"));
  if (ranks.size() > 1) expect_cuda_aware(ranks, wish);
}

DeviceMessages device_messages(const Environment& environment) {
  DeviceMessages messages{.cuda_aware_mpi = variable_text(environment, "SOJOURN_CUDA_AWARE_MPI"),
                          .deadline = deadline_of(environment),
                          .log = log_of(environment)};
  messages.end_all = [](const std::string& text) {
    end_all_ranks(text + "; other ranks wait for its rows, all ranks are ended now");
  };
  return messages;
}

void on_all_ranks(Communicator& ranks, const std::function<void()>& work) {
  auto code = static_cast<std::int32_t>(ExitCode::kDone);
  std::exception_ptr failure;
  try {
    work();
  } catch (const Error& error) {
    code = static_cast<std::int32_t>(error.exit_code());
    failure = std::current_exception();
  } catch (...) {
    code = static_cast<std::int32_t>(ExitCode::kInternal);
    failure = std::current_exception();
  }
  const std::vector<std::int32_t> all = ranks.all_gather(std::span<const std::int32_t>(&code, 1));
  const auto first = std::ranges::find_if(all, [](std::int32_t other) { return other != 0; });
  if (first == all.end()) return;
  if (first - all.begin() != ranks.rank()) {
    speak(false);
    throw EndedElsewhere(static_cast<ExitCode>(*first), "another rank failed");
  }
  speak(true);
  std::rethrow_exception(failure);
}

void expect_same_file(Communicator& ranks, const char* what, const std::string& path) {
  if (ranks.size() == 1) return;
  const std::string own = file_digest(path), first = text_of_first(ranks, own);
  expect_same_everywhere(ranks, what, own.empty() ? first : own);
}

std::string text_of_first(Communicator& ranks, const std::string& text) {
  if (ranks.size() == 1) return text;
  const std::int64_t length = std::ssize(text);
  const std::int64_t common = ranks.broadcast(std::span(&length, 1), 0).front();
  std::string own = text;
  own.resize(static_cast<std::size_t>(common));
  ranks.broadcast_in_place(std::span(own), 0);
  return own;
}

}  // namespace sojourn::cli
