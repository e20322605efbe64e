// The one exception type of smll.
#pragma once

#include <stdexcept>
#include <string>

#include "smll/export.h"
#include "smll/printable.h"

namespace smll {

// What kind of failure an Error reports; the command line maps it to its exit code.
enum class ErrorKind {
  kData,    // the archive, the input or an argument's value is wrong       (exit code 1)
  kUsage,   // the command line or an option is wrong                       (exit code 2)
  kModel,   // the model is missing, unreadable or not the archive's        (exit code 3)
  kIo,      // reading, writing or renaming a file failed                   (exit code 1)
  kMemory,  // an allocation failed, or a limit would be passed             (exit code 1)
};

// Thrown by every public function. what() says what happened, to which file or field, and what to
// do, in one line that is printable(), whatever the names in it are.
class SMLL_API Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message)
      : std::runtime_error(printable(message)), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace smll
