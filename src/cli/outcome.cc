#include "cli/outcome.h"

#include <fmt/format.h>

#include <utility>

#include "cli/report.h"
#include "smll/printable.h"

namespace smll::cli {

std::string shown(const std::string& path) {
  return path == "-" ? "standard input" : printable(path);
}

void Outcome::note(const std::string& text) {
  if (verbosity_ >= 0) put(message_of(text));
}

void Outcome::fail(const std::string& path, const Error& error) {
  if (verbosity_ >= -1) put(message_of(shown(path) + ": " + error.what()));
  if (status_ == 0) status_ = exit_status(error.kind());
}

void Outcome::leave_alone(const std::string& text) {
  note(text);
  if (status_ == 0) status_ = 1;
}

void Outcome::note_padding(const std::string& path, std::uint64_t bytes) {
  if (bytes == 0 || verbosity_ < 0) return;
  put(message_of(
      fmt::format("{}: {} zero bytes behind the archive are ignored", shown(path), bytes)));
}

void Outcome::put(const std::string& text) {
  if (kept_) {
    messages_ += text;
  } else {
    put_message(text);
  }
}

void Outcome::release() {
  kept_ = false;
  if (!messages_.empty()) put_message(std::exchange(messages_, {}));
}

}  // namespace smll::cli
