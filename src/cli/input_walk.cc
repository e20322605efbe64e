#include "cli/input_walk.h"

#include <algorithm>
#include <filesystem>
#include <new>
#include <optional>
#include <utility>
#include <vector>

namespace smll::cli {

namespace fs = std::filesystem;

void InputWalk::walk(const std::string& path) {
  visitor_.before(path);
  Outcome outcome(run_.args.verbosity, /*keeps_messages=*/true);
  try {
    if (!accept(path, outcome)) {
      visitor_.leave(std::move(outcome));
    } else if (path != "-" && fs::is_directory(path)) {
      walk_directory(path);
    } else {
      visitor_.work_on(path);
    }
    return;
  } catch (const Error& error) {
    outcome.fail(path, error);
  } catch (const std::bad_alloc&) {
    outcome.fail(path, Error(ErrorKind::kMemory, "not enough memory"));
  } catch (const fs::filesystem_error& error) {
    outcome.fail(path, Error(ErrorKind::kIo, "cannot read it: " + error.code().message()));
  }
  visitor_.leave(std::move(outcome));
}

void InputWalk::walk_directory(const std::string& path) {
  // Links may lead to one directory in many ways, even without end.
  if (!directories_.insert(id_of(status_behind(path).value())).second) return;
  std::vector<std::string> entries;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    entries.push_back(entry.path().string());
  }
  std::sort(entries.begin(), entries.end());
  const bool outer = std::exchange(in_directory_, true);
  for (const std::string& entry : entries) walk(entry);
  in_directory_ = outer;
}

bool InputWalk::accept(const std::string& path, Outcome& outcome) {
  if (path == "-") return true;
  struct stat status = status_of(path);
  // Only where a file takes the place of its source does it matter that a link is none, or where it
  // is to be removed; inside directories links may lead anywhere.
  const bool derives_name =
      !run_.args.to_stdout && run_.args.output.empty() &&
      (run_.args.action == Action::kCompress || run_.args.action == Action::kDecompress);
  if (S_ISLNK(status.st_mode)) {
    const bool removes = run_.args.remove_source && !run_.args.to_stdout;
    if ((derives_name || removes || in_directory_) && !run_.args.force) {
      skip(path + " is a symbolic link -- ignored (use -f to follow it)", outcome);
      return false;
    }
    const std::optional<struct stat> behind = status_behind(path);
    if (!behind) throw Error(ErrorKind::kIo, "the symbolic link leads nowhere");
    status = *behind;
  }
  if (S_ISDIR(status.st_mode)) return accept_directory(path, outcome);
  if (in_directory_) return accept_in_directory(path, status, outcome);
  if (!S_ISREG(status.st_mode) && derives_name) {
    skip(path + " is not a regular file -- ignored", outcome);
    return false;
  }
  if (run_.args.action == Action::kCompress && path.ends_with(kSuffix) && derives_name &&
      !run_.args.force) {
    skip(path + " already has the suffix " + kSuffix + " -- unchanged", outcome);
    return false;
  }
  return true;
}

bool InputWalk::accept_directory(const std::string& path, Outcome& outcome) {
  if (!run_.args.recursive) {
    skip(path + " is a directory -- ignored (use -r to work on the files in it)", outcome);
    return false;
  }
  if (!run_.args.output.empty() && !run_.args.to_stdout) {
    throw Error(ErrorKind::kUsage, "-o takes one file; use -c to join those of a directory");
  }
  return true;
}

bool InputWalk::accept_in_directory(const std::string& path, const struct stat& status,
                                    Outcome& outcome) {
  // Only archives are meant, or what is none yet.
  const bool archive = path.ends_with(kSuffix);
  if (run_.args.action == Action::kCompress ? archive && !run_.args.to_stdout : !archive)
    return false;
  if (!S_ISREG(status.st_mode)) {
    outcome.note(path + " is not a regular file -- ignored");
    return false;
  }
  if (run_.own.contains(id_of(status))) {
    outcome.note(path + " is written to by this run -- ignored");
    return false;
  }
  return true;
}

void InputWalk::skip(const std::string& message, Outcome& outcome) const {
  if (!in_directory_) outcome.leave_alone(message);
}

}  // namespace smll::cli
