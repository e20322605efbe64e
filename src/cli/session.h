// One run of the program over its input files.
#pragma once

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
  void run_input(const std::string& path);
  void run_directory(const std::string& path);
  // False for what is left alone, which has been said then.
  bool accept(const std::string& path);
  void process(const std::string& path);
  void compress(FileSource& source, Sink& sink, const std::string& name);
  void decompress(FileSource& source, Sink& sink, const std::string& name);
  void decode(Source& source, Sink& sink, const std::string& name);
  void copy(Source& source, Sink& sink);
  void list_archive(FileSource& source, const std::string& name);
  void to_standard_output(FileSource& source, const std::string& path);
  void to_file(FileSource& source, const std::string& path, const std::string& target);
  std::string target_of(const std::string& path) const;
  void transform(FileSource& source, Sink& sink, const std::string& path);
  void check_not_same(const FileSource& source, const std::string& target) const;
  void report_done(const std::string& path, const Stats& stats, const std::string& target);
  void note_padding(const std::string& name, std::uint64_t bytes) const;
  void skip(const std::string& message);
  void fail(const std::string& path, const Error& error);
  bool shows_progress() const;

  Args args_;
  Model model_;
  Totals totals_;
  Stats last_;  // of the file just worked on
  bool listed_ = false;
  bool quiet_recursion_ = false;  // what does not fit is passed over silently inside directories
  int status_ = 0;
};

}  // namespace smll::cli
