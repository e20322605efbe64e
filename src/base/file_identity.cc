#include "base/file_identity.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "smll/error.h"

namespace smll {
namespace {

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1000000000 + time.tv_nsec;
}

}  // namespace

FileIdentity file_identity_of(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) {
    throw Error(ErrorKind::kModel,
                path + ": cannot look at the model file: " + std::strerror(errno));
  }
  FileIdentity identity;
  identity.device = status.st_dev;
  identity.inode = status.st_ino;
  identity.size = static_cast<std::uint64_t>(status.st_size);
#if defined(__APPLE__)
  identity.modified = nanoseconds(status.st_mtimespec);
  identity.changed = nanoseconds(status.st_ctimespec);
#else
  identity.modified = nanoseconds(status.st_mtim);
  identity.changed = nanoseconds(status.st_ctim);
#endif
  return identity;
}

}  // namespace smll
