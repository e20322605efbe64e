#include "lm/exact/adapter_training.h"

#include <algorithm>
#include <cmath>

#include "base/fp_env.h"
#include "lm/exact/cpu_ops.h"
#include "lm/exact/engine.h"
#include "lm/exact/forward.h"
#include "lm/frequencies.h"
#include "smll/error.h"

namespace smll::exact {

using weights::Adapter;
using weights::MatrixName;
using weights::Weights;

namespace {

constexpr std::size_t kStep = Learner::kStep;
// Steps from one report of progress to the next.
constexpr std::uint64_t kReportSteps = 8;

// Bits of `row` by the logits before it; 0 where it has none.
double bits_of(std::span<const float> logits, std::int32_t row,
               std::vector<std::uint32_t>& frequencies, Isa isa) {
  if (row < 0) return 0.0;
  frequencies.resize(logits.size());
  lm::logits_to_frequencies(logits, frequencies, isa);
  double sum = 0.0;
  for (const std::uint32_t frequency : frequencies) sum += frequency;
  return std::log2(sum / frequencies[row]);
}

class Trainer {
 public:
  Trainer(std::shared_ptr<const Weights> model, std::vector<Token> tokens,
          const AdapterTraining& options)
      : model_(std::move(model)),
        tokens_(std::move(tokens)),
        isa_(options.isa),
        kernels_(kernels_for(options.isa)),
        pool_(shared_pool(options.threads)),
        steps_(steps_of(options)),
        ops_(model_, {kernels_, pool_, options.window, true,
                      LearningPlan{true, options.all_layers, options.rate, steps_}}) {
    ops_.open_lane(0, nullptr);
  }

  void run(const OnTraining& progress) {
    const FpEnv environment;
    const KernelScope scope(kernels_);
    TrainingProgress at{0, steps_ * kStep, 0};
    double bits = 0.0;
    // The learner takes a step as it sees the first token behind kStep others.
    for (std::uint64_t step = 0; step < steps_; ++step) {
      bits += read(step * kStep, kStep);
      at.tokens = (step + 1) * kStep;
      if (!progress || (at.tokens != at.of && (step + 1) % kReportSteps != 0)) continue;
      at.bits = bits / static_cast<double>(kStep * (step % kReportSteps + 1));
      bits = 0.0;
      if (!progress(at)) break;
    }
    read(at.tokens, 1);
  }

  Adapter adapter() const {
    Adapter result(model_->fingerprint());
    const Learner& learner = *ops_.learner();
    for (int i = learner.first_layer(); i < static_cast<int>(model_->layers().size()); ++i) {
      for (int name = 0; name < weights::kMatrixNames; ++name) {
        const auto matrix = static_cast<MatrixName>(name);
        result.add(*model_, {i, matrix}, weights::matrix_of(learner.matrices(i), matrix));
      }
    }
    return result;
  }

 private:
  std::uint64_t steps_of(const AdapterTraining& options) const {
    std::uint64_t count = tokens_.size() * static_cast<std::uint64_t>(std::max(1, options.passes));
    if (options.most_tokens != 0) count = std::min(count, options.most_tokens);
    return std::max<std::uint64_t>(count / kStep, 1);
  }

  Token token(std::uint64_t position) const {
    if (position == 0) return model_->start_token();
    return tokens_[(position - 1) % tokens_.size()];
  }

  // Returns the bits of the tokens behind them.
  double read(std::uint64_t first, std::size_t count) {
    rows_.clear();
    for (std::uint64_t i = first; i < first + count; ++i) {
      rows_.push_back({0, static_cast<std::size_t>(i - first), 0, token(i), i});
    }
    bits_.assign(count, 0.0);
    frequencies_.resize(static_cast<std::size_t>(pool_.threads()));
    forward(
        ops_, static_cast<int>(model_->layers().size()), rows_,
        [&](std::size_t, std::size_t index, std::span<const float> logits, int thread) {
          bits_[index] = bits_of(logits, model_->row_of(token(first + index + 1)),
                                 frequencies_[static_cast<std::size_t>(thread)], isa_);
        },
        /*questions=*/nullptr, times_);
    double sum = 0.0;
    for (const double bits : bits_) sum += bits;
    return sum;
  }

  std::shared_ptr<const Weights> model_;
  std::vector<Token> tokens_;
  const Isa isa_;
  const Kernels& kernels_;
  ThreadPool::Client pool_;
  std::uint64_t steps_;
  CpuOps ops_;
  OpTimes times_{};
  std::vector<Row> rows_;
  std::vector<double> bits_;
  std::vector<std::vector<std::uint32_t>> frequencies_;  // one a thread
};

}  // namespace

Adapter train_adapter(std::shared_ptr<const Weights> model,
                      std::span<const std::vector<Token>> texts, const AdapterTraining& options,
                      const OnTraining& progress) {
  std::vector<Token> tokens;
  for (const std::vector<Token>& text : texts) {
    tokens.insert(tokens.end(), text.begin(), text.end());
  }
  if (tokens.size() < 2 * kStep) {
    throw Error(ErrorKind::kData, "an adapter needs at least 128 tokens to learn from");
  }
  const FpEnv environment;
  Trainer trainer(std::move(model), std::move(tokens), options);
  trainer.run(progress);
  return trainer.adapter();
}

std::uint64_t training_memory(const Weights& model, const AdapterTraining& options) {
  const int threads = thread_count(options.threads);
  std::uint64_t bytes =
      CpuOps::memory(model, options.window, true, threads, 1) +
      CpuOps::context_memory(model, options.window, static_cast<std::size_t>(options.window));
  // Layers below those that the learner counts.
  if (options.all_layers) bytes += Learner::memory(model, threads);
  return bytes;
}

double code_length(const std::shared_ptr<const Weights>& model, std::span<const Token> before,
                   std::span<const Token> text, int threads) {
  EngineOptions options;
  options.pool = shared_pool(threads);
  Engine engine(model, options);
  std::vector<Token> tokens = {model->start_token()};
  tokens.insert(tokens.end(), before.begin(), before.end());
  const std::size_t from = tokens.size();
  tokens.insert(tokens.end(), text.begin(), text.end());
  std::vector<double> bits(tokens.size());
  std::vector<std::vector<std::uint32_t>> frequencies(static_cast<std::size_t>(engine.threads()));
  const LaneTokens batch[] = {{engine.open_lane(), tokens}};
  engine.feed(batch,
              [&](std::size_t, std::size_t index, std::span<const float> logits, int thread) {
                if (index + 1 < from || index + 1 == tokens.size()) return;
                bits[index] = bits_of(logits, model->row_of(tokens[index + 1]),
                                      frequencies[static_cast<std::size_t>(thread)], options.isa);
              });
  double sum = 0.0;
  for (const double each : bits) sum += each;
  return sum;
}

}  // namespace smll::exact
