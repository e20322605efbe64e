// Leaves nothing partial behind when the program is interrupted.
#pragma once

#include <csignal>
#include <string>

namespace smll::cli {

// Whatever signal ends the process, SIGKILL apart, the registered file is removed first.
void install_signal_handlers();

// While one exists, no signal ends the process: what is done to the unfinished file and its
// registration belong together. One at a time.
class SignalHold {
 public:
  SignalHold();
  ~SignalHold();
  SignalHold(const SignalHold&) = delete;
  SignalHold& operator=(const SignalHold&) = delete;

  // Registers the one unfinished file; "" for none.
  void set_unfinished_file(const std::string& path);

 private:
  sigset_t before_;
};

}  // namespace smll::cli
