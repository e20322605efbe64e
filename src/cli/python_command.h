// `smll bench`, `smll corpus` and `smll explain`, which the Python package smll implements.
#pragma once

namespace smll::cli {

// Runs `python -m smll` with these arguments in this process's place; `argv[0]` is the command.
// The interpreter is $SMLL_PYTHON, else the one beside this program or of the checkout that it was
// built in, else python3. Throws smll::Error where there is none.
[[noreturn]] void python_command(int argc, char** argv);

}  // namespace smll::cli
