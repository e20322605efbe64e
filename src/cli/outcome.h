// What comes of one input.
#pragma once

#include <string>
#include <vector>

#include "cli/files.h"
#include "smll/options.h"

namespace smll::cli {

// "standard input" for "-", otherwise the printable() path.
std::string shown(const std::string& path);

// Messages, and what the run counts. Messages are kept until release() where others are worked on
// at the same time, so that they come in the order of the inputs.
class Outcome {
 public:
  explicit Outcome(int verbosity, bool keeps_messages = false)
      : verbosity_(verbosity), kept_(keeps_messages) {}

  // Says so, unless -q.
  void note(const std::string& text);
  // Says what is wrong, unless -qq. The first failure sets the status.
  void fail(const std::string& path, const Error& error);
  // The same for what is left alone, which only -q keeps quiet about.
  void leave_alone(const std::string& text);
  // Of zero bytes behind an archive, if there are any.
  void note_padding(const std::string& path, std::uint64_t bytes);
  // A message as it is.
  void put(const std::string& text);
  // Writes the messages that were kept; later ones are written at once.
  void release();

  int status() const { return status_; }
  // Whether there is nothing to say or count.
  bool empty() const { return messages_.empty() && status_ == 0 && !done; }

  Stats stats;
  bool done = false;            // the stats count
  std::vector<FileId> touched;  // input and output

 private:
  int verbosity_;
  bool kept_;
  std::string messages_;
  int status_ = 0;
};

}  // namespace smll::cli
