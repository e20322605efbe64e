// The operations on a batch that forward() is written over. Whoever computes them holds weights,
// lanes' keys and values, and what stands between two operations; these are a CPU's
// (lm/exact/cpu_ops.h) or a GPU's (lm/exact/cuda/cuda_ops.h).
//
// A batch is up to max_rows() rows, at most kMaxRows of a lane. `stream` is the residual stream
// [rows][width], `input` what products read: a norm of the stream, quantized.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "lm/kept_context.h"
#include "lm/token_code.h"
#include "text/token.h"

namespace smll::exact {

// Rows of a lane that are computed at once, at most.
inline constexpr std::size_t kMaxRows = 256;

// One fed token.
struct Row {
  std::size_t input;  // of the batch given to Engine::feed()
  std::size_t index;  // in that input
  int lane;           // that is open
  Token token;
  std::uint64_t position;  // in the lane
};

// Receives the logits that follow one fed token. `input` indexes the batch given to feed(),
// `position` the token inside that input, `thread` (below Engine::threads()) who calls. `logits`
// has rows() values and is valid during the call only. Calls come from several threads at once, in
// any order; each (input, position) comes exactly once per feed().
using RowSink = std::function<void(std::size_t input, std::size_t position,
                                   std::span<const float> logits, int thread)>;

// Asks for less than logits: for probabilities of decisions (lm/decisions.h), named by their
// middles. Ops that hold the logits elsewhere answer them; others give logits to the sink all the
// same. Calls come as a sink's do: which token is meant, from several threads.
class Questions {
 public:
  virtual ~Questions() = default;

  enum class Wanted { kLogits, kSomeDecisions, kAllDecisions, kToken };
  // Of kSomeDecisions, which ones are appended to `middles`.
  virtual Wanted ask(std::size_t input, std::size_t position,
                     std::vector<std::uint32_t>& middles) = 0;
  // Of kSomeDecisions in their order; of kAllDecisions at the index of the middle.
  virtual void answer(std::size_t input, std::size_t position,
                      std::span<const std::uint16_t> probabilities) = 0;
  // Of kToken, which is answered where this says.
  virtual lm::CodedToken coded(std::size_t /*input*/, std::size_t /*position*/) { return {}; }
};

class Ops {
 public:
  virtual ~Ops() = default;

  // Rows of a batch, at most.
  virtual std::size_t max_rows() const = 0;
  // Rows of logits that are computed before they are handed out.
  virtual std::size_t head_rows() const = 0;

  // `begin`: what the lane's first positions hold; null where it begins with position 0. Throws
  // Error(kUsage) for what keep_lane() of another model, or of other ops, gave.
  virtual void open_lane(int lane, std::shared_ptr<const lm::KeptContext> begin) = 0;
  virtual void close_lane(int lane) = 0;
  // Closes a lane that began with position 0, and gives what it holds.
  virtual std::shared_ptr<const lm::KeptContext> keep_lane(int lane) = 0;
  // Takes back a lane's last `count` positions, from `first` on.
  virtual void forget(int lane, std::uint64_t first, std::size_t count) = 0;

  // As lm::Predictor has it.
  virtual std::shared_ptr<lm::TokenCode> begin_code(std::span<const std::uint8_t> /*code*/,
                                                    const coder::Decoder::State& /*state*/) {
    return nullptr;
  }

  // Of one batch, in this order. Where the model learns: from what is known with these tokens.
  virtual void learn(std::span<const Row> rows) = 0;
  // stream = the tokens' embeddings.
  virtual void embed(std::span<const Row> rows) = 0;
  // input = norm(stream).
  virtual void attention_norm(int layer) = 0;
  // Queries, keys and values = products of input.
  virtual void project(int layer) = 0;
  // Turns queries and keys to their positions, and keeps keys and values.
  virtual void rotate_and_store(int layer) = 0;
  // Each query's mean of values.
  virtual void attend(int layer) = 0;
  // stream += product of attention's results.
  virtual void add_attention(int layer) = 0;
  virtual void ffn_norm(int layer) = 0;
  virtual void feed_forward(int layer) = 0;
  // stream += product of the feed-forward part's results.
  virtual void add_feed_forward(int layer) = 0;
  virtual void output_norm() = 0;
  // The logits of rows [first, first + count), at most head_rows(), and their way to the sink.
  virtual void head(std::size_t first, std::size_t count) = 0;
  virtual void give_logits(std::size_t first, std::size_t count, const RowSink& sink) = 0;
  // Instead of give_logits(), of rows that there are questions about.
  virtual void give_answers(std::size_t first, std::size_t count, const RowSink& sink,
                            Questions& /*questions*/) {
    give_logits(first, count, sink);
  }
};

}  // namespace smll::exact
