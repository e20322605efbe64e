// Numbers of texts: a hash table over texts that are kept elsewhere.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace smll::text {

class TextIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffu;

  // With room for so many before it grows.
  explicit TextIndex(std::size_t expected);

  // Its number, which is that of those before it, or the one it has already. The text must stay
  // where it is.
  std::uint32_t add(std::string_view text);
  // kNone where it has none.
  std::uint32_t find(std::string_view text) const;

  std::size_t size() const { return texts_.size(); }
  std::string_view operator[](std::uint32_t number) const { return texts_[number]; }

 private:
  std::size_t slot_of(std::string_view text, std::uint32_t hash) const;
  void grow();

  struct Slot {
    std::uint32_t number = kNone;
    std::uint32_t hash = 0;
  };
  std::vector<std::string_view> texts_;
  std::vector<Slot> slots_;  // a power of two, at most half of them used
};

}  // namespace smll::text
