// The exact engine: a transformer whose logits are a fixed function of the tokens of a
// lane, whatever the batch, the threads and the instruction set. docs/design/exactness.md is its
// contract.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "lm/decisions.h"
#include "lm/exact/isa.h"
#include "lm/exact/op_times.h"
#include "lm/exact/ops.h"
#include "lm/kept_context.h"
#include "lm/weights/weights.h"

namespace smll::exact {

namespace cuda {
class Device;
}

// Written into archives. Changes whenever any input gives other logits or frequencies than before.
inline constexpr std::uint32_t kArithmeticVersion = 1;
// The same of an engine that learns.
inline constexpr std::uint32_t kLearningVersion = 2;

// Positions a lane attends to, unless set.
inline constexpr int kDefaultWindow = 2048;

// The least and the most of them.
inline constexpr int kMinWindow = 2, kMaxWindow = 65536;

struct EngineOptions {
  Isa isa = Isa::kAuto;
  int threads = 0;              // 0: one per processor; unless `pool` is given
  int window = kDefaultWindow;  // kMinWindow .. kMaxWindow
  bool learns = false;          // from the tokens it is fed (lm/exact/learner.h); one lane only
  // Null: the processor computes. An engine that learns needs the processor.
  std::shared_ptr<cuda::Device> device = nullptr;
  // What questions to a device are about (lm/decisions.h); empty: it gives logits. Not kept.
  std::span<const lm::Decision> decisions = {};
  // Null: one of `threads` threads for this engine alone.
  std::shared_ptr<ThreadPool> pool = nullptr;
  // Only for make_engine: token ids of the logits in the order wanted; empty means all in order.
  std::span<const Token> row_order;
};

// Tokens to append to one lane's context. A lane is an independent context with its own K/V cache.
struct LaneTokens {
  int lane;
  std::span<const Token> tokens;
};

// Used by one thread at a time; several engines may share a model.
class Engine {
 public:
  // Throws Error(kUsage) for an instruction set that is not supported, a window out of range or a
  // device that is to learn, and Error(kModel) where the processor's arithmetic is wrong.
  Engine(std::shared_ptr<const weights::Weights> model, const EngineOptions& options);
  ~Engine();
  // Bytes, at most, that `engines` engines take which share the options' threads and lanes that are
  // fed so many tokens each, besides the model. A token more a lane, the first, is counted in.
  static std::uint64_t memory(const weights::Weights& model, const EngineOptions& options,
                              std::span<const std::size_t> lane_tokens, int engines);

  // Of them, what a lane's keys and values take.
  static std::uint64_t context_memory(const weights::Weights& model, const EngineOptions& options,
                                      std::size_t tokens);

  // Lanes whose keys and values the options' device has memory for, whatever they are fed, beside a
  // few engines and their model.
  static std::size_t device_lanes(const weights::Weights& model, const EngineOptions& options);

  // Number of logits of a row: the coded tokens in the order given when the model was loaded.
  std::size_t rows() const;
  // Lanes that may be open at once: one, where it learns.
  int max_lanes() const;
  // Tokens that a feed() computes at once.
  std::size_t preferred_batch() const { return ops_->max_rows(); }
  int threads() const { return pool_.threads(); }
  Token start_token() const;

  // Opens a lane, empty or with what keep_lane() of an engine of the same model gave, and returns
  // its number. Throws Error(kUsage) when max_lanes() are open.
  int open_lane(std::shared_ptr<const lm::KeptContext> begin = nullptr);
  void close_lane(int lane);
  // Closes a lane that was opened empty, fed no more than a window's tokens and has learned
  // nothing, and gives what it holds. Throws Error(kUsage) for any other.
  std::shared_ptr<const lm::KeptContext> keep_lane(int lane);
  // Closes all lanes and opens so many, numbered from 0.
  void reset(int lanes);
  // As lm::Predictor has it.
  std::shared_ptr<lm::TokenCode> begin_code(std::span<const std::uint8_t> code,
                                            const coder::Decoder::State& state) {
    return ops_->begin_code(code, state);
  }
  // Appends tokens to lanes and gives the logits after each of them; a lane appears at most once a
  // batch. If the sink throws, or a token does not exist, the batch's lanes must be closed.
  // `questions`, where there are any, are answered by a device, whose sink gets what remains.
  void feed(std::span<const LaneTokens> batch, const RowSink& sink, Questions* questions = nullptr);
  // How many tokens that are taken back later may follow the lane's next one: few enough for the
  // ring, and none behind which it learns.
  std::size_t max_guesses(int lane) const;
  // Takes back the last `count` tokens.
  void take_back(int lane, std::size_t count);

  const weights::Weights& model() const { return *model_; }
  // Since the last reset_times().
  const OpTimes& times() const { return times_; }
  void reset_times() { times_.fill(0); }

 private:
  struct Lane {
    bool open = false;
    std::uint64_t position = 0;  // of the next token
    bool kept = false;           // began with what was kept
  };

  Lane& open(int lane);
  void flatten(std::span<const LaneTokens> batch);
  bool take_batch();

  std::shared_ptr<const weights::Weights> model_;
  const Kernels& kernels_;
  ThreadPool::Client pool_;
  const bool learns_;
  const int window_;
  std::vector<Lane> lanes_;
  std::vector<Row> rows_;                   // of a feed()
  std::vector<std::span<const Row>> left_;  // of its inputs, what is not computed yet
  std::vector<Row> batch_;
  std::unique_ptr<Ops> ops_;
  OpTimes times_{};
};

// Loads a GGUF file and makes an engine of it.
std::unique_ptr<Engine> make_engine(const std::string& gguf_path, const EngineOptions& options);

}  // namespace smll::exact
