// What a file that is being worked on has to do with other files.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "cli/files.h"

namespace smll::cli {

// What a path means now, as far as the work on other files may change it.
struct PathState {
  explicit PathState(const std::string& path);

  std::pair<std::optional<FileId>, std::string> place;  // directory, and name in it
  std::optional<FileId> file;                           // that it leads to
  bool is_directory = false;
  bool is_link = false;  // symbolic
};

// Of the work on one file.
class Claims {
 public:
  // `target` is "" where nothing is written.
  Claims(const std::string& source, const std::string& target);

  // Whether the work may change what is found there, or minds what is done there.
  bool concern(const PathState& path) const;

 private:
  PathState source_;
  std::optional<PathState> target_;
};

}  // namespace smll::cli
