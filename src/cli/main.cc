// The `smll` program. It uses nothing but the public API.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "cli/args.h"
#include "cli/bundle_command.h"
#include "cli/dict_command.h"
#include "cli/files.h"
#include "cli/info_command.h"
#include "cli/models_command.h"
#include "cli/python_command.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/train_command.h"

namespace {

namespace fs = std::filesystem;

// The commands, and what may follow where a file of the command's name leaves no doubt.
struct Command {
  const char* name;
  std::vector<const char*> whole;
};
const std::vector<Command> kCommands = {{"models", {"list", "pull", "info", "--help"}},
                                        {"dict", {"list", "info", "add", "--help"}},
                                        {"train", {}},
                                        {"info", {}},
                                        {"bundle", {}},
                                        {"bench", {}},
                                        {"corpus", {"compress", "decompress", "verify", "--help"}},
                                        {"explain", {}}};

std::string otherwise(const Command& command) {
  const std::string words = std::string("smll ") + command.name;
  if (command.whole.empty()) return words + " in another directory";
  return fmt::format("{} {}, {} or {}", words, command.whole[0], command.whole[1],
                     command.whole[2]);
}

// The first argument where it is a command and not a file; else "". `smll *` must not run one: a
// file of its name leaves no doubt only for what is a whole command.
std::string command_of(int argc, char** argv) {
  const std::string word = argc > 1 ? argv[1] : "";
  const auto command =
      std::ranges::find_if(kCommands, [&](const Command& each) { return word == each.name; });
  if (command == kCommands.end()) return "";
  // unsmll and smllcat only take files.
  const std::string program = fs::path(argv[0]).filename();
  if (program == "unsmll" || program == "smllcat") return "";
  const std::string next = argc > 2 ? argv[2] : "";
  for (const char* whole : command->whole) {
    if (next == whole) return word;
  }
  std::error_code error;
  if (!fs::exists(fs::symlink_status(word, error)) || fs::is_directory(word, error)) return word;
  throw smll::Error(smll::ErrorKind::kUsage,
                    "'" + word + "' is a command and a file here; for the file write ./" + word +
                        " or -- " + word + ", for the command " + otherwise(*command));
}

int run(int argc, char** argv) {
  using namespace smll::cli;
  install_signal_handlers();
  const std::string command = command_of(argc, argv);
  if (command == "models") return models_command(argc - 1, argv + 1);
  if (command == "dict") return dict_command(argc - 1, argv + 1);
  if (command == "info") return info_command(argc - 1, argv + 1);
  if (command == "bundle") return bundle_command(argc - 1, argv + 1);
  if (command == "train") return train_command(argc - 1, argv + 1);
  if (command == "bench" || command == "corpus" || command == "explain") {
    python_command(argc - 1, argv + 1);
  }
  Args args;
  if (const std::optional<int> status = parse_args(argc, argv, args)) return *status;
  return Session(std::move(args)).run();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    smll::cli::secure_standard_streams();
    const int status = run(argc, argv);
    // Help texts are written to it, and a disk far away may only now say that it is full.
    if (!std::cout.flush() || ::close(STDOUT_FILENO) != 0) {
      throw smll::Error(smll::ErrorKind::kIo, "cannot write standard output");
    }
    return status;
  } catch (const smll::Error& error) {
    smll::cli::say(error.what());
    return smll::cli::exit_status(error.kind());
  } catch (const std::exception& error) {
    smll::cli::say(error.what());
    return 1;
  }
}
