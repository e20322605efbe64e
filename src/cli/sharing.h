// How much of the machine one file of many takes.
#pragma once

#include <string>

#include "cli/run.h"

namespace smll::cli {

// The parts that all files worked on at the same time may take together.
unsigned parts_of(const Args& args);

// Those that one file takes; 0 where it is to be worked on alone: it is listed, somebody watches
// its output, what it is read from is no file, or it is large and keeps all threads busy by itself.
unsigned parts_for(const Args& args, const std::string& path);

}  // namespace smll::cli
