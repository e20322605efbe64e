// The work on one file: compressing, decompressing or testing it.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "cli/files.h"
#include "cli/outcome.h"
#include "cli/progress.h"
#include "cli/run.h"

namespace smll::cli {

// Where the output goes unless the arguments say. Throws Error(kData) where the name tells none.
std::string target_of(const Args& args, const std::string& path);

// Whether a progress line is wanted.
bool shows_progress(const Args& args);

Error same_file();

class FileJob {
 public:
  // "-" is standard input. `run` must outlive it.
  FileJob(const Run& run, std::string path);

  // Does the work; what went wrong is in outcome(). Messages and a progress line come at once.
  void work_alone();
  // The same beside others, with one of `parts` parts of the memory. Messages are kept, and so is
  // what goes to standard output, until give_output().
  void work_beside_others(unsigned parts);
  // Its turn has come.
  void give_output();
  // Bytes that wait for it. Not while it works.
  std::size_t kept() const { return kept_.size(); }
  // Whether it failed for want of more memory or time than others left it, and is to work alone.
  bool wants_all() const { return wants_all_; }

  Outcome& outcome() { return outcome_; }
  const std::string& path() const { return path_; }
  // Raw and archive bytes and tokens so far; any thread may ask.
  Stats so_far() const;

 private:
  void work();
  void process();
  void compress(FileSource& source, Sink& sink);
  void decompress(FileSource& source, Sink& sink);
  void decode(Source& source, Sink& sink);
  void copy(Source& source, Sink& sink);
  void to_descriptor(FileSource& source, int fd, const std::string& name);
  void to_file(FileSource& source, const std::string& target);
  void remove_source(const FileSource& source);
  std::unique_ptr<Sink> sink_for(int fd, const std::string& name) const;
  void transform(FileSource& source, Sink& sink);
  void report_done(const std::string& target);
  Progress progress(ProgressBar& bar);

  const Run& run_;
  const Args& args_;
  const std::string path_;
  bool alone_ = true;
  bool wants_all_ = false;
  bool done_but_output_ = false;
  Bytes kept_;
  std::uint64_t max_memory_;
  Outcome outcome_;
  std::atomic<std::uint64_t> raw_bytes_ = 0, archive_bytes_ = 0, tokens_ = 0;
};

}  // namespace smll::cli
