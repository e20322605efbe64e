// Leaves nothing partial behind when the program is interrupted.
#pragma once

#include <csignal>
#include <string>

namespace smll::cli {

// Whatever signal ends the process, SIGKILL apart, the registered files are removed first.
void install_signal_handlers();

// Unfinished files at the same time, at most.
inline constexpr int kMaxUnfinished = 64;

// While one exists, no signal ends the process: what is done to an unfinished file and its
// registration belong together. One at a time; other threads wait.
class SignalHold {
 public:
  SignalHold();
  ~SignalHold();
  SignalHold(const SignalHold&) = delete;
  SignalHold& operator=(const SignalHold&) = delete;

  // kMaxUnfinished of them.
  void add_unfinished_file(const std::string& path);
  void remove_unfinished_file(const std::string& path);

 private:
  sigset_t before_;
};

}  // namespace smll::cli
