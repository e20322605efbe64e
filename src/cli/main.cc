// The `smll` program. It uses nothing but the public API.
#include <unistd.h>

#include <exception>
#include <iostream>
#include <string>

#include "cli/args.h"
#include "cli/files.h"
#include "cli/models_command.h"
#include "cli/python_command.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/signals.h"

namespace {

int run(int argc, char** argv) {
  using namespace smll::cli;
  install_signal_handlers();
  // A file of such a name can still be given as ./models.
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "models") return models_command(argc - 1, argv + 1);
  if (command == "bench" || command == "explain") python_command(argc - 1, argv + 1);
  Args args;
  if (const std::optional<int> status = parse_args(argc, argv, args)) return *status;
  return Session(std::move(args)).run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    smll::cli::secure_standard_streams();
    const int status = run(argc, argv);
    // Help texts are written to it, and a disk far away may only now say that it is full.
    if (!std::cout.flush() || ::close(STDOUT_FILENO) != 0) {
      throw smll::Error(smll::ErrorKind::kIo, "cannot write standard output");
    }
    return status;
  } catch (const smll::Error& error) {
    smll::cli::say(error.what());
    return smll::cli::exit_status(error.kind());
  } catch (const std::exception& error) {
    smll::cli::say(error.what());
    return 1;
  }
}
