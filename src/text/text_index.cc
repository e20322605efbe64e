#include "text/text_index.h"

#include <algorithm>
#include <bit>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace smll::text {
namespace {

std::uint32_t hash_of(std::string_view text) {
  return static_cast<std::uint32_t>(XXH3_64bits(text.data(), text.size()));
}

}  // namespace

TextIndex::TextIndex(std::size_t expected)
    : slots_(std::bit_ceil(2 * std::max<std::size_t>(expected, 16))) {
  texts_.reserve(expected);
}

// Where it is, or could be.
std::size_t TextIndex::slot_of(std::string_view text, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].number != kNone &&
         (slots_[at].hash != hash || texts_[slots_[at].number] != text)) {
    at = (at + 1) & mask;
  }
  return at;
}

std::uint32_t TextIndex::find(std::string_view text) const {
  return slots_[slot_of(text, hash_of(text))].number;
}

std::uint32_t TextIndex::add(std::string_view text) {
  if (2 * (texts_.size() + 1) > slots_.size()) grow();
  const std::uint32_t hash = hash_of(text);
  Slot& slot = slots_[slot_of(text, hash)];
  if (slot.number == kNone) {
    slot = {static_cast<std::uint32_t>(texts_.size()), hash};
    texts_.push_back(text);
  }
  return slot.number;
}

void TextIndex::grow() {
  std::vector<Slot> old(2 * slots_.size());
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.number == kNone) continue;
    std::size_t at = slot.hash & mask;
    while (slots_[at].number != kNone) at = (at + 1) & mask;
    slots_[at] = slot;
  }
}

}  // namespace smll::text
