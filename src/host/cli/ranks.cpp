#include "cli/ranks.hpp"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "cli/numbers.hpp"
#include "cli/streams.hpp"
#include "comm/launcher.hpp"
#include "comm/node_list.hpp"
#include "comm/wrapped_communicator.hpp"
#include "expects.hpp"

namespace sojourn::cli {
namespace {

RankBackEnd rank_back_end;

std::string variable(const char* name, const char* fallback) {
  const char* const text = std::getenv(name);
  return text == nullptr || *text == '\0' ? fallback : text;
}

std::unique_ptr<Communicator> wrap(std::unique_ptr<Communicator> ranks, CommCost* cost) {
  const double deadline = parse_number("SOJOURN_COMM_TIMEOUT", variable("SOJOURN_COMM_TIMEOUT", "3600"), 1e-3);
  ranks =
      make_watched_communicator(std::move(ranks), std::chrono::duration<double>(deadline), [](const std::string& text) {
        speak(true);
        write_stderr(
            "error: " + text +
            "; a rank has ended or hangs, all ranks are ended now; raise SOJOURN_COMM_TIMEOUT where work takes "
            "longer\n");
        rank_back_end.abort(static_cast<int>(ExitCode::kDevice));
      });
  const bool has_short_name = std::getenv("SOJOURN_DEBUG_COMM") == nullptr;
  const char* const log_name = has_short_name ? "SOJOURN_COMM_LOG" : "SOJOURN_DEBUG_COMM";
  const std::string log = variable(log_name, "0");
  SOJOURN_EXPECTS(log == "0" || log == "1", UsageError, "{}='{}' must be 0 or 1", log_name, log);
  if (log == "1") {
    ranks =
        make_logged_communicator(std::move(ranks), [](const std::string& line) { write_stderr_of_any(line + '\n'); });
  }
  if (cost != nullptr) ranks = make_measured_communicator(std::move(ranks), *cost);
  return ranks;
}

}  // namespace

void set_rank_back_end(RankBackEnd back_end) { rank_back_end = back_end; }

std::unique_ptr<Communicator> open_ranks(CommCost* cost) {
  const LauncherRank launched = launcher_rank("start the program without a launcher");
  // A list that cannot be read is said before anything needs it.
  if (const char* const nodes = std::getenv("SLURM_JOB_NODELIST")) (void)count_nodes(nodes);
  if (launched.size == 1) return make_serial_communicator();
  SOJOURN_EXPECTS(
      rank_back_end.open != nullptr, CommError,
      "started as {} processes ({}), but this program is built without MPI; build it where MPI is found, or "
      "start one process",
      launched.size, launched.source);
  std::unique_ptr<Communicator> ranks = rank_back_end.open();
  if (ranks->rank() != 0) speak(false);
  SOJOURN_EXPECTS(
      ranks->size() == launched.size && ranks->rank() == launched.rank, CommError,
      "launcher/MPI mismatch: {} says rank {} of {}, MPI says {} of {}; start with the mpirun of the MPI that "
      "the program is linked with, or try srun --mpi=pmix",
      launched.source, launched.rank, launched.size, ranks->rank(), ranks->size());
  return wrap(std::move(ranks), cost);
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

}  // namespace sojourn::cli
