// `smll train FILE... -o NAME.smlld`
#pragma once

namespace smll::cli {

// `argv[0]` is "train". Returns the exit status; throws smll::Error.
int train_command(int argc, char** argv);

}  // namespace smll::cli
