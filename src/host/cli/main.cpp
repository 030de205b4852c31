#include "cli/command_line.hpp"
#include "cli/doctor_facts.hpp"
#include "cli/interrupt.hpp"
#include "cli/ranks.hpp"
#include "cli/streams.hpp"
#include "cli/waiting_threads.hpp"
#ifdef SOJOURN_HAVE_MPI
#include "comm/mpi/mpi_communicator.hpp"
#include "comm/mpi/mpi_device_memory.hpp"
#endif
#ifdef SOJOURN_HAVE_CUDA
#include "cli/verb.hpp"
#include "device/cuda_device.hpp"
#include "device/device_planner.hpp"
#include "device/support/device_list.hpp"
#include "sojourn/info.hpp"
#endif

#ifdef SOJOURN_HAVE_MPI
namespace {

std::unique_ptr<sojourn::Communicator> open_mpi() {
  static const sojourn::MpiSession session;  // MPI ends with the program
  return sojourn::make_mpi_communicator();
}
void abort_mpi(int exit_status) { sojourn::abort_all_ranks(exit_status); }

}  // namespace
#endif

int main(int argc, char** argv) {
  sojourn::cli::let_waiting_threads_sleep(argv);
  sojourn::cli::prepare_streams();
  sojourn::cli::handle_interrupts();
#ifdef SOJOURN_HAVE_CUDA
  // Only the program knows both sides: the rooms of the host know no device code.
  sojourn::set_device_lister(sojourn::list_cuda_devices);
  sojourn::cli::set_device_opener(sojourn::open_only_cuda_device);
  sojourn::cli::set_device_planner(sojourn::plan_on_device);
#endif
#ifdef SOJOURN_HAVE_MPI
  sojourn::cli::set_rank_back_end({open_mpi, abort_mpi});
  sojourn::cli::set_mpi_facts({sojourn::mpi_library_version, sojourn::mpi_takes_device_memory});
#endif
  return sojourn::cli::run_command_line(argc, argv);
}
