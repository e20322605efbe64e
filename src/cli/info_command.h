// `smll info`: all that decoding an archive will need.
#pragma once

namespace smll::cli {

// Arguments from the command's name on. Returns the exit status; throws Error for wrong use.
int info_command(int argc, char** argv);

}  // namespace smll::cli
