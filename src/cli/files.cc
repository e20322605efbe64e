#include "cli/files.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "cli/signals.h"
#include "smll/error.h"

namespace smll::cli {
namespace {

// Waits, for `seconds` or where it is negative without end; false when the time ran out.
bool wait_for(int fd, short events, double seconds = -1) {
  pollfd waiting = {fd, events, 0};
  while (true) {
    const int ready = ::poll(&waiting, 1, seconds < 0 ? -1 : static_cast<int>(seconds * 1000));
    if (ready >= 0) return ready > 0;
    if (errno != EINTR) return true;  // what is wrong shows when it is used
  }
}

// Whether the call that failed is to be made again. A descriptor shared with another program may be
// non-blocking, whatever we want.
bool try_again(int fd, short events) {
  if (errno == EINTR) return true;
  return (errno == EAGAIN || errno == EWOULDBLOCK) && wait_for(fd, events);
}

[[noreturn]] void throw_io(const std::string& doing, const std::string& name) {
  throw Error(ErrorKind::kIo, "cannot " + doing + " " + name + ": " + std::strerror(errno));
}

int open_input(const std::string& path) {
  if (path == "-") return STDIN_FILENO;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw_io("open", path);
  return fd;
}

// Makes a rename outlive a power cut. Some file systems cannot; that is no error.
void sync_directory_of(const std::string& path) {
  std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (parent.empty()) parent = ".";
  const Descriptor directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
}

bool garbles_terminal(std::uint8_t byte) {
  return byte == 0x7F ||
         (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r' && byte != '\f');
}

}  // namespace

void secure_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lower ones are open, so that this is the next free number. The wrong direction makes
    // using it an error instead of an empty input or lost output.
    if (::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) {
      throw Error(ErrorKind::kIo, "a standard stream is closed, and /dev/null cannot be opened");
    }
  }
}

bool Descriptor::close() {
  const int fd = fd_;
  fd_ = -1;
  return fd < 0 || !owned_ || ::close(fd) == 0;
}

FileSource::FileSource(const std::string& path)
    : name_(path == "-" ? "standard input" : path),
      stdin_(path == "-"),
      descriptor_(open_input(path), path != "-") {
  if (::fstat(descriptor_.get(), &status_) != 0) throw_io("read", name_);
  const off_t at = S_ISREG(status_.st_mode) ? ::lseek(descriptor_.get(), 0, SEEK_CUR) : -1;
  seekable_ = at >= 0;
  base_ = position_ = seekable_ ? static_cast<std::uint64_t>(at) : 0;
  if (seekable_ && status_.st_size > 0) end_ = static_cast<std::uint64_t>(status_.st_size);
}

std::size_t FileSource::read(std::span<std::uint8_t> out) {
  const std::uint64_t left = end_ - std::min(position_, end_);
  out = out.first(std::min<std::uint64_t>(out.size(), left));
  if (out.empty()) return 0;
  while (true) {
    const ssize_t got = ::read(descriptor_.get(), out.data(), out.size());
    if (got >= 0) {
      position_ += static_cast<std::uint64_t>(got);
      return static_cast<std::size_t>(got);
    }
    if (!try_again(descriptor_.get(), POLLIN)) throw_io("read", name_);
  }
}

void FileSource::seek(std::uint64_t offset) {
  position_ = base_ + offset;
  if (::lseek(descriptor_.get(), static_cast<off_t>(position_), SEEK_SET) < 0) {
    throw_io("seek in", name_);
  }
}

std::uint64_t FileSource::size() const {
  const std::uint64_t size = static_cast<std::uint64_t>(status_.st_size);
  return size > base_ ? size - base_ : 0;
}

bool FileSource::wait(double seconds) const { return wait_for(descriptor_.get(), POLLIN, seconds); }

PeekedSource::PeekedSource(Source& source, std::size_t size) : source_(source), peeked_(size) {
  std::size_t done = 0;
  while (done < size) {
    const std::size_t got = source_.read(std::span(peeked_).subspan(done));
    if (got == 0) break;
    done += got;
  }
  peeked_.resize(done);
}

