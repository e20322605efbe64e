#include "cli/models_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "cli/command_line.h"
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
    if (entry.known) print(fmt::format("  {} ({})\n", entry.description, entry.licence));
    for (const ModelFingerprint& seen : entry.fingerprints) {
      print(fmt::format("  fingerprint {} with backend {}\n", hex_fingerprint(seen.fingerprint),
                        to_string(seen.backend)));
    }
  }
  return 0;
}

int pull(const std::string& spec, bool quiet) {
  std::optional<ProgressBar> sized;
  const auto progress = [&](std::uint64_t done, std::uint64_t total) {
    if (!sized) sized.emplace(!quiet && ::isatty(STDERR_FILENO), "getting the model", total);
    sized->update(done);
  };
  const std::string path = pull_model(spec, progress, say);
  if (sized) sized->clear();
  // Whoever opens the path needs its bytes.
  print(fmt::format("{}\n", ::isatty(STDOUT_FILENO) ? printable(path) : path));
  return 0;
}

// A line of what `info` prints; none where nothing is known.
void print_known(const char* what, const std::string& value) {
  if (!value.empty()) print_fact(what, value);
}

std::string counted(std::uint64_t count, const char* what) {
  return count ? fmt::format("{} {}", count, what) : "";
}

// What holds with each backend.
void print_facts(const ModelInfo& info) {
  const ModelFacts& facts = info.facts;
  print_known("name", info.name);
  print_known("file", info.path);
  print_known("source", facts.source);
  print_known("licence", facts.terms.empty() ? facts.licence : facts.licence + ", " + facts.terms);
  print_known("size", fmt::format("{} bytes ({})", facts.size, human_bytes(facts.size)));
  print_known("type", facts.type);
  print_known("architecture", facts.architecture);
  print_known("parameters", counted(facts.parameters, "weights"));
  print_known("vocabulary", counted(facts.vocabulary, "tokens"));
  print_known("context", counted(facts.trained_context, "tokens in training"));
  print_known("window", fmt::format("{} tokens unless told otherwise", info.window));
}

std::string summary(const BackendReport& report) {
  if (!report.info) return "no: " + report.problem;
  const ModelInfo& info = *report.info;
  if (info.backend == Backend::kLlama) return "yes, set-up " + info.set_up;
  return fmt::format("yes, arithmetic {}, {}", info.arithmetic, info.isa);
}

int info(const std::string& spec, const std::string& backend) {
  const std::vector<BackendReport> reports =
      backend.empty() ? describe_model(spec) : describe_model(spec, {parse_backend(backend)});
  const auto runs =
      std::find_if(reports.begin(), reports.end(), [](const auto& each) { return each.info; });
  print_facts(*runs->info);
  for (const BackendReport& report : reports) {
    if (!report.info) continue;
    print_fact("fingerprint",
               fmt::format("{} with backend {}", hex_fingerprint(report.info->fingerprint),
                           to_string(report.backend)));
  }
  for (const BackendReport& report : reports) {
    print_fact(to_string(report.backend), summary(report));
  }
  const std::string& problem = runs->info->no_learning;
  print_fact("learns", problem.empty() ? "yes (-9)" : "no: " + problem);
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
  if (const auto status = parse(app, argc, argv, "models")) return *status;
  if (pull_app->parsed()) return pull(spec, quiet);
  if (info_app->parsed()) return info(spec, backend);
  return list_all();
}

}  // namespace smll::cli
