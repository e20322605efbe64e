// `smll dict list|info|add`
#pragma once

namespace smll::cli {

// `argv[0]` is "dict". Returns the exit status; throws smll::Error.
int dict_command(int argc, char** argv);

}  // namespace smll::cli
