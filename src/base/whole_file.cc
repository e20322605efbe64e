#include "base/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/sha256.h"
#include "smll/error.h"

namespace smll {
namespace {

constexpr std::size_t kPart = std::size_t{256} << 10;

[[noreturn]] void fail(const char* doing, const std::string& path, int error) {
  throw Error(ErrorKind::kIo,
              std::string("cannot ") + doing + " " + path + ": " + std::strerror(error));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

// Appends up to `size` bytes; fewer only at the end of the file.
std::size_t append(int fd, const std::string& path, std::size_t size, Bytes& out) {
  const std::size_t before = out.size();
  out.resize(before + size);
  std::size_t got = 0;
  while (got < size) {
    const ssize_t part = ::read(fd, out.data() + before + got, size - got);
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) fail("read", path, errno);
    if (part == 0) break;
    got += static_cast<std::size_t>(part);
  }
  out.resize(before + got);
  return got;
}

// Where only the end of a large file is wanted, what stands before it need not be read.
void skip_to_end(int fd, std::size_t limit, Bytes& content) {
  struct stat status;
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size <= limit + content.size()) return;
  if (::lseek(fd, static_cast<off_t>(size - limit), SEEK_SET) >= 0) content.clear();
}

void write_all(int fd, ByteView content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t part = ::write(fd, content.data(), content.size());
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) fail("write", path, errno);
    content = content.subspan(static_cast<std::size_t>(part));
  }
}

}  // namespace

Bytes read_file(const std::string& path, std::size_t first, const Wants& wants) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail("open", path, errno);
  Bytes content;
  append(file.get(), path, first, content);
  const Wanted wanted = wants(content);
  if (wanted.last) skip_to_end(file.get(), wanted.limit, content);
  while (append(file.get(), path, kPart, content) != 0) {
    if (content.size() <= wanted.limit) continue;
    if (!wanted.last) {
      throw Error(ErrorKind::kData,
                  path + " is larger than " + std::to_string(wanted.limit) + " bytes");
    }
    content.erase(content.begin(), content.end() - static_cast<std::ptrdiff_t>(wanted.limit));
  }
  return content;
}

void replace_file(const std::string& path, ByteView content) {
  const std::filesystem::path target(path);
  // A long name leaves no room for the addition.
  const std::string name = target.filename().string().substr(0, 200);
  std::string partial = (target.parent_path() / ("." + name + ".XXXXXX")).string();
  Descriptor file(::mkostemp(partial.data(), O_CLOEXEC));
  if (file.get() < 0) fail("write", path, errno);
  try {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    ::fchmod(file.get(), 0666 & ~mask);
    write_all(file.get(), content, path);
    // Without this a crash soon after could leave the name on an empty file.
    if (::fsync(file.get()) != 0 && errno != EINVAL && errno != EROFS) fail("write", path, errno);
    if (!file.close()) fail("write", path, errno);
    if (::rename(partial.c_str(), path.c_str()) != 0) fail("name", path, errno);
  } catch (...) {
    ::unlink(partial.c_str());
    throw;
  }
}

CopiedFile copy_file(const std::string& from, const std::string& to,
                     const std::function<void()>& progress) {
  // What is no regular file is not waited for.
  const Descriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (source.get() < 0) fail("open", from, errno);
  struct stat status;
  if (::fstat(source.get(), &status) != 0) fail("read", from, errno);
  if (!S_ISREG(status.st_mode)) throw Error(ErrorKind::kIo, from + " is no regular file");
  Descriptor target(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (target.get() < 0) fail("write", to, errno);
  CopiedFile copied;
  Sha256 hash;
  Bytes part;
  while (append(source.get(), from, kPart, part) != 0) {
    write_all(target.get(), part, to);
    hash.update(part);
    copied.size += part.size();
    part.clear();
    if (progress) progress();
  }
  if (!target.close()) fail("write", to, errno);
  copied.sha256 = hash.hex();
  return copied;
}

}  // namespace smll
