#include "lm/llama/llama_vocabulary.h"

#include <fmt/format.h>

#include <new>
#include <stdexcept>

#include "smll/error.h"

namespace smll::llama {
namespace {

std::string piece(const llama_vocab* vocab, Token token) {
  std::string text(32, '\0');
  for (;;) {
    const int n = llama_token_to_piece(vocab, token, text.data(), static_cast<int>(text.size()), 0,
                                       /*special=*/false);
    if (n >= 0) {
      text.resize(n);
      return text;
    }
    text.resize(-n);
  }
}

std::vector<Token> try_tokenize(const llama_vocab* vocab, std::string_view text) {
  std::vector<Token> tokens(text.size() + 8);
  for (;;) {
    const int n = llama_tokenize(vocab, text.data(), static_cast<int>(text.size()), tokens.data(),
                                 static_cast<int>(tokens.size()), /*add_special=*/false,
                                 /*parse_special=*/false);
    if (n >= 0) {
      tokens.resize(n);
      return tokens;
    }
    tokens.resize(-n);
  }
}

// llama.cpp throws what it meets, std::out_of_range for a byte that the vocabulary cannot spell.
std::vector<Token> tokenize(const llama_vocab* vocab, std::string_view text) {
  try {
    return try_tokenize(vocab, text);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorKind::kModel,
                fmt::format("the model's tokenizer failed ({}); use another model", error.what()));
  }
}

}  // namespace

std::vector<text::VocabularyEntry> read_vocabulary(const llama_model& model) {
  const llama_vocab* vocab = llama_model_get_vocab(&model);
  if (llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_NONE) {
    throw Error(ErrorKind::kModel,
                "the model's file has no vocabulary; use a text model's GGUF file");
  }
  constexpr int kNotText =
      LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN | LLAMA_TOKEN_ATTR_UNUSED;
  std::vector<text::VocabularyEntry> entries(llama_vocab_n_tokens(vocab));
  for (std::size_t id = 0; id < entries.size(); ++id) {
    const auto token = static_cast<Token>(id);
    const int attributes = llama_vocab_get_attr(vocab, token);
    entries[id].coded = (attributes & kNotText) == 0;
    if (attributes & LLAMA_TOKEN_ATTR_USER_DEFINED) entries[id].kind = text::TokenKind::kAdded;
    if (attributes & LLAMA_TOKEN_ATTR_BYTE) entries[id].kind = text::TokenKind::kByte;
    try {
      if (entries[id].coded) entries[id].bytes = piece(vocab, token);
    } catch (const std::logic_error& error) {
      throw Error(ErrorKind::kModel, fmt::format("the model's token {} cannot be spelled ({}); is "
                                                 "its file damaged?",
                                                 id, error.what()));
    }
  }
  return entries;
}

text::Tokenizer::Raw raw_tokenizer(const llama_model& model) {
  const llama_vocab* vocab = llama_model_get_vocab(&model);
  return [vocab](std::string_view text) {
    std::vector<Token> tokens = tokenize(vocab, text);
    // SentencePiece models put a space in front, before a space too. What spells a line end first
    // and is cut off again keeps it away from the text.
    if (llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_SPM && !tokens.empty() &&
        piece(vocab, tokens[0]).starts_with(' ')) {
      const std::vector<Token> line_end = tokenize(vocab, "\n");
      const std::vector<Token> behind_line = tokenize(vocab, std::string("\n").append(text));
      if (behind_line.size() > line_end.size() &&
          std::equal(line_end.begin(), line_end.end(), behind_line.begin())) {
        tokens.assign(behind_line.begin() + line_end.size(), behind_line.end());
      }
    }
    return tokens;
  };
}

Token start_token(const llama_model& model) {
  const llama_vocab* vocab = llama_model_get_vocab(&model);
  const Token bos = llama_vocab_bos(vocab);
  if (bos != LLAMA_TOKEN_NULL) return bos;
  const Token eos = llama_vocab_eos(vocab);
  return eos != LLAMA_TOKEN_NULL ? eos : 0;
}

}  // namespace smll::llama
