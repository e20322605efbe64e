#include "cli/info_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/files.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "smll/dictionary.h"
#include "smll/models.h"
#include "smll/smll.h"

namespace smll::cli {
namespace {

// Most of an archive that is decoded to see how long all of it will take.
constexpr double kTrialSeconds = 3;

std::string name_or(const std::string& name, const char* otherwise) {
  return name.empty() ? otherwise : name;
}

// What the model is, and where it is or how it is got.
void print_model(const ArchiveInfo& info, const Model& model) {
  print_fact("  model", fmt::format("{}, fingerprint {}, window {} tokens",
                                    name_or(info.model_name, "without a name"),
                                    hex_fingerprint(info.fingerprint), info.window));
  print_fact("  backend",
             info.backend == Backend::kExact
                 ? fmt::format("exact, arithmetic {}", info.arithmetic)
                 : std::string("llama: opens with the same build of llama.cpp and threads only"));
  if (const auto loaded = model.info()) print_fact("  its file", loaded->path);
}

void print_dictionary(const ArchiveInfo& info) {
  if (!info.dictionary) return;
  print_fact("  dictionary",
             fmt::format("{}, identity {}", name_or(info.dictionary_name, "without a name"),
                         hex_fingerprint(*info.dictionary)));
}

// By decoding the beginning; of what needs more than a trial's time the rest is taken to be alike.
std::string time_of(const Model& model, const std::string& path, std::uint64_t raw_size) {
  using Clock = std::chrono::steady_clock;
  FileSource source(path);
  std::uint64_t done = 0;
  bool whole = false;
  struct Enough {};
  const auto start = Clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  ReadOptions options;
  options.progress = [&](const Stats& stats) {
    done = std::max(done, stats.raw_bytes);
    if (passed() > kTrialSeconds) throw Enough();
  };
  try {
    Reader reader(model, options, source);
    Bytes part(std::size_t{1} << 16);
    std::uint64_t read = 0;
    while (const std::size_t got = reader.read(part)) {
      read += got;
      done = std::max(done, read);
      if (passed() > kTrialSeconds) break;
    }
    whole = done == raw_size;
  } catch (const Enough&) {
  }
  if (whole) return fmt::format("{:.2g} seconds here", passed());
  if (done == 0) return "more than a trial of 3 seconds can tell";
  return fmt::format("about {:.2g} seconds here, by the first {} bytes",
                     passed() * static_cast<double>(raw_size) / static_cast<double>(done), done);
}

void describe(const std::string& path, const Model& model) {
  FileSource listed(path);
  if (!listed.seekable()) {
    throw Error(ErrorKind::kUsage, "info reads a file more than once, and this is none");
  }
  const ArchiveInfo info = list(listed);
  print(fmt::format("{}\n", printable(path)));
  const Versions known = versions();
  print_fact("  format", fmt::format("{}, predictions {}", known.format, known.predictions));
  print_fact("  size", fmt::format("{} bytes, {} uncompressed, in {} frames", info.archive_size,
                                   info.raw_size, info.frames.size()));
  if (!info.needs_model) print_fact("  model", "none is needed");
  std::string problem;
  try {
    FileSource measured(path);
    const std::uint64_t memory = decoding_memory(model, measured);
    if (info.needs_model) print_model(info, model);
    print_dictionary(info);
    print_fact("  memory", human_bytes(memory) + (info.needs_model ? " besides the model" : ""));
    print_fact("  time", time_of(model, path, info.raw_size));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kModel) throw;
    print_model(info, model);
    print_dictionary(info);
    throw;
  }
}

}  // namespace

int info_command(int argc, char** argv) {
  CLI::App app{"Says what decoding archives will need: model, dictionary, memory and time."};
  app.name("smll info");
  std::vector<std::string> files;
  std::string dictionary;
  ModelOptions options;
  options.download = false;
  app.add_option("FILE", files, "Archives")->required();
  app.add_option("--model", options.model, "Model: a GGUF file, a known name or hf:REPO:GLOB");
  app.add_option("-D,--dictionary", dictionary, "Dictionary: a file, a name or an identity");
  app.add_option("-T,--threads", options.threads, "Threads (0: one per core)")
      ->check(CLI::Range(0, 1024));
  if (const auto status = parse(app, argc, argv, "info")) return *status;
  if (!dictionary.empty()) options.dictionary = Dictionary::find(dictionary);
  options.notice = say;
  const Model model(options);
  int status = 0;
  for (const std::string& file : files) {
    try {
      describe(file, model);
    } catch (const Error& error) {
      say(file + ": " + error.what());
      if (status == 0) status = exit_status(error.kind());
    }
  }
  return status;
}

}  // namespace smll::cli
