// One line on standard error that says how far the work is.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "smll/options.h"

namespace smll::cli {

// Draws at most ten times a second, and nothing in the first moments: short work needs no bar.
class ProgressBar {
 public:
  // `name` is printable(). `total` is the number of bytes to come on the side that is read, or
  // whatever the updates count; 0 when unknown.
  ProgressBar(bool enabled, std::string name, std::uint64_t total);
  ~ProgressBar() { clear(); }

  void update(const Stats& stats, bool compressing);
  // Shows another name from now on.
  void rename(std::string name) { name_ = std::move(name); }
  // A download: bytes only.
  void update(std::uint64_t done);
  // Of work that is counted in tokens, as `total` is.
  void update_tokens(std::uint64_t done);
  // Removes the line.
  void clear();

 private:
  bool due();
  void draw(std::uint64_t done, const std::string& details);
  void draw(std::uint64_t done, std::string line, const std::string& details);

  bool enabled_;
  std::string name_;
  std::uint64_t total_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_;
  bool drawn_ = false;
};

// "1.4 MiB"
std::string human_bytes(std::uint64_t bytes);

}  // namespace smll::cli
