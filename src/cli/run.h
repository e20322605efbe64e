// What all work of one run of the program shares.
#pragma once

#include <set>

#include "cli/args.h"
#include "cli/files.h"
#include "smll/smll.h"

namespace smll::cli {

// Not changed while files are worked on.
struct Run {
  Args args;
  Model model;
  std::set<FileId> own;  // what the whole run writes to and never reads
};

}  // namespace smll::cli
