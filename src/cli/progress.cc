#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cli/report.h"

namespace smll::cli {
namespace {

using Clock = std::chrono::steady_clock;

std::size_t terminal_columns() {
  winsize size = {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string clock_time(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

// The end of a printable name that is longer than `room` bytes.
std::string end_of(const std::string& name, std::size_t room) {
  if (name.size() <= room) return name;
  if (room <= 3) return "";
  std::size_t start = name.size() - room + 3;
  // No character is cut.
  while (start < name.size() && (static_cast<unsigned char>(name[start]) & 0xC0) == 0x80) ++start;
  return "..." + name.substr(start);
}

}  // namespace

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

ProgressBar::ProgressBar(bool enabled, std::string name, std::uint64_t total)
    : enabled_(enabled),
      name_(std::move(name)),
      total_(total),
      start_(Clock::now()),
      last_(start_) {}

bool ProgressBar::due() {
  const Clock::time_point now = Clock::now();
  const auto pause = std::chrono::milliseconds(drawn_ ? 100 : 300);
  if (!enabled_ || now - last_ < pause) return false;
  last_ = now;
  return true;
}

void ProgressBar::update(const Stats& stats, bool compressing) {
  if (!due()) return;
  const double seconds = std::chrono::duration<double>(last_ - start_).count();
  std::string details;
  if (stats.tokens != 0) {
    details += fmt::format("  {:.0f} tokens/s", static_cast<double>(stats.tokens) / seconds);
  } else {
    details +=
        "  " +
        human_bytes(static_cast<std::uint64_t>(static_cast<double>(stats.raw_bytes) / seconds)) +
        "/s";
  }
  if (compressing && stats.archive_bytes != 0 && stats.raw_bytes != 0) {
    details += fmt::format("  {:.1f}%", 100.0 * static_cast<double>(stats.archive_bytes) /
                                            static_cast<double>(stats.raw_bytes));
  }
  draw(compressing ? stats.raw_bytes : stats.archive_bytes, details);
}

void ProgressBar::update(std::uint64_t done) {
  if (due()) draw(done, "");
}

void ProgressBar::update_tokens(std::uint64_t done) {
  if (due()) draw(done, fmt::format("{} / {} tokens", done, total_), "");
}

void ProgressBar::draw(std::uint64_t done, const std::string& details) {
  const std::string all = total_ != 0 ? " / " + human_bytes(total_) : "";
  draw(done, human_bytes(done) + all, details);
}

// `line` says how much is done.
void ProgressBar::draw(std::uint64_t done, std::string line, const std::string& details) {
  const double seconds = std::chrono::duration<double>(last_ - start_).count();
  if (total_ != 0) {
    line += fmt::format(" ({:.0f}%)", 100.0 * static_cast<double>(std::min(done, total_)) /
                                          static_cast<double>(total_));
  }
  line += details;
  if (total_ != 0 && done != 0 && done < total_) {
    line += "  left " +
            clock_time(seconds * static_cast<double>(total_ - done) / static_cast<double>(done));
  }
  const std::size_t columns = terminal_columns();
  const std::size_t room = columns > line.size() + 4 ? columns - line.size() - 4 : 0;
  const std::string name = end_of(name_, room);
  line = (name + (name.empty() ? "" : "  ") + line).substr(0, columns - 1);
  put_message(fmt::format("\r{}\033[K", line));
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_) return;
  put_message("\r\033[K");
  drawn_ = false;
}

}  // namespace smll::cli
