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

namespace fs = std::filesystem;

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
  fs::path parent = fs::path(path).parent_path();
  if (parent.empty()) parent = ".";
  const Descriptor directory(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
}

// The rights that a new owner of the file gets, when its group could be kept or not: what a group
// may do is not given to another one, unless everyone may do it.
mode_t rights(mode_t mode, bool group_kept) {
  const mode_t kept = mode & (S_IRWXU | S_IRWXG | S_IRWXO);
  if (group_kept) return kept;
  const mode_t common = (kept >> 3) & kept & S_IRWXO;
  return (kept & S_IRWXU) | common << 3 | common;
}

void copy_attributes(const struct stat& like, int fd) {
  if (::fchown(fd, like.st_uid, static_cast<gid_t>(-1)) != 0) {
    // Only root may give files away: it stays ours.
  }
  const bool group_kept = ::fchown(fd, static_cast<uid_t>(-1), like.st_gid) == 0;
  // After the owner, so that nobody has rights too early.
  ::fchmod(fd, rights(like.st_mode, group_kept));
  const timespec times[2] = {like.st_atim, like.st_mtim};
  ::futimens(fd, times);
}

bool garbles_terminal(std::uint8_t before, std::uint8_t byte) {
  const bool c1 = before == 0xC2 && byte >= 0x80 && byte < 0xA0;  // U+0080 to U+009F
  return c1 || byte == 0x7F ||
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

bool FileSource::changed() const {
  const struct stat now = status_of(descriptor_.get());
  return now.st_size != status_.st_size || now.st_mtim.tv_sec != status_.st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != status_.st_mtim.tv_nsec;
}

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
    if (garbles_terminal(before_, byte)) {
      throw Error(ErrorKind::kData,
                  "the data is not text and would garble the terminal; use -o FILE, "
                  "or -f to write it anyway");
    }
    before_ = byte;
  }
  DescriptorSink::write(data);
}

OutputFile::OutputFile(const std::string& path, bool replace) : path_(path), replace_(replace) {
  check_place();
  open_beside();
  sink_.emplace(descriptor_->get(), path);
}

void OutputFile::check_place() const {
  const std::optional<struct stat> behind = status_behind(path_);
  if (behind && S_ISDIR(behind->st_mode)) {
    errno = EISDIR;
    fail("write");
  }
  struct stat status;
  if (::lstat(path_.c_str(), &status) != 0) {
    // Anything else, as a name that is too long, would show only when the work is done.
    if (errno != ENOENT) fail("write");
    return;
  }
  if (!replace_) fail_existing();
  if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) {
    throw Error(ErrorKind::kIo, path_ +
                                    " is not a regular file and is not replaced; name it with -o "
                                    "to write to it");
  }
}

OutputFile::~OutputFile() {
  if (partial_.empty()) return;
  SignalHold hold;
  ::unlink(partial_.c_str());
  hold.remove_unfinished_file(partial_);
}

void OutputFile::open_beside() {
  const fs::path path(path_);
  // A long name leaves no room for the addition.
  const std::string name = path.filename().string().substr(0, 200);
  std::string pattern = (path.parent_path() / ("." + name + ".XXXXXX")).string();
  SignalHold hold;
  const int fd = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (fd < 0) fail("write");
  partial_ = pattern;
  hold.add_unfinished_file(partial_);
  descriptor_.emplace(fd);
}

void OutputFile::commit(const struct stat* like) {
  const int fd = descriptor_->get();
  if (like) {
    copy_attributes(*like, fd);
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
    if (failed && errno == EEXIST) fail_existing();
  }
  if (failed) failed = ::rename(partial_.c_str(), path_.c_str());
  if (failed) fail("name");
  hold.remove_unfinished_file(partial_);
  partial_.clear();
}

void OutputFile::fail(const std::string& doing) const { throw_io(doing, path_); }

void OutputFile::fail_existing() const {
  throw Error(ErrorKind::kIo, path_ + " already exists; use -f to overwrite it");
}

std::optional<int> named_descriptor(const std::string& path) {
  std::error_code error;
  const fs::path descriptors = fs::canonical("/proc/self/fd", error);
  if (error) return std::nullopt;
  fs::path at = path;
  for (int links = 0; links < 40; ++links) {
    const fs::path parent = fs::canonical(at.has_parent_path() ? at.parent_path() : ".", error);
    if (error) return std::nullopt;
    const std::string name = at.filename().string();
    if (parent == descriptors && !name.empty() &&
        std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      return fs::exists(fs::symlink_status(at, error)) ? std::optional(std::stoi(name))
                                                       : std::nullopt;
    }
    const fs::path target = fs::read_symlink(at, error);
    if (error) return std::nullopt;
    at = parent / target;
  }
  return std::nullopt;
}

std::optional<Descriptor> open_in_place(const std::string& path) {
  if (path == "-") return Descriptor(STDOUT_FILENO, false);
  if (const std::optional<int> fd = named_descriptor(path)) return Descriptor(*fd, false);
  const std::optional<struct stat> status = status_behind(path);
  if (!status || S_ISREG(status->st_mode) || S_ISDIR(status->st_mode)) return std::nullopt;
  Descriptor opened(::open(path.c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC));
  if (opened.get() < 0) throw_io("write", path);
  return opened;
}

struct stat status_of(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0) throw_io("open", path);
  return status;
}

std::optional<struct stat> status_behind(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

struct stat status_of(int fd) {
  struct stat status;
  if (::fstat(fd, &status) != 0) throw_io("write", "descriptor " + std::to_string(fd));
  return status;
}

}  // namespace smll::cli
