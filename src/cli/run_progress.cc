#include "cli/run_progress.h"

#include <fmt/format.h>

#include "cli/file_job.h"

namespace smll::cli {

void RunProgress::start() {
  std::uint64_t bytes = 0;
  const bool shown = shows_progress(run_.args);
  if (shown) {
    for (const std::string& input : run_.args.inputs) {
      const std::optional<struct stat> status = status_behind(input);
      // What a directory holds is only found on the way.
      all_known_ = all_known_ && status && S_ISREG(status->st_mode);
      if (all_known_) bytes += static_cast<std::uint64_t>(status->st_size);
    }
  }
  bar_.emplace(shown, "", all_known_ ? bytes : 0);
}

void RunProgress::update(std::size_t files, const Totals& totals, const Stats& working) {
  if (!bar_) start();
  const bool compressing = run_.args.action == Action::kCompress;
  Stats sum = working;
  sum.raw_bytes += compressing ? totals.bytes_in : totals.bytes_out;
  sum.archive_bytes += compressing ? totals.bytes_out : totals.bytes_in;
  sum.tokens += totals.stats.tokens;
  bar_->rename(all_known_ ? fmt::format("{}/{} files", files, run_.args.inputs.size())
                          : fmt::format("{} files", files));
  bar_->update(sum, compressing);
}

void RunProgress::clear() {
  if (bar_) bar_->clear();
}

}  // namespace smll::cli
