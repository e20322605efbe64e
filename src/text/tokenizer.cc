#include "text/tokenizer.h"

#include <algorithm>
#include <utility>

#include "text/utf8.h"

namespace smll::text {
namespace {

// Raw tokenizers are at their best on whole paragraphs, and some of them take quadratic time on
// words without end, so pieces are large enough to hold the former and small enough to bound the
// latter.
constexpr std::size_t kMinPiece = 4096;
constexpr std::size_t kMaxPiece = 8192;

// Where to cut `text` so that the piece has kMinPiece to kMaxPiece bytes: behind a line, else
// before a space (tokens often start with one), else anywhere but inside a UTF-8 sequence.
std::size_t piece_length(std::string_view text) {
  if (text.size() <= kMaxPiece) return text.size();
  const std::string_view window = text.substr(kMinPiece, kMaxPiece - kMinPiece);
  if (const auto line = window.rfind('\n'); line != window.npos) return kMinPiece + line + 1;
  // The space must follow a word: runs of spaces are single tokens.
  for (std::size_t i = window.size() - 1; i > 0; --i) {
    if (window[i] == ' ' && window[i - 1] != ' ') return kMinPiece + i;
  }
  std::size_t end = kMaxPiece;
  while (end > kMinPiece && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return end > kMinPiece ? end : kMaxPiece;
}

// Bytes of the fewest whole lines that are longer than `least`; empty lines are not parted, since
// runs of line ends are single tokens.
std::size_t lines_length(std::string_view text, std::size_t least) {
  const std::size_t end = text.find('\n', std::min(least, text.size()));
  return std::min(text.find_first_not_of('\n', end), text.size());
}

}  // namespace

Tokenizer::Tokenizer(const Vocabulary& vocabulary, Raw raw)
    : vocabulary_(vocabulary), raw_(std::move(raw)) {}

std::vector<Unit> Tokenizer::tokenize(std::string_view text) const {
  std::vector<Unit> units;
  units.reserve(text.size() / 3);
  while (!text.empty()) {
    const std::size_t length = piece_length(text);
    append_piece(text.substr(0, length), units);
    text.remove_prefix(length);
  }
  return units;
}

void Tokenizer::append_piece(std::string_view piece, std::vector<Unit>& out) const {
  while (!piece.empty()) {
    const std::size_t valid = utf8_prefix(piece);
    append_valid(piece.substr(0, valid), out);
    piece.remove_prefix(valid);
    std::size_t invalid = 0;
    while (invalid < piece.size() && utf8_length(piece.substr(invalid)) == 0) ++invalid;
    append_longest(piece.substr(0, invalid), out);
    piece.remove_prefix(invalid);
  }
}

void Tokenizer::append_valid(std::string_view piece, std::vector<Unit>& out) const {
  // As long as the tokens spell the text they are kept; from the first that does not, the longest
  // tokens that do take over up to the end of the line. The raw tokenizer is then tried with few
  // lines, and with more as it spells them, so that it sees no text many times.
  std::size_t least = piece.size();
  while (!piece.empty()) {
    const std::size_t tried = lines_length(piece, least);
    const std::size_t spelled = append_spelled(piece.substr(0, tried), out);
    piece.remove_prefix(spelled);
    if (spelled < tried) {
      const std::size_t line = lines_length(piece, 0);
      append_longest(piece.substr(0, line), out);
      piece.remove_prefix(line);
    }
    least = 2 * spelled;
  }
}

std::size_t Tokenizer::append_spelled(std::string_view piece, std::vector<Unit>& out) const {
  std::string_view rest = piece;
  for (const Token token : raw_(piece)) {
    const std::uint32_t row = vocabulary_.row_of(token);
    if (row == Vocabulary::kNoRow || !rest.starts_with(vocabulary_.bytes(row))) break;
    out.push_back({row, 0});
    rest.remove_prefix(vocabulary_.bytes(row).size());
  }
  return piece.size() - rest.size();
}

void Tokenizer::append_longest(std::string_view piece, std::vector<Unit>& out) const {
  while (!piece.empty()) {
    const std::uint32_t row = vocabulary_.longest_prefix(piece);
    if (row == Vocabulary::kNoRow) {
      out.push_back({Vocabulary::kNoRow, static_cast<std::uint8_t>(piece[0])});
      piece.remove_prefix(1);
    } else {
      out.push_back({row, 0});
      piece.remove_prefix(vocabulary_.bytes(row).size());
    }
  }
}

}  // namespace smll::text
