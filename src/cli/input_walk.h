// Finds the files that a run works on, in order.
#pragma once

#include <set>
#include <string>

#include "cli/files.h"
#include "cli/outcome.h"
#include "cli/run.h"

namespace smll::cli {

class InputWalk {
 public:
  // What it finds goes to the visitor.
  class Visitor {
   public:
    virtual ~Visitor() = default;
    // Called before anything is asked about the path.
    virtual void before(const std::string& path) = 0;
    virtual void work_on(const std::string& path) = 0;
    // An input that is not worked on, or a directory that could not be read.
    virtual void leave(Outcome outcome) = 0;
  };

  InputWalk(const Run& run, Visitor& visitor) : run_(run), visitor_(visitor) {}

  // A file, "-", or a directory with all in it.
  void walk(const std::string& path);

 private:
  void walk_directory(const std::string& path);
  // False for what is left alone, which the outcome says then.
  bool accept(const std::string& path, Outcome& outcome);
  bool accept_directory(const std::string& path, Outcome& outcome);
  bool accept_in_directory(const std::string& path, const struct stat& status, Outcome& outcome);
  // Says why an input is left alone; outside directories that is a failure.
  void skip(const std::string& message, Outcome& outcome) const;

  const Run& run_;
  Visitor& visitor_;
  std::set<FileId> directories_;  // that it has been in
  bool in_directory_ = false;
};

}  // namespace smll::cli
