// How the program's commands (smll models, smll train, ...) read their command lines.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "smll/error.h"

namespace smll::cli {

// Fills what `app`, of the command `name`, has options for. Gives the exit status where the command
// line only asked for help, which is printed then. Throws Error(kUsage) for a wrong one.
inline std::optional<int> parse(CLI::App& app, int argc, char** argv, const std::string& name) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    throw Error(ErrorKind::kUsage, std::string(error.what()) + "; for a file of the name " + name +
                                       " write ./" + name);
  }
  return std::nullopt;
}

}  // namespace smll::cli
