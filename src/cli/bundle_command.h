// smll bundle: archives together with all that opens them.
#pragma once

namespace smll::cli {

// Returns the exit status. Throws Error.
int bundle_command(int argc, char** argv);

}  // namespace smll::cli
