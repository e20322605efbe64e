#include "cli/report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "cli/files.h"
#include "smll/models.h"

namespace smll::cli {
namespace {

std::string ratio(std::uint64_t archive, std::uint64_t raw) {
  if (raw == 0) return "-";
  return fmt::format("{:.2f}%", 100.0 * static_cast<double>(archive) / static_cast<double>(raw));
}

std::string methods_of(const ArchiveInfo& info) {
  std::set<std::string> names;
  for (const FrameInfo& frame : info.frames) names.insert(frame.method);
  return fmt::format("{}", fmt::join(names, ","));
}

}  // namespace

ByteView bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string message_of(const std::string& text) { return "smll: " + printable(text) + "\n"; }

void say(const std::string& text) { put_message(message_of(text)); }

void put_message(const std::string& text) {
  try {
    DescriptorSink(STDERR_FILENO, "standard error").write(bytes_of(text));
  } catch (const Error&) {
  }
}

void print(const std::string& text) {
  DescriptorSink(STDOUT_FILENO, "standard output").write(bytes_of(text));
}

void print_fact(const std::string& what, const std::string& value) {
  print(fmt::format("{:<13} {}\n", what + ":", printable(value)));
}

int exit_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
      return 2;
    case ErrorKind::kModel:
      return 3;
    default:
      return 1;
  }
}

void Totals::add(const Stats& more, bool compressing) {
  bytes_in += compressing ? more.raw_bytes : more.archive_bytes;
  bytes_out += compressing ? more.archive_bytes : more.raw_bytes;
  stats.tokens += more.tokens;
  stats.frames += more.frames;
  stats.damaged_frames += more.damaged_frames;
  stats.model_seconds += more.model_seconds;
  stats.guesses += more.guesses;
  stats.guesses_right += more.guesses_right;
  stats.lanes = std::max(stats.lanes, more.lanes);
  for (const auto& [method, frames] : more.methods) stats.methods[method] += frames;
}

std::string hex_fingerprint(std::uint64_t fingerprint) {
  return fmt::format("{:016x}", fingerprint);
}

std::string stats_text(const Args& args, const Totals& totals,
                       const std::optional<ModelInfo>& model) {
  const nlohmann::json object = {
      {"bytes_in", totals.bytes_in},
      {"bytes_out", totals.bytes_out},
      {"tokens", totals.stats.tokens},
      {"seconds", totals.seconds},
      {"model_seconds", totals.stats.model_seconds},
      {"lanes", totals.stats.lanes},
      {"guesses", totals.stats.guesses},
      {"guesses_right", totals.stats.guesses_right},
      {"frames", totals.stats.frames},
      {"methods", totals.stats.methods},
      {"experts", to_string(args.write.experts)},
      {"threads", args.model.threads != 0 ? static_cast<unsigned>(args.model.threads)
                                          : std::thread::hardware_concurrency()},
      // Empty where no frame needed a model.
      {"backend", model ? to_string(model->backend) : ""},
      {"isa", model ? model->isa : ""},
      {"device", model ? model->device : ""},
      {"fingerprint", model ? hex_fingerprint(model->fingerprint) : ""},
      {"arithmetic", model ? model->arithmetic : 0},
  };
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void print_list_heading() {
  print(fmt::format("{:>12} {:>12} {:>8} {:>6}  {:<12} {:<14} {}\n", "compressed", "uncompressed",
                    "ratio", "frames", "methods", "model", "name"));
}

void print_list_line(const std::string& name, const ArchiveInfo& info) {
  std::string model = "-";
  if (info.needs_model) {
    model =
        info.model_name.empty() ? hex_fingerprint(info.fingerprint) : printable(info.model_name);
  }
  print(fmt::format("{:>12} {:>12} {:>8} {:>6}  {:<12} {:<14} {}\n", info.archive_size,
                    info.raw_size, ratio(info.archive_size, info.raw_size), info.frames.size(),
                    methods_of(info), model, printable(name)));
}

void print_list_frames(const ArchiveInfo& info) {
  if (info.needs_model) {
    print(fmt::format("  model {} fingerprint {} backend {} window {} arithmetic {}\n",
                      info.model_name.empty() ? "-" : printable(info.model_name),
                      hex_fingerprint(info.fingerprint), to_string(info.backend), info.window,
                      info.arithmetic));
  }
  if (info.dictionary) {
    print(fmt::format("  dictionary {} {:016x}\n",
                      info.dictionary_name.empty() ? "-" : printable(info.dictionary_name),
                      *info.dictionary));
  }
  std::uint64_t start = 0;
  for (std::size_t i = 0; i < info.frames.size(); ++i) {
    const FrameInfo& frame = info.frames[i];
    print(fmt::format("  frame {:<5} at byte {:<10} {:>10} of bytes {}..{} as {}\n", i,
                      frame.archive_offset, frame.stored_size, start, start + frame.raw_size,
                      frame.method));
    start += frame.raw_size;
  }
}

}  // namespace smll::cli
