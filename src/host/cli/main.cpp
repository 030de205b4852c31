#include "cli/command_line.hpp"
#include "cli/interrupt.hpp"
#include "cli/streams.hpp"

int main(int argc, char** argv) {
  sojourn::cli::prepare_streams();
  sojourn::cli::handle_interrupts();
  return sojourn::cli::run_command_line(argc, argv);
}
