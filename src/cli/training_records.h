// What `smll train` takes for records.
#pragma once

#include <string>
#include <vector>

#include "smll/io.h"

namespace smll::cli {

enum class RecordKind {
  kGuess,  // kFiles of several files; of one kJson where it is an array of a .json, else kLines
  kLines,  // each line
  kFiles,  // each file
  kJson,   // each value of a file, or each element where that is an array
};

// Throws Error(kUsage) for another name than "guess", "lines", "files" and "json".
RecordKind parse_record_kind(const std::string& name);
std::string to_string(RecordKind kind);

// Files and the records in them, which are parts of the files' bytes.
class TrainingRecords {
 public:
  // "-" is standard input. Throws Error(kIo), and Error(kData) for files of more than 256 MiB in
  // all and for what is not JSON where it should be.
  TrainingRecords(const std::vector<std::string>& paths, RecordKind kind);

  const std::vector<ByteView>& records() const { return records_; }
  // Never kGuess.
  RecordKind kind() const { return kind_; }

 private:
  RecordKind kind_;
  std::vector<Bytes> files_;
  std::vector<ByteView> records_;
};

// Each line without its end.
void add_lines(ByteView file, std::vector<ByteView>& records);
// Each JSON value as it stands in the file. Throws Error(kData) where brackets or quotes do not
// close; what stands between them is not looked at.
void add_json_values(ByteView file, std::vector<ByteView>& records);

}  // namespace smll::cli
