#include "lm/weights/gguf_vocabulary.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lm/weights/token_kinds.h"
#include "smll/error.h"
#include "text/byte_level.h"
#include "text/pre_tokenizer.h"
#include "text/utf8.h"

namespace smll::weights {
namespace {

constexpr std::string_view kSpaceStandIn = "\xe2\x96\x81";

[[noreturn]] void fail(const GgufFile& file, const std::string& what) {
  throw Error(ErrorKind::kModel, file.path() + ": " + what + "; is the model's file damaged?");
}

// The texts of all tokens; each has one.
class TokenTexts {
 public:
  explicit TokenTexts(TextArray listed) : listed_(std::move(listed)) {
    texts_.reserve(listed_.size());
    for (std::size_t i = 0; i < listed_.size(); ++i) {
      texts_.push_back(listed_[i]);
      // llama.cpp's name for a token without text.
      if (texts_[i].empty()) {
        texts_[i] = named_.emplace_back("[EMPTY_" + std::to_string(i) + "]");
      }
    }
  }
  TokenTexts(const TokenTexts&) = delete;
  TokenTexts& operator=(const TokenTexts&) = delete;

  const std::vector<std::string_view>& all() const { return texts_; }

 private:
  TextArray listed_;
  std::deque<std::string> named_;
  std::vector<std::string_view> texts_;
};

TextArray listed_tokens(const GgufFile& file) {
  std::optional<TextArray> tokens = file.texts("tokenizer.ggml.tokens");
  if (!tokens) fail(file, "it has no list of tokens");
  if (tokens->size() == 0) fail(file, "its list of tokens is empty");
  return std::move(*tokens);
}

void refuse_doubles(const GgufFile& file, const std::vector<std::string_view>& tokens) {
  // Equal ones have equal hashes, which are quicker to sort.
  std::vector<std::pair<std::uint64_t, std::size_t>> hashes;
  hashes.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    hashes.emplace_back(XXH3_64bits(tokens[i].data(), tokens[i].size()), i);
  }
  std::ranges::sort(hashes);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    for (std::size_t j = i; j-- > 0 && hashes[j].first == hashes[i].first;) {
      if (tokens[hashes[j].second] != tokens[hashes[i].second]) continue;
      fail(file, "token " + std::to_string(hashes[i].second) + " stands twice in its vocabulary");
    }
  }
}

void refuse_parts(const GgufFile& file) {
  if (file.integer("split.count").value_or(1) <= 1) return;
  throw Error(ErrorKind::kModel, file.path() +
                                     ": one part of a model that is split into several files; "
                                     "join them with llama.cpp's llama-gguf-split --merge");
}

// What differs between vocabularies.
struct Tokenizer {
  const text::PreTokenizer* words = nullptr;  // null: SentencePiece

  bool byte_level() const { return words && words->byte_level; }
};

Tokenizer tokenizer_of(const GgufFile& file) {
  const std::string kind = file.text("tokenizer.ggml.model").value_or("");
  if (kind.empty() || kind == "none" || kind == "no_vocab") fail(file, "it has no tokenizer");
  if (kind == "llama") return {};
  if (kind != "gpt2" && kind != "gemma4") {
    throw Error(ErrorKind::kModel, file.path() +
                                       ": the exact engine does not know the tokenizer '" + kind +
                                       "'; use --backend llama");
  }
  const std::string name =
      kind == "gemma4" ? kind : file.text("tokenizer.ggml.pre").value_or("default");
  const text::PreTokenizer* words = text::PreTokenizer::find(name);
  if (!words) {
    throw Error(ErrorKind::kModel, file.path() +
                                       ": the exact engine does not know the pre-tokenizer '" +
                                       name + "'; use --backend llama");
  }
  return {words};
}

// As llama.cpp spells what is no stand-in, with all of the token's text behind it.
void append_unknown(std::string_view sequence, std::string_view text, std::string& out) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += "[UNK_BYTE_0x";
  for (const char c : sequence) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  out.append(text).append("]");
}

std::string spelled_by_stand_ins(std::string_view text) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = text::utf8_length(text.substr(at));
    const std::string_view sequence = text.substr(at, std::max<std::size_t>(length, 1));
    at += sequence.size();
    char32_t point = static_cast<unsigned char>(sequence[0]);
    if (sequence.size() == 2) point = (point & 0x1f) << 6 | (sequence[1] & 0x3f);
    const int byte = length == 1 || length == 2 ? text::byte_of_stand_in(point) : -1;
    if (byte >= 0) {
      out += static_cast<char>(byte);
    } else {
      append_unknown(length == 0 ? kReplacement : sequence, text, out);
    }
  }
  return out;
}

std::string with_spaces(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with(kSpaceStandIn)) {
      out += ' ';
      at += kSpaceStandIn.size();
    } else {
      out += text[at++];
    }
  }
  return out;
}

