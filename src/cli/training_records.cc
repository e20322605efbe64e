#include "cli/training_records.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <utility>

#include "cli/files.h"
#include "cli/outcome.h"
#include "smll/error.h"

namespace smll::cli {
namespace {

constexpr std::uint64_t kMaxInput = std::uint64_t{256} << 20;  // bytes
constexpr std::array<std::pair<const char*, RecordKind>, 4> kKinds = {
    {{"guess", RecordKind::kGuess},
     {"lines", RecordKind::kLines},
     {"files", RecordKind::kFiles},
     {"json", RecordKind::kJson}}};

bool is_space(std::uint8_t byte) {
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

bool is_one_of(std::uint8_t byte, const char* characters) {
  return byte != 0 && std::strchr(characters, byte) != nullptr;
}

// Goes through the values of a JSON text.
class JsonScan {
 public:
  explicit JsonScan(ByteView text) : text_(text) {}

  // Where the next value, or what stands in its place, begins.
  std::size_t skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    return at_;
  }
  bool ended() const { return at_ == text_.size(); }
  std::uint8_t here() const { return text_[at_]; }
  void skip() { ++at_; }

  ByteView value() {
    const std::size_t start = at_;
    std::size_t depth = 0;
    do {
      if (ended()) fail("a bracket is not closed");
      const std::uint8_t byte = text_[at_];
      if (byte == '"') {
        skip_string();
      } else if (is_one_of(byte, "[{")) {
        ++depth;
        ++at_;
      } else if (is_one_of(byte, "]}")) {
        if (depth == 0) fail("a bracket closes nothing");
        --depth;
        ++at_;
      } else if (depth > 0) {
        ++at_;
      } else {
        skip_word();
      }
    } while (depth > 0);
    return text_.subspan(start, at_ - start);
  }

  [[noreturn]] static void fail(const std::string& how) {
    throw Error(ErrorKind::kData, "this is not JSON: " + how);
  }

 private:
  void skip_string() {
    for (++at_; !ended() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
      if (at_ >= text_.size()) break;
    }
    if (at_ >= text_.size()) fail("a string is not closed");
    ++at_;
  }
  // A number or name.
  void skip_word() {
    const std::size_t start = at_;
    while (!ended() && !is_space(text_[at_]) && !is_one_of(text_[at_], ",:[]{}\"")) ++at_;
    if (at_ == start) fail("there is a sign in the place of a value");
  }

  const ByteView text_;
  std::size_t at_ = 0;
};

void add_elements(JsonScan& scan, std::vector<ByteView>& records) {
  scan.skip();
  for (;;) {
    scan.skip_space();
    if (scan.ended()) JsonScan::fail("a bracket is not closed");
    if (scan.here() == ']') return scan.skip();
    if (scan.here() == ',') {
      scan.skip();
      continue;
    }
    records.push_back(scan.value());
  }
}

RecordKind guessed(const std::vector<std::string>& paths, ByteView first) {
  if (paths.size() > 1) return RecordKind::kFiles;
  const auto sign = std::find_if_not(first.begin(), first.end(), is_space);
  const bool is_array = sign != first.end() && *sign == '[';
  return is_array && paths.front().ends_with(".json") ? RecordKind::kJson : RecordKind::kLines;
}

Bytes contents(const std::string& path, std::uint64_t room) {
  FileSource source(path);
  Bytes content;
  Bytes part(std::size_t{256} << 10);
  while (const std::size_t got = source.read(part)) {
    content.insert(content.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    if (content.size() > room) {
      throw Error(ErrorKind::kData, "the files have more than " + std::to_string(kMaxInput >> 20) +
                                        " MiB; train with a part of them");
    }
  }
  return content;
}

}  // namespace

RecordKind parse_record_kind(const std::string& name) {
  for (const auto& [known, kind] : kKinds) {
    if (name == known) return kind;
  }
  throw Error(ErrorKind::kUsage, "'" + name + "' is no kind of records: lines, files or json");
}

std::string to_string(RecordKind kind) {
  return std::ranges::find(kKinds, kind, [](const auto& known) { return known.second; })->first;
}

TrainingRecords::TrainingRecords(const std::vector<std::string>& paths, RecordKind kind)
    : kind_(kind) {
  std::uint64_t room = kMaxInput;
  for (const std::string& path : paths) {
    files_.push_back(contents(path, room));
    room -= files_.back().size();
  }
  if (kind_ == RecordKind::kGuess) kind_ = guessed(paths, files_.front());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (kind_ == RecordKind::kLines) add_lines(files_[i], records_);
    if (kind_ == RecordKind::kFiles) records_.emplace_back(files_[i]);
    if (kind_ != RecordKind::kJson) continue;
    try {
      add_json_values(files_[i], records_);
    } catch (const Error& error) {
      throw Error(ErrorKind::kData, shown(paths[i]) + ": " + error.what());
    }
  }
}

void add_lines(ByteView file, std::vector<ByteView>& records) {
  while (!file.empty()) {
    const auto end = std::ranges::find(file, '\n');
    const auto size = static_cast<std::size_t>(end - file.begin());
    records.push_back(file.first(size));
    file = file.subspan(std::min(size + 1, file.size()));
  }
}

void add_json_values(ByteView file, std::vector<ByteView>& records) {
  JsonScan scan(file);
  for (scan.skip_space(); !scan.ended(); scan.skip_space()) {
    if (scan.here() == '[') {
      add_elements(scan, records);
    } else {
      records.push_back(scan.value());
    }
  }
}

}  // namespace smll::cli
