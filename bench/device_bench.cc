// Speed of the exact engine on one device, as JSON: tokens a second of prefill, and of decoding
// many lanes in lock-step. Usage: device_bench MODEL DEVICE CONTEXT LANES...
//
// Prefill feeds lanes of CONTEXT tokens each; decoding adds a token to each lane after that many.
// As where texts are coded, a GPU is asked for the probabilities of so many decisions of each token
// as a path mostly has or, when decoding, of all; the processor gives logits. Nothing is coded. A
// GPU decodes a second time with codes of 32 lanes each, of which it gives the tokens ("tokens").
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

// Lanes of a code.
constexpr int kCodeLanes = 32;
constexpr std::size_t kCodeBytes = std::size_t{1} << 20;

// Rows divided in the middle, and so on. A vocabulary's are others, and as many.
std::vector<lm::Decision> some_decisions(std::uint32_t rows) {
  std::vector<lm::Decision> decisions(rows);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges = {{0, rows}};
  const auto middle_of = [](std::uint32_t lo, std::uint32_t hi) {
    return hi - lo < 2 ? 0 : lo + (hi - lo) / 2;
  };
  while (!ranges.empty()) {
    const auto [lo, hi] = ranges.back();
    ranges.pop_back();
    const std::uint32_t middle = middle_of(lo, hi);
    if (middle == 0) continue;
    decisions[middle] = {lo, hi, false, 0, middle_of(lo, middle), middle_of(middle, hi)};
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
  using Codes = std::vector<std::shared_ptr<lm::TokenCode>>;

  // `codes`: by lane, where tokens are wanted.
  CodersQuestions(std::uint32_t rows, Wanted wanted, const Codes& codes)
      : rows_(rows), wanted_(wanted), codes_(codes), tokens_(codes.size() * kCodeLanes) {}

  Wanted ask(std::size_t input, std::size_t position,
             std::vector<std::uint32_t>& middles) override {
    if (wanted_ != Wanted::kSomeDecisions) return wanted_;
    for (std::uint32_t i = 0; i < kPathDecisions; ++i) {
      const auto any = static_cast<std::uint32_t>((input + position) * 7919 + i * 104729);
      middles.push_back(1 + any % (rows_ - 1));
    }
    return Wanted::kSomeDecisions;
  }
  void answer(std::size_t, std::size_t, std::span<const std::uint16_t>) override {}
  lm::CodedToken coded(std::size_t input, std::size_t) override {
    return {codes_[input / kCodeLanes].get(), 1000, &tokens_[input]};
  }

 private:
  const std::uint32_t rows_;
  const Wanted wanted_;
  const Codes& codes_;
  std::vector<std::uint32_t> tokens_;
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
      count += feed(tokens_, Wanted::kSomeDecisions);
      seconds += now() - start;
    }
    return static_cast<double>(count) / seconds;
  }

  // The probabilities of all decisions or, where the device gives them, tokens.
  double decode(int lanes, bool only_tokens) {
    engine_.reset(lanes);
    lanes_ = lanes;
    codes_.clear();
    for (int lane = 0; only_tokens && lane < lanes; lane += kCodeLanes) begin_code();
    feed(tokens_, Wanted::kSomeDecisions);
    const std::vector<Token> next(1, tokens_.back());
    const Wanted wanted = only_tokens ? Wanted::kToken : Wanted::kAllDecisions;
    feed(next, wanted);
    const double start = now();
    std::size_t count = 0;
    do {
      count += feed(next, wanted);
    } while (now() - start < kSeconds);
    return static_cast<double>(count) / (now() - start);
  }

 private:
  using Wanted = Questions::Wanted;

  // Of bytes that mean any tokens.
  void begin_code() {
    std::vector<std::uint8_t> bytes(kCodeBytes);
    std::uint32_t state = static_cast<std::uint32_t>(codes_.size());
    for (std::uint8_t& byte : bytes) {
      state = state * 1664525u + 1013904223u;
      byte = static_cast<std::uint8_t>(state >> 24);
    }
    codes_.push_back(engine_.begin_code(bytes, coder::Decoder(bytes).state()));
  }

  std::size_t feed(const std::vector<Token>& tokens, Wanted wanted) {
    batch_.clear();
    for (int lane = 0; lane < lanes_; ++lane) batch_.push_back({lane, tokens});
    CodersQuestions questions(rows_, wanted, codes_);
    engine_.feed(
        batch_, [](std::size_t, std::size_t, std::span<const float>, int) {}, &questions);
    return tokens.size() * static_cast<std::size_t>(lanes_);
  }

  const std::uint32_t rows_;
  Engine engine_;
  std::vector<Token> tokens_;
  int lanes_ = kPrefillLanes;
  std::vector<LaneTokens> batch_;
  CodersQuestions::Codes codes_;
};

// "name": {"lanes": tokens a second, ...}
void print_decoding(Bench& bench, const char* name, std::span<char*> lanes, bool only_tokens) {
  std::printf(", \"%s\": {", name);
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    std::printf("%s\"%s\": %.0f", i > 0 ? ", " : "", lanes[i],
                bench.decode(number(lanes[i]), only_tokens));
    std::fflush(stdout);
  }
  std::printf("}");
}

int run(int count, char** arguments) {
  if (count < 5) throw std::runtime_error("usage: device_bench MODEL DEVICE CONTEXT LANES...");
  const auto model = weights::Weights::load(arguments[1], {}, 0);
  EngineOptions options;
  options.device = cuda::open_choice(arguments[2]);
  const int context = number(arguments[3]);
  Bench bench(model, options, context);
  const std::span<char*> lanes(arguments + 4, arguments + count);
  std::printf("{\"device\": \"%s\", \"context\": %d, \"prefill\": %.0f",
              options.device ? options.device->name().c_str() : "cpu", context, bench.prefill());
  print_decoding(bench, "decode", lanes, false);
  if (options.device) print_decoding(bench, "tokens", lanes, true);
  std::printf("}\n");
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
