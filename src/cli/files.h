// Files as the program reads and writes them.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <utility>

#include "smll/io.h"

namespace smll::cli {

inline constexpr char kSuffix[] = ".smll";

// Puts something in the place of each standard stream that was closed when the program started, as
// the next file to be opened would take its number. Reading and writing it fail. Throws Error(kIo).
void secure_standard_streams();

// Owns a descriptor unless it is a standard stream's.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1, bool owned = true) : fd_(fd), owned_(owned) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_), owned_(other.owned_) { other.fd_ = -1; }
  Descriptor& operator=(Descriptor&&) = delete;

  int get() const { return fd_; }
  // Errors of a delayed write show here. Throws nothing; false on failure.
  bool close();

 private:
  int fd_;
  bool owned_;
};

// A file or standard input. A regular file ends where it ended when it was opened, so that one that
// grows has an end; where it seemed empty, as those of /proc do, it is read until it ends.
class FileSource : public Source {
 public:
  // "-" is standard input. Throws Error(kIo).
  explicit FileSource(const std::string& path);

  std::size_t read(std::span<std::uint8_t> out) override;
  bool seekable() const override { return seekable_; }
  bool ready() const override { return seekable_ || wait(0); }
  void seek(std::uint64_t offset) override;
  std::uint64_t size() const override;

  // From now on what a regular file has grown by is read as well.
  void follow() { end_ = UINT64_MAX; }
  // Waits up to `seconds` for input; false when none came.
  bool wait(double seconds) const;
  bool is_stdin() const { return stdin_; }
  // When it was opened.
  const struct stat& status() const { return status_; }
  // Whether it was written to since it was opened.
  bool changed() const;

 private:
  std::string name_;
  bool stdin_;
  Descriptor descriptor_;
  struct stat status_ = {};
  bool seekable_ = false;
  std::uint64_t base_ = 0;  // where the descriptor stood when it was opened
  std::uint64_t position_ = 0;
  std::uint64_t end_ = UINT64_MAX;  // both from the start of the file
};

// A source whose first bytes can be looked at before they are read.
class PeekedSource : public Source {
 public:
  // `source` must outlive it and stand at its start.
  PeekedSource(Source& source, std::size_t size);

  // The first bytes, fewer than asked for where the source has no more.
  ByteView peeked() const { return peeked_; }

  std::size_t read(std::span<std::uint8_t> out) override;
  bool seekable() const override { return source_.seekable(); }
  bool ready() const override { return given_ < peeked_.size() || source_.ready(); }
  void seek(std::uint64_t offset) override;
  std::uint64_t size() const override { return source_.size(); }

 private:
  Source& source_;
  Bytes peeked_;
  std::size_t given_ = 0;  // of the peeked bytes
};

// Writes to a descriptor.
class DescriptorSink : public Sink {
 public:
  DescriptorSink(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  void write(ByteView data) override;

 private:
  int fd_;
  std::string name_;
};

// Writes text to a terminal and refuses what would garble it.
class TerminalSink : public DescriptorSink {
 public:
  using DescriptorSink::DescriptorSink;
  void write(ByteView data) override;

 private:
  std::uint8_t before_ = 0;  // the last byte of what was written
};

// A regular file that bears its name only once it is complete and on the disk. Until commit() its
// bytes are in a file beside it, which only its owner may read and the destructor removes.
class OutputFile : public Sink {
 public:
  // Throws Error(kIo) when `path` exists and `replace` is false, when what exists there is neither
  // a regular file nor a symbolic link, or when it cannot be written. Of a link that is replaced,
  // what it leads to stays.
  OutputFile(const std::string& path, bool replace);
  ~OutputFile() override;

  void write(ByteView data) override { sink_->write(data); }
  // Gives the file its name and, when there is a `like`, the times, the owner and the access rights
  // of it, as far as allowed; never its set-user-id, set-group-id and sticky bits.
  void commit(const struct stat* like);

 private:
  void check_place() const;
  void open_beside();
  void take_name();
  [[noreturn]] void fail(const std::string& doing) const;
  [[noreturn]] void fail_existing() const;

  std::string path_;
  bool replace_;
  std::string partial_;  // "" once it has its name
  std::optional<Descriptor> descriptor_;
  std::optional<DescriptorSink> sink_;
};

// The open descriptor that a path such as /dev/stdout, /dev/fd/3 or a link to one of these leads
// to.
std::optional<int> named_descriptor(const std::string& path);

// Opens what is written to as it is, and never replaced: "-", which is standard output, what
// named_descriptor() knows, devices and FIFOs. Empty for other paths. Throws Error(kIo).
std::optional<Descriptor> open_in_place(const std::string& path);

// Of the path itself, even where it is a symbolic link. Throws Error(kIo) when there is none.
struct stat status_of(const std::string& path);
// Of what the path leads to; empty when there is none.
std::optional<struct stat> status_behind(const std::string& path);
// Throws Error(kIo).
struct stat status_of(int fd);

// What tells files apart, whatever their names.
using FileId = std::pair<dev_t, ino_t>;
inline FileId id_of(const struct stat& status) { return {status.st_dev, status.st_ino}; }

}  // namespace smll::cli
