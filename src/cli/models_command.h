// `smll models list|pull|info`
#pragma once

namespace smll::cli {

// `argv[0]` is "models". Returns the exit status; throws smll::Error.
int models_command(int argc, char** argv);

}  // namespace smll::cli
