// One run of the program over its input files.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "cli/args.h"
#include "cli/files.h"
#include "cli/report.h"
#include "smll/smll.h"

namespace smll::cli {

class Session {
 public:
  explicit Session(Args args);

  // Works on all inputs and returns the exit status: that of the first failure, or 0. An input that
  // fails does not keep the others from being worked on.
  int run();

 private:
  // Finds the files that own_ is for. Throws Error where the statistics cannot go where they shall.
  void prepare_outputs();
  void check_stats(const struct stat& there) const;
  void write_stats() const;
  bool writes_standard_output() const;
  void run_input(const std::string& path);
  void run_directory(const std::string& path);
  // False for what is left alone, which has been said then.
  bool accept(const std::string& path);
  bool accept_directory(const std::string& path);
  bool accept_in_directory(const std::string& path, const struct stat& status);
  void process(const std::string& path);
  void compress(FileSource& source, Sink& sink, const std::string& name);
  void decompress(FileSource& source, Sink& sink, const std::string& name);
  void decode(Source& source, Sink& sink, const std::string& name);
  void copy(Source& source, Sink& sink);
  void list_archive(FileSource& source, const std::string& name);
  void to_descriptor(FileSource& source, const std::string& path, int fd, const std::string& name);
  void to_file(FileSource& source, const std::string& path, const std::string& target);
  void remove_source(const FileSource& source, const std::string& path);
  std::unique_ptr<Sink> sink_for(int fd, const std::string& name) const;
  std::string target_of(const std::string& path) const;
  void transform(FileSource& source, Sink& sink, const std::string& path);
  void report_done(const std::string& path, const Stats& stats, const std::string& target);
  void note_padding(const std::string& name, std::uint64_t bytes) const;
  // Says why an input is left alone; outside directories that is a failure.
  void skip(const std::string& message);
  void note(const std::string& message) const;
  void fail(const std::string& path, const Error& error);
  bool shows_progress() const;

  Args args_;
  Model model_;
  Totals totals_;
  Stats last_;                    // of the file just worked on
  std::set<FileId> own_;          // what the whole run writes to and never reads
  std::set<FileId> touched_;      // inputs and outputs so far
  std::set<FileId> directories_;  // that it has been in
  bool listed_ = false;
  bool in_directory_ = false;
  int status_ = 0;
};

}  // namespace smll::cli
