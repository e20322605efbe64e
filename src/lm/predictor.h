// The interface between a language model and everything that codes with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "lm/distribution.h"
#include "lm/kept_context.h"
#include "lm/token_code.h"
#include "lm/token_walk.h"
#include "text/token.h"
#include "text/vocabulary.h"

namespace smll::lm {

// Tokens to append to one lane's context, and where what the model says after each of them goes:
// one element a token.
struct LaneInput {
  int lane = 0;
  std::span<const Token> tokens;
  // For an encoder, which knows what follows: row i of `rows` comes after token i, and its path is
  // recorded. Empty for a decoder.
  std::span<const std::uint32_t> rows;
  std::span<RecordedPath> paths;
  // For a decoder: of the token that comes next. Empty for an encoder.
  std::span<Distribution> next;
  // `next` is only walked through, so probabilities of decisions do, where they are less work.
  bool only_walks = false;
  // For a decoder whose tokens the model alone decides, with a code that begin_code() gave: the
  // token that comes next; `tokens` is one and `next` is empty. Inputs of one code stand in a batch
  // one after another, in the order in which the code has their tokens.
  CodedToken coded = {};
};

// A model that turns the tokens of lanes into frequencies over the coded tokens. A lane is an
// independent context with its own keys and values; lanes open and close one by one.
//
// Encoder and decoder must obtain the same frequencies. A predictor that guarantees this however
// tokens are grouped says so with prefill_is_exact(); with any other one the caller must feed the
// same tokens in the same order on both sides, one token a lane at a time. Used by one thread at a
// time.
class Predictor {
 public:
  virtual ~Predictor() = default;

  // Most lanes that may be open at once.
  virtual int max_lanes() const = 0;
  // True when frequencies do not depend on how tokens were grouped into feed() calls.
  virtual bool prefill_is_exact() const = 0;
  // Tokens that a feed() handles best at once; a hint for the encoder.
  virtual std::size_t preferred_batch() const = 0;

  // Opens a lane and returns its number. Its context is empty, and the first token that it is fed
  // must be start_token(); or it is what keep_lane() of a predictor of the same model gave. Throws
  // Error(kUsage) when max_lanes() are open, and for another model's.
  virtual int open_lane(std::shared_ptr<const KeptContext> begin = nullptr) = 0;
  // Frees what the lane holds, and its number.
  virtual void close_lane(int lane) = 0;
  // Closes a lane that was opened empty and was fed no more tokens than its window has, and gives
  // its context for lanes that begin with it. Throws Error(kUsage) where the predictor cannot keep
  // contexts, as where it learns.
  virtual std::shared_ptr<const KeptContext> keep_lane(int lane) = 0;
  // The token that stands for "nothing before": fed first in each lane, never coded.
  virtual Token start_token() const = 0;

  // What feed() decodes tokens of itself, from `state` on; null where the caller has to. `code` is
  // not kept.
  virtual std::shared_ptr<TokenCode> begin_code(std::span<const std::uint8_t> /*code*/,
                                                const coder::Decoder::State& /*state*/) {
    return nullptr;
  }

  // Appends tokens to lanes. A lane appears at most once a batch. Contexts slide past the window:
  // the first token and the most recent ones are kept. Where it throws, the batch's lanes are good
  // for nothing but to be closed.
  virtual void feed(std::span<const LaneInput> batch) = 0;

  // How many tokens that may turn out wrong can follow the lane's next token in one feed().
  virtual std::size_t max_guesses(int lane) const = 0;
  // Takes back the last `count` tokens fed, which max_guesses() allowed.
  virtual void take_back(int lane, std::size_t count) = 0;
};

// What a predictor does with the logits after token `at` of an input; `scratch` is overwritten.
void answer(const LaneInput& input, std::size_t at, std::span<const float> logits,
            const text::Vocabulary& vocabulary, exact::Isa isa, Distribution& scratch);

}  // namespace smll::lm
