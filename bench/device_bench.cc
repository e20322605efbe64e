// Speed of the exact engine on one device, as JSON: tokens a second of prefill, and of decoding
// many lanes in lock-step. Usage: device_bench MODEL DEVICE CONTEXT LANES...
//
// Prefill feeds lanes of CONTEXT tokens each; decoding adds a token to each lane after that many.
// Logits of every token come back to the host; nothing is coded.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
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

class Bench {
 public:
  Bench(const std::shared_ptr<const weights::Weights>& model, const EngineOptions& options,
        int context)
      : engine_(model, options), tokens_(some_tokens(context, model->spec().vocabulary)) {
    tokens_[0] = engine_.start_token();
  }

  // Tokens a second.
  double prefill() {
    double seconds = 0;
    std::size_t count = 0;
    while (seconds < kSeconds) {
      engine_.reset(kPrefillLanes);
      const double start = now();
      count += feed(tokens_);
      seconds += now() - start;
    }
    return static_cast<double>(count) / seconds;
  }

  double decode(int lanes) {
    engine_.reset(lanes);
    lanes_ = lanes;
    feed(tokens_);
    const std::vector<Token> next(1, tokens_.back());
    feed(next);
    const double start = now();
    std::size_t count = 0;
    do {
      count += feed(next);
    } while (now() - start < kSeconds);
    return static_cast<double>(count) / (now() - start);
  }

 private:
  std::size_t feed(const std::vector<Token>& tokens) {
    batch_.clear();
    for (int lane = 0; lane < lanes_; ++lane) batch_.push_back({lane, tokens});
    engine_.feed(batch_, [](std::size_t, std::size_t, std::span<const float>, int) {});
    return tokens.size() * static_cast<std::size_t>(lanes_);
  }

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
