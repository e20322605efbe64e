// What the program says: messages on standard error, statistics as JSON, tables.
#pragma once

#include <string>
#include <vector>

#include "cli/args.h"
#include "smll/smll.h"

namespace smll::cli {

// "smll: TEXT", printable(), and a line end.
std::string message_of(const std::string& text);

// The same on standard error.
void say(const std::string& text);

// On standard error, without anything added. Where it cannot be written nobody is there to be told.
void put_message(const std::string& text);

// On standard output. Throws Error(kIo).
void print(const std::string& text);

// A line of a table: what, and behind it in the same column, as printable(), the value.
void print_fact(const std::string& what, const std::string& value);

ByteView bytes_of(const std::string& text);

// The program's exit status for an error.
int exit_status(ErrorKind kind);

// Sums over all files of one run.
struct Totals {
  Stats stats;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  double seconds = 0;
  void add(const Stats& stats, bool compressing);
};

// One JSON object and a line end.
std::string stats_text(const Args& args, const Totals& totals,
                       const std::optional<ModelInfo>& model);

// A line for each archive under one heading, and its frames with `verbose`.
void print_list_heading();
void print_list_line(const std::string& name, const ArchiveInfo& info);
void print_list_frames(const ArchiveInfo& info);

std::string hex_fingerprint(std::uint64_t fingerprint);

}  // namespace smll::cli