// "<0x0A>".
char spelled_by_number(const GgufFile& file, std::string_view text, std::size_t id) {
  if (text.size() < 3) {
    fail(file, "token " + std::to_string(id) + " is to spell a byte and names none");
  }
  return static_cast<char>(std::strtol(std::string(text.substr(3, 2)).c_str(), nullptr, 16));
}

std::vector<text::VocabularyEntry> entries_of(const GgufFile& file, const Tokenizer& tokenizer,
                                              const std::vector<std::string_view>& tokens) {
  const std::vector<TokenKindBits> kinds = token_kinds(file, tokens);
  std::vector<text::VocabularyEntry> entries(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const TokenKindBits kind = kinds[id];
    text::VocabularyEntry& entry = entries[id];
    entry.coded = (kind & (kControl | kUnknown | kUnused)) == 0;
    if (kind & kAdded) entry.kind = text::TokenKind::kAdded;
    if (kind & kByte) entry.kind = text::TokenKind::kByte;
    if (!entry.coded) continue;
    if (kind & kAdded) {
      entry.bytes = tokens[id];
    } else if (kind & kNormal) {
      entry.bytes =
          tokenizer.byte_level() ? spelled_by_stand_ins(tokens[id]) : with_spaces(tokens[id]);
    } else if (kind & kByte) {
      entry.bytes = spelled_by_number(file, tokens[id], id);
    }
  }
  return entries;
}

Token start_token_of(const GgufFile& file, const Tokenizer& tokenizer, std::size_t tokens) {
  const auto named = [&](const char* key, std::int64_t otherwise) {
    const std::uint64_t told = file.integer(key).value_or(tokens);
    if (told < tokens) return static_cast<std::int64_t>(told);
    return otherwise < static_cast<std::int64_t>(tokens) ? otherwise : -1;
  };
  // What llama.cpp takes where the file names none.
  std::int64_t begin = 1, end = 2;
  if (tokenizer.words) {
    const bool none = file.text("tokenizer.ggml.model") == "gemma4";
    begin = none || !tokenizer.words->start_token ? -1 : 11;
    end = none ? -1 : 11;
  }
  begin = named("tokenizer.ggml.bos_token_id", begin);
  end = named("tokenizer.ggml.eos_token_id", end);
  return static_cast<Token>(begin >= 0 ? begin : std::max<std::int64_t>(end, 0));
}

std::vector<float> scores_of(const GgufFile& file, std::size_t tokens) {
  std::vector<float> scores(tokens, 0.0f);
  if (const auto told = file.numbers("tokenizer.ggml.scores")) {
    if (told->size() < tokens) fail(file, "not every token has a score");
    std::copy_n(told->begin(), tokens, scores.begin());
  } else if (const auto whole = file.integers("tokenizer.ggml.scores")) {
    if (whole->size() < tokens) fail(file, "not every token has a score");
    std::transform(whole->begin(), whole->begin() + static_cast<std::ptrdiff_t>(tokens),
                   scores.begin(), [](std::int32_t score) { return static_cast<float>(score); });
  }
  if (std::ranges::any_of(scores, [](float score) { return std::isnan(score); })) {
    fail(file, "a token's score is not a number");
  }
  return scores;
}

}  // namespace

void check_vocabulary(const GgufFile& file) {
  refuse_parts(file);
  refuse_doubles(file, TokenTexts(listed_tokens(file)).all());
}

GgufVocabulary read_vocabulary(const GgufFile& file) {
  refuse_parts(file);
  const Tokenizer tokenizer = tokenizer_of(file);
  const auto texts = std::make_shared<const TokenTexts>(listed_tokens(file));
  refuse_doubles(file, texts->all());

  GgufVocabulary vocabulary;
  vocabulary.entries = entries_of(file, tokenizer, texts->all());
  vocabulary.start_token = start_token_of(file, tokenizer, texts->all().size());

  std::vector<Token> added;
  for (std::size_t id = 0; id < vocabulary.entries.size(); ++id) {
    const text::VocabularyEntry& entry = vocabulary.entries[id];
    if (entry.coded && entry.kind == text::TokenKind::kAdded)
      added.push_back(static_cast<Token>(id));
  }
  std::optional<TextArray> merges = file.texts("tokenizer.ggml.merges");
  if (tokenizer.words && !merges) fail(file, "it has no list of merges");
  std::vector<float> scores;
  if (!tokenizer.words) scores = scores_of(file, texts->all().size());
  const bool space_prefix = file.boolean("tokenizer.ggml.add_space_prefix").value_or(true);
  vocabulary.tables = [texts, merges, scores, added, space_prefix, words = tokenizer.words] {
    text::TokenizerTables tables;
    tables.tokens = texts->all();
    tables.added = added;
    tables.words = words;
    tables.scores = scores;
    tables.space_prefix = space_prefix;
    if (words) {
      tables.merges.reserve(merges->size());
      for (std::size_t i = 0; i < merges->size(); ++i) tables.merges.push_back((*merges)[i]);
    }
    return tables;
  };
  return vocabulary;
}

}  // namespace smll::weights
