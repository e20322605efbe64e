#include "text/model_tokenizer.h"

#include <algorithm>
#include <bitset>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "text/byte_pairs.h"
#include "text/sentence_piece.h"

namespace smll::text {
namespace {

constexpr Token kText = -1;

struct Fragment {
  std::string_view text;
  Token token = kText;
};

// Tokens that stand for what they spell wherever it is, the longest first.
class AddedTokens {
 public:
  explicit AddedTokens(const TokenizerTables& tables) {
    for (const Token token : tables.added) added_.push_back({tables.tokens[token], token});
    std::ranges::stable_sort(added_, std::ranges::greater{},
                             [](const Fragment& added) { return added.text.size(); });
  }

  std::vector<Fragment> cut(std::string_view text) const {
    std::vector<Fragment> fragments = {{text, kText}};
    if (added_.empty()) return fragments;
    const Beginnings beginnings(text);
    std::vector<Fragment> after;
    for (const Fragment& added : added_) {
      if (!beginnings.has(added.text) || text.find(added.text) == text.npos) continue;
      after.clear();
      for (const Fragment& fragment : fragments) cut_one(fragment, added, after);
      fragments.swap(after);
    }
    return fragments;
  }

 private:
  // Pairs of bytes that a text has: few of the added tokens begin with one.
  class Beginnings {
   public:
    explicit Beginnings(std::string_view text) : pairs_(std::make_unique<std::bitset<65536>>()) {
      for (std::size_t i = 0; i + 1 < text.size(); ++i) pairs_->set(pair(text.substr(i)));
    }
    bool has(std::string_view token) const { return token.size() < 2 || pairs_->test(pair(token)); }

   private:
    static std::size_t pair(std::string_view text) {
      return static_cast<std::size_t>(static_cast<unsigned char>(text[0])) << 8 |
             static_cast<unsigned char>(text[1]);
    }
    std::unique_ptr<std::bitset<65536>> pairs_;
  };

  static void cut_one(const Fragment& fragment, const Fragment& added, std::vector<Fragment>& out) {
    if (fragment.token != kText) return out.push_back(fragment);
    std::string_view rest = fragment.text;
    for (std::size_t at; (at = rest.find(added.text)) != rest.npos;) {
      if (at > 0) out.push_back({rest.substr(0, at), kText});
      out.push_back(added);
      rest.remove_prefix(at + added.text.size());
    }
    if (!rest.empty()) out.push_back({rest, kText});
  }

  std::vector<Fragment> added_;
};

class ModelTokenizer {
 public:
  ModelTokenizer(const Vocabulary& vocabulary, TokenizerTables tables)
      : vocabulary_(vocabulary), tables_(std::move(tables)), added_(tables_) {
    if (tables_.words) {
      pairs_.emplace(*tables_.words, tables_.tokens, tables_.merges);
    } else {
      pieces_.emplace(tables_.tokens, std::move(tables_.scores));
    }
  }

  std::vector<Token> tokenize(std::string_view text) const {
    std::vector<Token> tokens = plain(text);
    if (!pieces_ || tokens.empty() || !begins_with_space(tokens[0])) return tokens;
    // SentencePiece models put a space in front, before a space too. What spells a line end first
    // and is cut off again keeps it away from the text.
    const std::vector<Token> line_end = plain("\n");
    std::vector<Token> behind_line = plain(std::string("\n").append(text));
    if (behind_line.size() <= line_end.size() ||
        !std::equal(line_end.begin(), line_end.end(), behind_line.begin())) {
      return tokens;
    }
    behind_line.erase(behind_line.begin(),
                      behind_line.begin() + static_cast<std::ptrdiff_t>(line_end.size()));
    return behind_line;
  }

 private:
  bool begins_with_space(Token token) const {
    const std::uint32_t row = vocabulary_.row_of(token);
    return row != Vocabulary::kNoRow && vocabulary_.bytes(row).starts_with(' ');
  }

  std::vector<Token> plain(std::string_view text) const {
    std::vector<Token> tokens;
    bool first = true;  // of what is text, in front or behind an added token
    for (const Fragment& fragment : added_.cut(text)) {
      if (fragment.token != kText) {
        tokens.push_back(fragment.token);
      } else if (pairs_) {
        pairs_->append(fragment.text, tokens);
      } else {
        const std::string prefix = first && tables_.space_prefix ? " " : "";
        pieces_->append(with_visible_spaces(prefix + std::string(fragment.text)), tokens);
      }
      first = fragment.token != kText;
    }
    return tokens;
  }

  const Vocabulary& vocabulary_;
  TokenizerTables tables_;
  AddedTokens added_;
  std::optional<BytePairs> pairs_;
  std::optional<SentencePiece> pieces_;
};

// Built by whoever needs it first.
struct Lazy {
  std::function<TokenizerTables()> tables;
  std::once_flag built;
  std::optional<ModelTokenizer> tokenizer;
};

}  // namespace

Tokenizer::Raw model_tokenizer(const Vocabulary& vocabulary,
                               std::function<TokenizerTables()> tables) {
  const auto lazy = std::make_shared<Lazy>();
  lazy->tables = std::move(tables);
  return [&vocabulary, lazy](std::string_view text) {
    std::call_once(lazy->built, [&] { lazy->tokenizer.emplace(vocabulary, lazy->tables()); });
    return lazy->tokenizer->tokenize(text);
  };
}

}  // namespace smll::text
