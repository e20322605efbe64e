// One run of the program over its input files.
#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>

#include "cli/args.h"
#include "cli/file_queue.h"
#include "cli/files.h"
#include "cli/input_walk.h"
#include "cli/report.h"
#include "cli/run.h"
#include "cli/run_progress.h"

namespace smll::cli {

class Session : private InputWalk::Visitor, private FileQueue::Owner {
 public:
  explicit Session(Args args);

  // Works on all inputs and returns the exit status: that of the first failure, or 0. An input that
  // fails does not keep the others from being worked on.
  int run();

 private:
  // Finds the files that Run::own is for. Throws Error where the statistics cannot go where they
  // shall.
  void prepare_outputs();
  void check_stats(const struct stat& there) const;
  void write_stats() const;
  bool writes_standard_output() const;
  void list_archive(const std::string& path, Outcome& outcome);

  void before(const std::string& path) override;
  void work_on(const std::string& path) override;
  void leave(Outcome outcome) override;

  void report(Outcome& outcome) override;
  void work_alone(FileJob& job) override;
  void tick() override;

  Run run_;
  RunProgress progress_;
  FileQueue queue_;
  Totals totals_;
  std::set<FileId> touched_;  // inputs and outputs so far, where that matters
  std::size_t files_ = 0;     // done
  bool listed_ = false;
  int status_ = 0;
};

}  // namespace smll::cli
