// Runs a program and waits for it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace smll::hub {

struct ProcessResult {
  int status = 0;      // exit status; 127 when the program could not be started
  std::string output;  // standard output
  std::string errors;  // standard error
};

// `arguments[0]` is looked up in PATH. `environment` is added to this process's. `on_tick` is
// called about five times a second while the program runs. SIGINT reaches the program too, as it is
// in the same group.
ProcessResult run_process(const std::vector<std::string>& arguments,
                          const std::vector<std::pair<std::string, std::string>>& environment,
                          const std::function<void()>& on_tick = {});

}  // namespace smll::hub
