// A table that begins as zeros, and of which only what is touched costs memory.
//
// Memory that the system hands out is zero already, so a table is not written before it is used. A
// large one asks for large pages (Linux: madvise): a walk all over small ones takes a fault for
// each page first, and a miss of the address cache nearly every time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

namespace smll {

// Zeroed memory for at least `bytes`, from a cache line's beginning on. Throws std::bad_alloc.
class ZeroedMemory {
 public:
  explicit ZeroedMemory(std::size_t bytes);
  void* data() const { return data_; }

 private:
  struct Release {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Release> memory_;
  void* data_;
};

// `T` must be one whose bytes may be copied and may all be zero. The constructors may throw
// std::bad_alloc. One that was moved from may be assigned to or destroyed.
template <class T>
class ZeroedTable {
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 64);

 public:
  explicit ZeroedTable(std::size_t size) : memory_(size * sizeof(T)), size_(size) {
    if (size > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
  }
  ZeroedTable(const ZeroedTable& other) : ZeroedTable(other.size_) {
    std::copy_n(other.data(), size_, data());
  }
  ZeroedTable(ZeroedTable&&) noexcept = default;
  ZeroedTable& operator=(const ZeroedTable&) = delete;
  ZeroedTable& operator=(ZeroedTable&&) noexcept = default;
  ~ZeroedTable() = default;

  T* data() { return static_cast<T*>(memory_.data()); }
  const T* data() const { return static_cast<const T*>(memory_.data()); }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t index) { return data()[index]; }
  const T& operator[](std::size_t index) const { return data()[index]; }

 private:
  ZeroedMemory memory_;
  std::size_t size_;
};

}  // namespace smll
