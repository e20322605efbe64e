#include "cli/models_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "cli/progress.h"
#include "cli/report.h"
#include "smll/models.h"
#include "smll/smll.h"

namespace smll::cli {
namespace {

int list_all() {
  if (const std::string problem = cache_problem(); !problem.empty()) say(problem);
  print(fmt::format("{:<16} {:>10}  {}\n", "name", "size", "file"));
  for (const ModelEntry& entry : list_models()) {
    const std::string where =
        entry.path.empty() ? "not here; get it with: smll models pull " + entry.name : entry.path;
    print(fmt::format("{:<16} {:>10}  {}\n", printable(entry.name), human_bytes(entry.size),
                      printable(where)));
    for (const ModelFingerprint& seen : entry.fingerprints) {
      print(fmt::format("  fingerprint {} with backend {}, window {}\n",
                        hex_fingerprint(seen.fingerprint), to_string(seen.backend), seen.window));
    }
  }
  return 0;
}

int pull(const std::string& spec, bool quiet) {
  std::optional<ProgressBar> sized;
  const std::string path = pull_model(spec, [&](std::uint64_t done, std::uint64_t total) {
    if (!sized) sized.emplace(!quiet && ::isatty(STDERR_FILENO), "getting the model", total);
    sized->update(done);
  });
  if (sized) sized->clear();
  // Whoever opens the path needs its bytes.
  print(fmt::format("{}\n", ::isatty(STDOUT_FILENO) ? printable(path) : path));
  return 0;
}

int info(const std::string& spec, const std::string& backend) {
  ModelOptions options;
  options.model = spec;
  options.download = false;
  if (!backend.empty()) options.backend = parse_backend(backend);
  const Model model(options);
  model.load();
  const ModelInfo info = *model.info();
  print(fmt::format(
      "name:        {}\nfile:        {}\nfingerprint: {}\nbackend:     {}\nwindow:      {}\n"
      "arithmetic:  {}\n",
      printable(info.name), printable(info.path), hex_fingerprint(info.fingerprint),
      to_string(info.backend), info.window, info.arithmetic));
  if (!info.isa.empty()) print(fmt::format("isa:         {}\n", info.isa));
  if (!info.set_up.empty()) print(fmt::format("set-up:      {}\n", printable(info.set_up)));
  return 0;
}

}  // namespace

int models_command(int argc, char** argv) {
  CLI::App app{"Lists, gets and describes models."};
  app.name("smll models");
  std::string spec, backend;
  bool quiet = false;
  app.add_subcommand("list", "Known models and those used before (the default)");
  CLI::App* pull_app = app.add_subcommand("pull", "Get a model into the cache and print its path");
  pull_app->add_option("MODEL", spec,
                       "A known name, hf:REPO:GLOB or a file; the default model without it");
  pull_app->add_flag("-q,--quiet", quiet, "No progress bar");
  CLI::App* info_app = app.add_subcommand("info", "Load a model and describe it");
  info_app->add_option("MODEL", spec,
                       "A file, a known name or hf:REPO:GLOB; the default without it");
  info_app->add_option("--backend", backend, "exact or llama");
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    throw Error(ErrorKind::kUsage,
                std::string(error.what()) + "; for a file of the name models write ./models");
  }
  if (pull_app->parsed()) return pull(spec, quiet);
  if (info_app->parsed()) return info(spec, backend);
  return list_all();
}

}  // namespace smll::cli
