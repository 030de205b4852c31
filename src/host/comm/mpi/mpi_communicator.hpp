#pragma once

#include <memory>
#include <string>

#include "sojourn/communicator.hpp"

namespace sojourn {

/// Starts MPI where it is not running, for the rest of the process, and ends it at exit if it was started here. Built
/// with MPI alone. @throws CommError.
class MpiSession {
 public:
  MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;
  ~MpiSession();

 private:
  bool owns_ = false;
};

/// All ranks of MPI_COMM_WORLD on a communicator of our own, so that no message of another library is mistaken for one
/// of ours. Messages of any size. @throws CommError before a session.
std::unique_ptr<Communicator> make_mpi_communicator();

/// The library's own name and version: "Open MPI v4.1.4, ...".
std::string mpi_library_version();

/// Ends all ranks at once with this exit status, after a failure that the others cannot learn of.
[[noreturn]] void abort_all_ranks(int exit_status);

}  // namespace sojourn
