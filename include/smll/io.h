// Where archives and raw bytes come from and go to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "smll/export.h"

namespace smll {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

// A stream of bytes that is read from front to back and, where the medium allows it, at any place.
class SMLL_API Source {
 public:
  virtual ~Source() = default;

  // Reads up to out.size() bytes, at least one unless the stream has ended; returns 0 at the end
  // only. Throws Error(kIo).
  virtual std::size_t read(std::span<std::uint8_t> out) = 0;

  // True when seek() and size() work; a pipe says false and is only read forward.
  virtual bool seekable() const { return false; }
  // True when read() would not wait for more to come. Where it says so, a reader may read ahead of
  // what it gives.
  virtual bool ready() const { return seekable(); }
  // Continues at `offset` bytes from the start. Call only when seekable().
  virtual void seek(std::uint64_t /*offset*/) {}
  // Bytes in all. Call only when seekable().
  virtual std::uint64_t size() const { return 0; }
};

// Takes bytes in order.
class SMLL_API Sink {
 public:
  virtual ~Sink() = default;

  // Takes all of `data`. Throws Error(kIo).
  virtual void write(ByteView data) = 0;
  // Passes what was taken so far on to whoever reads the other end.
  virtual void flush() {}
};

// Reads from memory that must outlive it.
class SMLL_API MemorySource : public Source {
 public:
  explicit MemorySource(ByteView data) : data_(data) {}
  std::size_t read(std::span<std::uint8_t> out) override;
  bool seekable() const override { return true; }
  void seek(std::uint64_t offset) override;
  std::uint64_t size() const override { return data_.size(); }

 private:
  ByteView data_;
  std::size_t position_ = 0;
};

// Collects bytes in memory.
class SMLL_API MemorySink : public Sink {
 public:
  void write(ByteView data) override { bytes_.insert(bytes_.end(), data.begin(), data.end()); }
  const Bytes& bytes() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

}  // namespace smll
