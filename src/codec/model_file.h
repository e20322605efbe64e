// What is read from a model's file: all that models of one file and backend have in common.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "lm/weights/weights.h"
#include "smll/error.h"
#include "smll/smll.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace smll::codec {

// Immutable once it is read.
struct ModelFile {
  struct Texts {
    std::string name;  // general.name; may be ""
    ModelFacts facts;
  };

  // `raw` makes the tokenizer of the vocabulary. Throws Error(kModel) where no token stands for
  // text.
  ModelFile(const std::string& path, Texts texts, std::span<const text::VocabularyEntry> entries,
            Token start, const std::function<text::Tokenizer::Raw(const text::Vocabulary&)>& raw)
      : name(std::move(texts.name)),
        facts(std::move(texts.facts)),
        start_token(start),
        vocabulary(entries),
        tokenizer(vocabulary, raw(vocabulary)) {
    if (vocabulary.rows() == 0) throw Error(ErrorKind::kModel, path + ": no token stands for text");
  }
  virtual ~ModelFile() = default;
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;

  std::string name;
  ModelFacts facts;
  Token start_token;
  text::Vocabulary vocabulary;
  text::Tokenizer tokenizer;
  std::shared_ptr<const weights::Weights> weights;  // kExact
};

}  // namespace smll::codec
