// The interface between a language model and everything that codes with it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace smll {

using Token = std::int32_t;

// Tokens to append to one lane's context. A lane is an independent context with its own K/V cache.
struct LaneTokens {
  int lane;
  std::span<const Token> tokens;
};

// Receives the logits that follow one fed token. `input` indexes the batch given to feed(),
// `position` the token inside that input. `logits` has rows() values and is valid during the call
// only. Calls come from several threads at once, in any order; each (input, position) comes exactly
// once per feed().
using RowSink =
    std::function<void(std::size_t input, std::size_t position, std::span<const float> logits)>;

// A model that turns token contexts into logits over the coded tokens.
//
// Encoder and decoder must obtain bit-identical logits. A backend that guarantees this however
// tokens are grouped says so with prefill_is_exact(); with any other backend the caller must feed
// the same batches in the same order on both sides, one token a lane at a time.
class Predictor {
 public:
  virtual ~Predictor() = default;

  // Number of logits of a row: the coded tokens in the order given when the predictor was made.
  virtual std::size_t rows() const = 0;
  // Most lanes that may be used at once (after reset).
  virtual int max_lanes() const = 0;
  // True when logits do not depend on how tokens were grouped into feed() calls.
  virtual bool prefill_is_exact() const = 0;
  // Tokens that a feed() handles best at once; a hint for the encoder.
  virtual std::size_t preferred_batch() const = 0;

  // Empties all contexts and prepares `lanes` of them. A lane's first token must be start_token().
  virtual void reset(int lanes) = 0;
  // The token that stands for "nothing before": fed first in each lane, never coded.
  virtual Token start_token() const = 0;

  // Appends tokens to lanes and gives the logits after each of them. A lane appears at most once a
  // batch. Contexts slide past the window: the first token and the most recent ones are kept.
  virtual void feed(std::span<const LaneTokens> batch, const RowSink& sink) = 0;

  // Frees what a lane holds; it must not be fed again before reset().
  virtual void finish_lane(int lane) = 0;
};

}  // namespace smll
