// Speed of the exact engine on one device, as JSON: tokens a second of prefill, and of decoding
// many lanes in lock-step. Usage: device_bench MODEL DEVICE CONTEXT LANES...
//
// Prefill feeds lanes of CONTEXT tokens each; decoding adds a token to each lane after that many.
// As where texts are coded, a GPU is asked for the probabilities of so many decisions of each token
// as a path mostly has or, when decoding, of all; the processor gives logits. Nothing is coded.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "lm/exact/cuda/choice.h"
#include "lm/exact/cuda/device.h"
#include "lm/exact/engine.h"

namespace smll::exact {
namespace {

// Of a measurement, at least.
constexpr double kSeconds = 1.0;
// Lanes of a prefill.
constexpr int kPrefillLanes = 16;
// Decisions on a token's path that are not certain, roughly.
constexpr std::uint32_t kPathDecisions = 32;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int number(const char* text) {
  int value = 0;
  const auto [rest, error] = std::from_chars(text, text + std::strlen(text), value);
  if (error != std::errc() || *rest != 0 || value < 1) throw std::runtime_error("not a number");
  return value;
}

// Tokens that a text could have, the same in every run.
std::vector<Token> some_tokens(std::size_t count, int vocabulary) {
  std::vector<Token> tokens(count);
  std::uint32_t state = 1;
  for (Token& token : tokens) {
    state = state * 1664525u + 1013904223u;
    token = static_cast<Token>((state >> 8) % static_cast<std::uint32_t>(vocabulary));
  }
  return tokens;
}

// Rows divided in the middle, and so on. A vocabulary's are others, and as many.
std::vector<lm::Decision> some_decisions(std::uint32_t rows) {
  std::vector<lm::Decision> decisions(rows);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges = {{0, rows}};
  while (!ranges.empty()) {
    const auto [lo, hi] = ranges.back();
    ranges.pop_back();
    if (hi - lo < 2) continue;
    const std::uint32_t middle = lo + (hi - lo) / 2;
    decisions[middle] = {lo, hi, false};
    ranges.emplace_back(lo, middle);
    ranges.emplace_back(middle, hi);
  }
  return decisions;
}

EngineOptions with_decisions(EngineOptions options, std::span<const lm::Decision> decisions) {
  options.decisions = decisions;
  return options;
}

// As an encoder's or a decoder's.
class CodersQuestions final : public Questions {
 public:
  CodersQuestions(std::uint32_t rows, bool decodes) : rows_(rows), decodes_(decodes) {}

  Wanted ask(std::size_t input, std::size_t position,
             std::vector<std::uint32_t>& middles) override {
    if (decodes_) return Wanted::kAllDecisions;
    for (std::uint32_t i = 0; i < kPathDecisions; ++i) {
      const auto any = static_cast<std::uint32_t>((input + position) * 7919 + i * 104729);
      middles.push_back(1 + any % (rows_ - 1));
    }
    return Wanted::kSomeDecisions;
  }
  void answer(std::size_t, std::size_t, std::span<const std::uint16_t>) override {}

 private:
  const std::uint32_t rows_;
  const bool decodes_;
};

class Bench {
 public:
  Bench(const std::shared_ptr<const weights::Weights>& model, const EngineOptions& options,
        int context)
      : rows_(static_cast<std::uint32_t>(model->head().outputs)),
        engine_(model, with_decisions(options, some_decisions(rows_))),
        tokens_(some_tokens(context, model->spec().vocabulary)) {
    tokens_[0] = engine_.start_token();
  }

  // Tokens a second.
  double prefill() {
    double seconds = 0;
    std::size_t count = 0;
    while (seconds < kSeconds) {
      engine_.reset(kPrefillLanes);
      const double start = now();
      count += feed(tokens_, false);
      seconds += now() - start;
    }
    return static_cast<double>(count) / seconds;
  }

  double decode(int lanes) {
    engine_.reset(lanes);
    lanes_ = lanes;
    feed(tokens_, false);
    const std::vector<Token> next(1, tokens_.back());
    feed(next, true);
    const double start = now();
    std::size_t count = 0;
    do {
      count += feed(next, true);
    } while (now() - start < kSeconds);
    return static_cast<double>(count) / (now() - start);
  }

 private:
  std::size_t feed(const std::vector<Token>& tokens, bool decodes) {
    batch_.clear();
    for (int lane = 0; lane < lanes_; ++lane) batch_.push_back({lane, tokens});
    CodersQuestions questions(rows_, decodes);
    engine_.feed(
        batch_, [](std::size_t, std::size_t, std::span<const float>, int) {}, &questions);
    return tokens.size() * static_cast<std::size_t>(lanes_);
  }

  const std::uint32_t rows_;
  Engine engine_;
  std::vector<Token> tokens_;
  int lanes_ = kPrefillLanes;
  std::vector<LaneTokens> batch_;
};

int run(int count, char** arguments) {
  if (count < 5) throw std::runtime_error("usage: device_bench MODEL DEVICE CONTEXT LANES...");
  const auto model = weights::Weights::load(arguments[1], {}, 0);
  EngineOptions options;
  options.device = cuda::open_choice(arguments[2]);
  const int context = number(arguments[3]);
  Bench bench(model, options, context);
  std::printf("{\"device\": \"%s\", \"context\": %d, \"prefill\": %.0f, \"decode\": {",
              options.device ? options.device->name().c_str() : "cpu", context, bench.prefill());
  for (int i = 4; i < count; ++i) {
    std::printf("%s\"%s\": %.0f", i > 4 ? ", " : "", arguments[i],
                bench.decode(number(arguments[i])));
    std::fflush(stdout);
  }
  std::printf("}}\n");
  return 0;
}

}  // namespace
}  // namespace smll::exact

int main(int count, char** arguments) {
  try {
    return smll::exact::run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "device_bench: %s\n", error.what());
    return 1;
  }
}
