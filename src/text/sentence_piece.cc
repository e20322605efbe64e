#include "text/sentence_piece.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "text/utf8.h"

namespace smll::text {

std::string with_visible_spaces(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ') {
      out += "\xe2\x96\x81";
    } else {
      out += c;
    }
  }
  return out;
}

// A text's pieces, as a list in which neighbours are joined.
class SentencePiece::Pieces {
 public:
  Pieces(const SentencePiece& model, std::string_view text) : model_(model), text_(text) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t length = std::max<std::size_t>(utf8_length(text.substr(at)), 1);
      const auto index = static_cast<std::int32_t>(pieces_.size());
      if (index > 0) pieces_.back().next = index;
      pieces_.push_back(
          {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(length), index - 1, -1});
      at += length;
    }
  }

  void join() {
    for (std::size_t i = 1; i < pieces_.size(); ++i) consider(static_cast<std::int32_t>(i - 1));
    while (!queue_.empty()) {
      std::ranges::pop_heap(queue_, later);
      const Candidate best = queue_.back();
      queue_.pop_back();
      // The piece may have grown, its next one too, or it was taken by the one before.
      Piece& left = pieces_[best.left];
      if (left.length == 0 || left.next < 0) continue;
      Piece& right = pieces_[left.next];
      if (left.length + right.length != best.length) continue;
      left.length = best.length;
      right.length = 0;
      left.next = right.next;
      if (right.next >= 0) pieces_[right.next].previous = best.left;
      if (left.previous >= 0) consider(left.previous);
      consider(best.left);
    }
  }

  template <typename Take>
  void each(const Take& take) const {
    if (pieces_.empty()) return;
    for (std::int32_t i = 0; i >= 0; i = pieces_[i].next) {
      take(text_.substr(pieces_[i].start, pieces_[i].length));
    }
  }

 private:
  struct Piece {
    std::uint32_t start, length;
    std::int32_t previous, next;  // -1: none
  };
  struct Candidate {
    float score;
    std::int32_t left;
    std::uint32_t length;
  };
  static bool later(const Candidate& a, const Candidate& b) {
    return a.score < b.score || (a.score == b.score && a.left > b.left);
  }

  // The piece and its next one.
  void consider(std::int32_t left) {
    const Piece& piece = pieces_[left];
    if (piece.next < 0) return;
    const std::uint32_t length = piece.length + pieces_[piece.next].length;
    if (length > model_.longest_) return;
    const std::uint32_t token = model_.tokens_.find(text_.substr(piece.start, length));
    if (token == TextIndex::kNone) return;
    queue_.push_back({model_.scores_[token], left, length});
    std::ranges::push_heap(queue_, later);
  }

  const SentencePiece& model_;
  std::string_view text_;
  std::vector<Piece> pieces_;
  std::vector<Candidate> queue_;
};

SentencePiece::SentencePiece(std::span<const std::string_view> tokens, std::vector<float> scores)
    : tokens_(tokens.size()), scores_(std::move(scores)) {
  for (const std::string_view token : tokens) {
    tokens_.add(token);
    longest_ = std::max(longest_, token.size());
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char alone = static_cast<char>(byte);
    std::uint32_t token = tokens_.find(fmt::format("<0x{:02X}>", byte));
    if (token == TextIndex::kNone) token = tokens_.find({&alone, 1});
    byte_token_[byte] = token == TextIndex::kNone ? -1 : static_cast<Token>(token);
  }
}

void SentencePiece::append(std::string_view text, std::vector<Token>& out) const {
  Pieces pieces(*this, text);
  pieces.join();
  pieces.each([&](std::string_view piece) {
    const std::uint32_t token = tokens_.find(piece);
    if (token != TextIndex::kNone) return out.push_back(static_cast<Token>(token));
    for (const char c : piece) out.push_back(byte_token_[static_cast<std::uint8_t>(c)]);
  });
}

}  // namespace smll::text
