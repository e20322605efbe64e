#include "hub/cache.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "smll/error.h"

namespace smll::hub {
namespace {

namespace fs = std::filesystem;

constexpr char kWhatToSet[] = "set SMLL_CACHE to a directory of your own";

// "" for what is relative too: it would be another place in every directory.
fs::path absolute_variable(const char* name) {
  const char* value = std::getenv(name);
  const fs::path path = value ? value : "";
  return path.is_absolute() ? path : fs::path();
}

fs::path home_directory() {
  if (fs::path home = absolute_variable("HOME"); !home.empty()) return home;
  std::array<char, 4096> buffer;
  passwd entry = {};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) {
    return {};
  }
  const fs::path home = found->pw_dir;
  return home.is_absolute() ? home : fs::path();
}

std::string problem_of(const struct stat& status, const fs::path& path) {
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return path.string() + " belongs to another user";
  }
  if (status.st_mode & (S_IWGRP | S_IWOTH)) {
    return "others may write to " + path.string() + " (chmod go-w ends that)";
  }
  return "";
}

void make_directory(const fs::path& path) {
  // For others to read where the umask lets them: root may keep models for everyone.
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return;
  throw Error(ErrorKind::kModel,
              "cannot make " + path.string() + ": " + std::strerror(errno) + "; " + kWhatToSet);
}

}  // namespace

fs::path cache_directory() {
  if (const char* own = std::getenv("SMLL_CACHE"); own && *own) return own;
  if (const fs::path xdg = absolute_variable("XDG_CACHE_HOME"); !xdg.empty()) return xdg / "smll";
  const fs::path home = home_directory();
  return home.empty() ? fs::path() : home / ".cache" / "smll";
}

std::string distrust(const fs::path& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 ? problem_of(status, path) : "";
}

std::string cache_problem() {
  const fs::path directory = cache_directory();
  if (directory.empty()) return std::string("there is no place for models: ") + kWhatToSet;
  for (const fs::path& path :
       {directory, directory / kModelsDirectory, directory / kDictionariesDirectory}) {
    if (const std::string problem = distrust(path); !problem.empty()) {
      return "the cache is not used, as " + problem + ": " + kWhatToSet;
    }
  }
  return "";
}

void make_cache() {
  if (const std::string problem = cache_problem(); !problem.empty()) {
    throw Error(ErrorKind::kModel, problem);
  }
  const fs::path directory = cache_directory();
  std::error_code error;  // shows at the next step
  fs::create_directories(directory.parent_path(), error);
  make_directory(directory);
  make_directory(directory / kModelsDirectory);
  make_directory(directory / kDictionariesDirectory);
}

std::string read_believed(const fs::path& path, std::size_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return "";
  struct stat status;
  std::string content;
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && problem_of(status, path).empty()) {
    std::array<char, 4096> part;
    ssize_t got = 0;
    while (content.size() <= limit && (got = ::read(fd, part.data(), part.size())) > 0) {
      content.append(part.data(), static_cast<std::size_t>(got));
    }
  }
  ::close(fd);
  return content.size() <= limit ? content : "";
}

}  // namespace smll::hub
