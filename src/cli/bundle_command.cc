#include "cli/bundle_command.h"

#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "smll/bundle.h"
#include "smll/dictionary.h"

namespace smll::cli {
namespace {

// While one exists, signals that end a process wait, so that what is unfinished can be removed
// first; it is a directory, which their handler cannot remove.
class HeldSignals {
 public:
  HeldSignals() {
    ::sigemptyset(&held_);
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGXCPU})
      ::sigaddset(&held_, signal);
    ::pthread_sigmask(SIG_BLOCK, &held_, &before_);
  }
  // Those that came take effect now.
  ~HeldSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  void throw_where_one_came() const {
    sigset_t pending;
    ::sigpending(&pending);
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGXCPU}) {
      if (::sigismember(&pending, signal) == 1) throw Error(ErrorKind::kIo, "interrupted");
    }
  }

 private:
  sigset_t held_, before_;
};

}  // namespace

int bundle_command(int argc, char** argv) {
  CLI::App app{
      "Puts archives, their models and dictionaries together into a directory to be kept."};
  app.name("smll bundle");
  std::vector<std::string> files;
  std::string directory, dictionary;
  ModelOptions options;
  options.download = false;
  app.add_option("FILE", files, "Archives")->required();
  app.add_option("-o,--output", directory, "The directory to make")->required();
  app.add_option("--model", options.model, "Model: a GGUF file, a known name or hf:REPO:GLOB");
  app.add_option("-D,--dictionary", dictionary, "Dictionary: a file, a name or an identity");
  if (const auto status = parse(app, argc, argv, "bundle")) return *status;
  if (!dictionary.empty()) options.dictionary = Dictionary::find(dictionary);
  options.notice = say;
  const Model model(options);
  const HeldSignals signals;
  const BundleSummary made =
      bundle(files, directory, model, [&] { signals.throw_where_one_came(); });
  print(fmt::format("{}: archives {}, models {}, dictionaries {}, {}\n", printable(directory),
                    made.archives, made.models, made.dictionaries, human_bytes(made.bytes)));
  return 0;
}

}  // namespace smll::cli
