// Leaves nothing partial behind when the program is interrupted.
#pragma once

#include <string>

namespace smll::cli {

// On SIGINT, SIGTERM and SIGHUP the registered file is removed and the signal then ends the process
// as usual.
void install_signal_handlers();

// The one unfinished file; "" for none.
void set_unfinished_file(const std::string& path);

}  // namespace smll::cli
