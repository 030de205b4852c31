#include "cli/command_line.hpp"
#include "cli/interrupt.hpp"
#include "cli/streams.hpp"
#include "cli/waiting_threads.hpp"
#ifdef SOJOURN_HAVE_CUDA
#include "device/support/device_list.hpp"
#include "sojourn/info.hpp"
#endif

int main(int argc, char** argv) {
  sojourn::cli::let_waiting_threads_sleep(argv);
  sojourn::cli::prepare_streams();
  sojourn::cli::handle_interrupts();
#ifdef SOJOURN_HAVE_CUDA
  // Only the program knows both sides: the rooms of the host know no device code.
  sojourn::set_device_lister(sojourn::list_cuda_devices);
#endif
  return sojourn::cli::run_command_line(argc, argv);
}
