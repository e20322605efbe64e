#include "text/vocabulary.h"

#include <algorithm>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace smll::text {
namespace {

// By bytes, then by kind; else as they are. Most pairs differ in their first eight bytes.
void sort_by_bytes(std::span<const VocabularyEntry> entries, std::vector<Token>& order) {
  struct Keyed {
    std::uint64_t first;  // bytes, the first one highest
    Token token;
  };
  std::vector<Keyed> keyed;
  for (const Token token : order) {
    std::uint64_t first = 0;
    const std::string& bytes = entries[token].bytes;
    for (std::size_t i = 0; i < 8; ++i) {
      first = first << 8 | (i < bytes.size() ? static_cast<std::uint8_t>(bytes[i]) : 0);
    }
    keyed.push_back({first, token});
  }
  const auto rank = [&](Token t) {
    return std::pair(std::string_view(entries[t].bytes), entries[t].kind);
  };
  std::ranges::stable_sort(keyed, [&](const Keyed& a, const Keyed& b) {
    return a.first != b.first ? a.first < b.first : rank(a.token) < rank(b.token);
  });
  std::ranges::transform(keyed, order.begin(), &Keyed::token);
}

}  // namespace

Vocabulary::Vocabulary(std::span<const VocabularyEntry> entries) {
  for (std::size_t id = 0; id < entries.size(); ++id) {
    if (entries[id].coded && !entries[id].bytes.empty()) order_.push_back(static_cast<Token>(id));
  }
  const auto spelled = [&](Token t) { return std::string_view(entries[t].bytes); };
  sort_by_bytes(entries, order_);

  row_of_token_.assign(entries.size(), kNoRow);
  std::size_t rows = 0;
  for (Token t : order_) {
    if (rows == 0 || spelled(order_[rows - 1]) != spelled(t)) order_[rows++] = t;
    row_of_token_[t] = static_cast<std::uint32_t>(rows - 1);
  }
  order_.resize(rows);

  offsets_.push_back(0);
  first_byte_.assign(257, static_cast<std::uint32_t>(rows));
  for (std::size_t row = rows; row-- > 0;) {
    const auto first = static_cast<unsigned char>(spelled(order_[row])[0]);
    first_byte_[first] = static_cast<std::uint32_t>(row);
  }
  for (unsigned b = 256; b-- > 0;) first_byte_[b] = std::min(first_byte_[b], first_byte_[b + 1]);
  for (Token t : order_) {
    pool_ += entries[t].bytes;
    offsets_.push_back(static_cast<std::uint32_t>(pool_.size()));
    longest_ = std::max(longest_, entries[t].bytes.size());
  }
  hash_ = XXH3_64bits_withSeed(pool_.data(), pool_.size(),
                               XXH3_64bits(order_.data(), order_.size() * sizeof(Token)));
  hash_ = XXH3_64bits_withSeed(offsets_.data(), offsets_.size() * sizeof(std::uint32_t), hash_);
}

std::uint32_t Vocabulary::row_of(Token token) const {
  if (token < 0 || static_cast<std::size_t>(token) >= row_of_token_.size()) return kNoRow;
  return row_of_token_[token];
}

std::uint32_t Vocabulary::lower_bound(std::uint32_t lo, std::uint32_t hi, std::size_t depth,
                                      unsigned byte) const {
  if (depth == 0) return std::clamp(first_byte_[byte], lo, hi);
  while (lo < hi) {
    const std::uint32_t mid = lo + (hi - lo) / 2;
    if (static_cast<unsigned char>(pool_[offsets_[mid] + depth]) < byte) {
      lo = mid + 1;
    } else {
      hi = mid;
    }
  }
  return lo;
}

std::uint32_t Vocabulary::longest_prefix(std::string_view text) const {
  std::uint32_t lo = 0, hi = static_cast<std::uint32_t>(rows()), best = kNoRow;
  for (std::size_t depth = 0; lo < hi; ++depth) {
    if (bytes(lo).size() == depth && depth > 0) best = lo++;
    if (depth == text.size() || lo == hi) break;
    const auto byte = static_cast<unsigned char>(text[depth]);
    const std::uint32_t end = lower_bound(lo, hi, depth, byte + 1u);
    lo = lower_bound(lo, end, depth, byte);
    hi = end;
  }
  return best;
}

}  // namespace smll::text
