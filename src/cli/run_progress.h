// One progress line for all files of a run.
#pragma once

#include <cstddef>
#include <optional>

#include "cli/progress.h"
#include "cli/report.h"
#include "cli/run.h"

namespace smll::cli {

class RunProgress {
 public:
  explicit RunProgress(const Run& run) : run_(run) {}

  // Files that are done, with what they count, and what those in work have done.
  void update(std::size_t files, const Totals& totals, const Stats& working);
  // Removes the line.
  void clear();

 private:
  void start();

  const Run& run_;
  bool all_known_ = true;  // the inputs are files of known sizes
  std::optional<ProgressBar> bar_;
};

}  // namespace smll::cli