std::size_t PeekedSource::read(std::span<std::uint8_t> out) {
  if (given_ == peeked_.size()) return source_.read(out);
  const std::size_t part = std::min(out.size(), peeked_.size() - given_);
  std::copy_n(peeked_.begin() + static_cast<std::ptrdiff_t>(given_), part, out.begin());
  given_ += part;
  return part;
}

void PeekedSource::seek(std::uint64_t offset) {
  source_.seek(offset);
  given_ = peeked_.size();
}

void DescriptorSink::write(ByteView data) {
  while (!data.empty()) {
    const ssize_t put = ::write(fd_, data.data(), data.size());
    if (put >= 0) {
      data = data.subspan(static_cast<std::size_t>(put));
    } else if (!try_again(fd_, POLLOUT)) {
      throw_io("write", name_);
    }
  }
}

void TerminalSink::write(ByteView data) {
  for (const std::uint8_t byte : data) {
    if (garbles_terminal(byte)) {
      throw Error(ErrorKind::kData,
                  "the data is not text and would garble the terminal; use -o FILE, "
                  "or -f to write it anyway");
    }
  }
  DescriptorSink::write(data);
}

OutputFile::OutputFile(const std::string& path, bool replace) : path_(path), replace_(replace) {
  struct stat status;
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    fail("write");
  }
  if (exists && !S_ISREG(status.st_mode)) {
    descriptor_.emplace(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (descriptor_->get() < 0) fail("write");
  } else if (exists && !replace) {
    throw Error(ErrorKind::kIo, path + " already exists; use -f to overwrite it");
  } else {
    open_beside();
  }
  sink_.emplace(descriptor_->get(), path);
}

OutputFile::~OutputFile() {
  if (partial_.empty()) return;
  SignalHold hold;
  ::unlink(partial_.c_str());
  hold.set_unfinished_file("");
}

void OutputFile::open_beside() {
  const std::filesystem::path path(path_);
  // A long name leaves no room for the addition.
  const std::string name = path.filename().string().substr(0, 200);
  std::string pattern = (path.parent_path() / ("." + name + ".XXXXXX")).string();
  SignalHold hold;
  const int fd = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (fd < 0) fail("write");
  partial_ = pattern;
  hold.set_unfinished_file(partial_);
  descriptor_.emplace(fd);
}

void OutputFile::commit(const struct stat* like) {
  const int fd = descriptor_->get();
  if (partial_.empty()) {
    if (!descriptor_->close()) fail("write");
    return;
  }
  if (like) {
    // Only root may give files away; the mode follows, as a change of owner clears parts of it.
    if (::fchown(fd, like->st_uid, like->st_gid) != 0 && ::fchown(fd, -1, like->st_gid) != 0) {
      errno = 0;
    }
    ::fchmod(fd, like->st_mode & 07777);
    const timespec times[2] = {like->st_atim, like->st_mtim};
    ::futimens(fd, times);
  } else {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    ::fchmod(fd, 0666 & ~mask);
  }
  // Without this a crash soon after could leave the name on an empty file and the source removed.
  if (::fsync(fd) != 0 && errno != EINVAL && errno != EROFS) fail("write");
  if (!descriptor_->close()) fail("write");
  take_name();
  sync_directory_of(path_);
}

void OutputFile::take_name() {
  SignalHold hold;
  int failed = -1;
  if (!replace_) {
    // Another process may have made the file since we looked.
    failed = ::renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE);
    if (failed && errno == EEXIST) {
      throw Error(ErrorKind::kIo, path_ + " already exists; use -f to overwrite it");
    }
  }
  if (failed) failed = ::rename(partial_.c_str(), path_.c_str());
  if (failed) fail("name");
  partial_.clear();
  hold.set_unfinished_file("");
}

void OutputFile::fail(const std::string& doing) const { throw_io(doing, path_); }

struct stat status_of(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0) throw_io("open", path);
  return status;
}

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace smll::cli
