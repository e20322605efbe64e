#include "cli/dict_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "smll/dictionary.h"
#include "smll/models.h"

namespace smll::cli {
namespace {

// The model's name where one that was used before has this fingerprint.
std::string name_of_model(std::uint64_t fingerprint) {
  for (const ModelEntry& entry : list_models()) {
    const auto is_it = [&](const auto& seen) { return seen.fingerprint == fingerprint; };
    if (std::ranges::any_of(entry.fingerprints, is_it)) return entry.name;
  }
  return "";
}

std::string model_of(const DictionaryInfo& info) {
  if (info.model_fingerprint == 0) return "any";
  const std::string name = name_of_model(info.model_fingerprint);
  const std::string number = hex_fingerprint(info.model_fingerprint);
  return name.empty() ? number : fmt::format("{} ({})", number, printable(name));
}

int list_all() {
  if (const std::string problem = cache_problem(); !problem.empty()) say(problem);
  print(fmt::format("{:<16}  {:<24} {:>10}  {}\n", "identity", "name", "size", "model"));
  int status = 0;
  for (const DictionaryEntry& entry : list_dictionaries()) {
    if (!entry.problem.empty()) {
      say(entry.problem);
      status = exit_status(ErrorKind::kModel);
      continue;
    }
    const DictionaryInfo& info = entry.info;
    print(fmt::format(
        "{:<16}  {:<24} {:>10}  {}\n", hex_fingerprint(info.identity), printable(info.name),
        human_bytes(info.opening_bytes + info.sample_bytes + info.adapter_bytes), model_of(info)));
  }
  return status;
}

int info(const std::string& spec) {
  const DictionaryInfo info = Dictionary::find(spec).info();
  print_fact("name", info.name);
  print_fact("identity", hex_fingerprint(info.identity));
  print_fact("model", model_of(info));
  print_fact("opening", fmt::format("{} bytes", info.opening_bytes));
  print_fact("sample", fmt::format("{} bytes", info.sample_bytes));
  print_fact("adapter", info.adapter_bytes ? fmt::format("{} bytes", info.adapter_bytes) : "none");
  return 0;
}

int add(const std::vector<std::string>& files) {
  int status = 0;
  for (const std::string& file : files) {
    try {
      const Dictionary dictionary = Dictionary::load(file);
      dictionary.keep();
      print(fmt::format("{}  {}\n", hex_fingerprint(dictionary.identity()),
                        printable(dictionary.name())));
    } catch (const Error& error) {
      say(error.what());
      if (status == 0) status = exit_status(error.kind());
    }
  }
  return status;
}

}  // namespace

int dict_command(int argc, char** argv) {
  CLI::App app{"Lists, describes and keeps dictionaries."};
  app.name("smll dict");
  std::string spec;
  std::vector<std::string> files;
  app.add_subcommand("list", "Dictionaries in the cache (the default)");
  CLI::App* info_app = app.add_subcommand("info", "Describe a dictionary");
  info_app->add_option("DICTIONARY", spec, "A file, or a name or an identity of one in the cache")
      ->required();
  CLI::App* add_app =
      app.add_subcommand("add", "Copy dictionaries into the cache, where -d finds them");
  add_app->add_option("FILE", files, "Dictionaries, or plain text")->required();
  app.require_subcommand(0, 1);
  if (const auto status = parse(app, argc, argv, "dict")) return *status;
  if (info_app->parsed()) return info(spec);
  if (add_app->parsed()) return add(files);
  return list_all();
}

}  // namespace smll::cli
