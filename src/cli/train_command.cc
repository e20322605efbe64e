#include "cli/train_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/args.h"
#include "cli/command_line.h"
#include "cli/files.h"
#include "cli/outcome.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/training_records.h"
#include "smll/dictionary.h"
#include "smll/smll.h"

namespace smll::cli {
namespace {

struct TrainArgs {
  std::vector<std::string> inputs;
  std::string output, records = "guess", size, sample_size;
  double minutes = 2;
  std::string lora;
  float lora_scale = 1;
  bool adapter = false, force = false, quiet = false;
  ModelOptions model;
};

void add_options(CLI::App& app, TrainArgs& args) {
  app.add_option("FILE", args.inputs, "Files with records of one kind; - is standard input")
      ->required();
  app.add_option("-o,--output", args.output, "The dictionary to write (NAME.smlld)")
      ->take_last()
      ->required();
  app.add_option("--records", args.records,
                 "What a record is: lines, files, json, or guess (the default)")
      ->take_last();
  app.add_option("--size", args.size, "Most bytes of the opening (default: about 1,000 tokens)")
      ->take_last();
  app.add_option("--sample-size", args.sample_size,
                 "Most bytes that the context models read before it (128K)")
      ->take_last();
  app.add_option("--minutes", args.minutes,
                 "How much to try: what two cores do in so many minutes (2)")
      ->take_last();
  app.add_flag("--adapter,!--no-adapter", args.adapter,
               "The model's weights learn as well: so many minutes more, 1 to 3 MB");
  app.add_option("--lora", args.lora, "A LoRA file (GGUF) of the model that is the adapter instead")
      ->take_last();
  app.add_option("--lora-scale", args.lora_scale, "What it is multiplied by (1)")->take_last();
  app.add_flag("-f,--force", args.force, "Overwrite a file");
  app.add_flag("-q,--quiet", args.quiet, "No progress line and no report");
  app.add_option("-T,--threads", args.model.threads, "Threads (0: one per core)")
      ->check(CLI::Range(0, 1024))
      ->take_last();
  app.add_option("--model", args.model.model, "Model: a GGUF file, a known name or hf:REPO:GLOB")
      ->take_last();
  app.add_option("--window", args.model.window, "Tokens of context a lane sees")
      ->check(CLI::Range(2, 1 << 16))
      ->take_last();
  app.add_option("--isa", args.model.isa, "Instruction set")
      ->check(CLI::IsMember({"scalar", "avx2", "avx512", "amx", "neon"}))
      ->envname("SMLL_ISA")
      ->take_last();
  app.add_option("--device", args.model.device, "Where to compute: auto, cpu, cuda or cuda:N")
      ->envname("SMLL_DEVICE")
      ->take_last();
}

TrainOptions options_of(const TrainArgs& args) {
  TrainOptions options;
  options.name = args.output == "-" ? "" : std::filesystem::path(args.output).stem().string();
  if (!args.size.empty()) options.opening_bytes = parse_size(args.size);
  if (!args.sample_size.empty()) options.sample_bytes = parse_size(args.sample_size);
  options.minutes = args.minutes;
  options.adapter = args.adapter;
  options.lora = args.lora;
  options.lora_scale = args.lora_scale;
  return options;
}

// Written only once the dictionary is made; opened before, so that a place where it cannot be is
// told at once.
class Output {
 public:
  Output(const std::string& path, bool force) : path_(path), in_place_(open_in_place(path)) {
    if (!in_place_) file_.emplace(path, force);
  }
  void write(ByteView content) {
    if (in_place_) return DescriptorSink(in_place_->get(), shown(path_)).write(content);
    file_->write(content);
    file_->commit(nullptr);
  }

 private:
  const std::string path_;
  std::optional<Descriptor> in_place_;
  std::optional<OutputFile> file_;
};

void check_is_no_input(const TrainArgs& args) {
  const std::optional<struct stat> output = status_behind(args.output);
  if (!output || !S_ISREG(output->st_mode)) return;
  for (const std::string& input : args.inputs) {
    const std::optional<struct stat> status = status_behind(input);
    if (status && id_of(*status) == id_of(*output)) {
      throw Error(ErrorKind::kUsage, "-o would overwrite the input " + input);
    }
  }
}

std::string gain_text(const TrainGain& gain) {
  return fmt::format(
      "{} records that it was not made of: {} bytes are coded in {:.0f} without it and in {:.0f} "
      "with it ({:.2f})",
      gain.measured, gain.raw_bytes, gain.bytes_without, gain.bytes_with,
      gain.bytes_without > 0 ? gain.bytes_with / gain.bytes_without : 1.0);
}

void report(const TrainArgs& args, const Dictionary& dictionary, const TrainingRecords& records,
            const TrainGain& gain) {
  const DictionaryInfo info = dictionary.info();
  const std::string adapter =
      info.adapter_bytes ? fmt::format(", {} of adapter", info.adapter_bytes) : "";
  say(fmt::format("{}: dictionary {}, of {} records ({}): {} bytes of opening, {} of sample{}",
                  args.output == "-" ? "standard output" : args.output,
                  hex_fingerprint(info.identity), gain.records, to_string(records.kind()),
                  info.opening_bytes, info.sample_bytes, adapter));
  say(gain_text(gain));
}

int train(TrainArgs args) {
  const RecordKind kind = parse_record_kind(args.records);
  TrainOptions options = options_of(args);
  check_is_no_input(args);
  Output output(args.output, args.force);
  const TrainingRecords records(args.inputs, kind);
  if (!args.quiet) args.model.notice = [](const std::string& text) { say(text); };
  std::optional<ProgressBar> bar;
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    if (!bar) bar.emplace(!args.quiet && ::isatty(STDERR_FILENO), "training", total);
    bar->update_tokens(done);
  };
  TrainGain gain;
  const Dictionary dictionary =
      Dictionary::train(records.records(), options, Model(args.model), &gain);
  if (bar) bar->clear();
  output.write(dictionary.serialize());
  if (!args.quiet) report(args, dictionary, records, gain);
  return 0;
}

}  // namespace

int train_command(int argc, char** argv) {
  CLI::App app{"Makes a dictionary of records of one kind, for smll -D."};
  app.name("smll train");
  TrainArgs args;
  add_options(app, args);
  if (const auto status = parse(app, argc, argv, "train")) return *status;
  return train(std::move(args));
}

}  // namespace smll::cli
