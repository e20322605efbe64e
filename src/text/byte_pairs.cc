#include "text/byte_pairs.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <queue>
#include <utility>

#include "text/byte_level.h"
#include "text/sentence_piece.h"
#include "text/utf8.h"

namespace smll::text {
namespace {

std::uint64_t pair_of(std::uint32_t left, std::uint32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | right;
}

}  // namespace

// The parts of one word, as a list in which neighbours are merged.
class BytePairs::Word {
 public:
  struct Piece {
    Part part;
    std::uint32_t start, length;  // of its text, where that is no part
    std::int32_t previous, next;  // -1: none
  };

  void clear() {
    pieces_.clear();
    queue_.clear();
  }
  void add(Part part, std::size_t start, std::size_t length) {
    const auto index = static_cast<std::int32_t>(pieces_.size());
    if (index > 0) pieces_.back().next = index;
    pieces_.push_back({part, static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(length),
                       index - 1, -1});
  }

  void merge(const BytePairs& pairs) {
    for (std::size_t i = 1; i < pieces_.size(); ++i) {
      consider(pairs, static_cast<std::int32_t>(i - 1));
    }
    while (!queue_.empty()) {
      std::ranges::pop_heap(queue_, later);
      const Candidate best = queue_.back();
      queue_.pop_back();
      Piece& left = pieces_[best.left];
      if (left.part != best.left_part || left.next < 0) continue;
      Piece& right = pieces_[left.next];
      if (right.part != best.right_part) continue;
      left.part = best.joined;
      left.length += right.length;
      right.part = TextIndex::kNone;
      left.next = right.next;
      if (right.next >= 0) pieces_[right.next].previous = best.left;
      if (left.previous >= 0) consider(pairs, left.previous);
      consider(pairs, best.left);
    }
  }

  template <typename Take>
  void each(const Take& take) const {
    if (pieces_.empty()) return;
    for (std::int32_t i = 0; i >= 0; i = pieces_[i].next) take(pieces_[i]);
  }

 private:
  struct Candidate {
    std::uint32_t rank;
    std::int32_t left;
    Part left_part, right_part, joined;
  };
  static bool later(const Candidate& a, const Candidate& b) {
    return std::pair(a.rank, a.left) > std::pair(b.rank, b.left);
  }

  // The piece and its next one.
  void consider(const BytePairs& pairs, std::int32_t left) {
    const Piece& piece = pieces_[left];
    if (piece.next < 0) return;
    const Part right = pieces_[piece.next].part;
    if (const Merge* merge = pairs.merge_of(piece.part, right)) {
      queue_.push_back({merge->rank, left, piece.part, right, merge->joined});
      std::ranges::push_heap(queue_, later);
    }
  }

  std::vector<Piece> pieces_;
  std::vector<Candidate> queue_;
};

BytePairs::BytePairs(const PreTokenizer& words, std::span<const std::string_view> tokens,
                     std::span<const std::string_view> merges)
    : words_(words),
      tokens_(tokens.size()),
      parts_(tokens.size() + 512),
      merges_(std::bit_ceil(2 * std::max<std::size_t>(merges.size(), 8))) {
  for (const std::string_view token : tokens) parts_.add(token);
  for (std::size_t i = 0; i < merges.size(); ++i) {
    add_merge(merges[i], static_cast<std::uint32_t>(i));
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string alone(1, static_cast<char>(byte));
    of_byte_[byte] =
        words.byte_level ? part_of(std::string(stand_in(static_cast<std::uint8_t>(byte)))) : 0;
    const Part spells = parts_.find(words.byte_level ? alone : fmt::format("<0x{:02X}>", byte));
    byte_token_[byte] = spells < tokens_ ? static_cast<Token>(spells) : -1;
  }
}

BytePairs::Part BytePairs::part_of(std::string text) {
  const Part known = parts_.find(text);
  if (known != TextIndex::kNone) return known;
  others_.push_back(std::move(text));
  return parts_.add(others_.back());
}

void BytePairs::add_merge(std::string_view merge, std::uint32_t rank) {
  const std::size_t space = merge.find(' ', 1);
  if (space == merge.npos || space + 1 == merge.size()) return;
  const std::string left(merge.substr(0, space)), right(merge.substr(space + 1));
  const std::uint64_t pair = pair_of(part_of(left), part_of(right));
  Merge& slot = merges_[slot_of(pair)];
  if (slot.pair != pair) slot = {pair, rank, part_of(left + right)};
}

// Where it is, or could be.
std::size_t BytePairs::slot_of(std::uint64_t pair) const {
  const std::size_t mask = merges_.size() - 1;
  std::size_t at = (pair * 0x9e3779b97f4a7c15u >> 32) & mask;
  while (merges_[at].pair != pair && merges_[at].pair != Merge().pair) at = (at + 1) & mask;
  return at;
}

const BytePairs::Merge* BytePairs::merge_of(Part left, Part right) const {
  if (left == TextIndex::kNone || right == TextIndex::kNone) return nullptr;
  const std::uint64_t pair = pair_of(left, right);
  const Merge& merge = merges_[slot_of(pair)];
  return merge.pair == pair ? &merge : nullptr;
}

void BytePairs::append(std::string_view text, std::vector<Token>& out) const {
  std::string visible;
  if (!words_.byte_level) text = visible = with_visible_spaces(text);
  Word parts;
  for (const std::string_view word : words_.split(text)) append_word(word, parts, out);
}

void BytePairs::append_word(std::string_view word, Word& parts, std::vector<Token>& out) const {
  const bool line_ends = words_.whole_line_ends && word.find_first_not_of('\n') == word.npos;
  if (words_.ignore_merges || line_ends) {
    const Part whole = words_.byte_level ? parts_.find(in_stand_ins(word)) : parts_.find(word);
    if (whole < tokens_) return out.push_back(static_cast<Token>(whole));
  }
  parts.clear();
  for (std::size_t at = 0; at < word.size();) {
    std::size_t length = 1;
    if (words_.byte_level) {
      parts.add(of_byte_[static_cast<std::uint8_t>(word[at])], at, length);
    } else {
      length = std::max<std::size_t>(utf8_length(word.substr(at)), 1);
      parts.add(parts_.find(word.substr(at, length)), at, length);
    }
    at += length;
  }
  parts.merge(*this);
  parts.each([&](const Word::Piece& piece) {
    if (piece.part < tokens_) {
      out.push_back(static_cast<Token>(piece.part));
    } else {
      const bool unknown = piece.part == TextIndex::kNone;
      append_bytes(unknown ? word.substr(piece.start, piece.length) : parts_[piece.part], out);
    }
  });
}

void BytePairs::append_bytes(std::string_view spelled, std::vector<Token>& out) const {
  for (const char c : spelled) {
    const Token token = byte_token_[static_cast<std::uint8_t>(c)];
    if (token >= 0) out.push_back(token);
  }
}

}  // namespace smll::text
