// The test vectors of the specification (docs/spec/vectors): what comes out at each boundary
// between its pages, of the small generated model. The reference decoder computes the same
// (tests/test_reference.py).
#include <gtest/gtest.h>
#include <xxhash.h>

#include <bit>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "codec/loaded_model.h"
#include "codec/model_coder.h"
#include "codec/plain_mixer.h"
#include "codec/record_stream.h"
#include "codec/scheduler.h"
#include "codec/unit_coder.h"
#include "lm/exact/engine.h"
#include "lm/frequencies.h"
#include "lm/test_models.h"
#include "mix/frame_mixer.h"
#include "text/pre_tokenizer.h"
#include "text/unicode.h"

namespace smll {
namespace {

constexpr std::size_t kDecisions = 50;
constexpr int kWindow = 64;

std::filesystem::path spec_directory() {
  return std::filesystem::path(SMLL_GOLDEN_DIRECTORY).parent_path().parent_path() / "docs" / "spec";
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Takes decisions as an encoder does and writes them down: the probability and the bit.
class Recorder {
 public:
  int code(std::uint32_t p, int bit) {
    if (count_++ < kDecisions) lines_ << p << ' ' << bit << '\n';
    return bit;
  }
  bool full() const { return count_ >= kDecisions; }
  std::string lines() const { return lines_.str(); }

 private:
  std::size_t count_ = 0;
  std::ostringstream lines_;
};

// The beginning of tests/golden/mixed.txt.
std::vector<std::uint8_t> text() {
  const std::string all = contents(std::filesystem::path(SMLL_GOLDEN_DIRECTORY) / "mixed.txt");
  return {all.begin(), all.begin() + 400};
}

std::string decisions_without_model(format::Method method) {
  const std::vector<std::uint8_t> bytes = text();
  codec::PlainMixer models(method, bytes.size());
  Recorder recorder;
  codec::UnitCoder<Recorder> units(recorder, models.mixer(), false);
  for (std::size_t i = 0; !recorder.full(); ++i) units.code_escaped_byte(0, bytes[i]);
  return recorder.lines();
}

std::string decisions_with_model(const codec::LoadedModel& model, mix::Sources experts,
                                 std::span<const std::uint8_t> bytes_of_frame) {
  codec::ModelledFrame frame = codec::cut_frame(bytes_of_frame, 1, model, nullptr);
  codec::RecordStream stream(frame, model.vocabulary());
  model.scheduler().run(stream, {});
  const mix::LaneExtent lane{0, frame.bytes};
  mix::FrameMixer mixer(experts, mix::Strength::kStrong, frame.bytes, {&lane, 1});
  Recorder recorder;
  codec::UnitCoder<Recorder> units(recorder, mixer, frame.escapes);
  std::size_t room = frame.bytes;
  auto path = frame.paths[0].begin();
  for (std::size_t i = 0; !recorder.full(); ++i) {
    const text::Unit& unit = frame.lanes[0].units[i];
    if (units.code_escape(unit.escaped())) {
      units.code_escaped_byte(0, unit.byte);
      --room;
      continue;
    }
    const std::string_view bytes = model.vocabulary().bytes(unit.row);
    lm::ReplayedWalk walk(*path++, bytes, unit.row);
    units.code_token(0, walk, room);
    room -= bytes.size();
  }
  return recorder.lines();
}

// Of each row after the start token and the text's first token: the logit's bits and the frequency.
std::string logits_and_frequencies(const codec::LoadedModel& model) {
  exact::EngineOptions options;
  options.isa = exact::Isa::kScalar;
  options.threads = 1;
  options.window = kWindow;
  exact::Engine engine(model.weights(), options);
  engine.reset(1);
  const codec::ModelledFrame frame = codec::cut_frame(text(), 1, model, nullptr);
  const Token tokens[] = {model.start_token(),
                          model.vocabulary().token(frame.lanes[0].units[0].row)};
  const exact::LaneTokens batch[] = {{0, tokens}};
  std::ostringstream lines;
  engine.feed(batch, [&](std::size_t, std::size_t at, std::span<const float> logits, int) {
    if (at != 1) return;
    std::vector<std::uint32_t> frequencies(logits.size());
    lm::logits_to_frequencies(logits, frequencies, exact::Isa::kScalar);
    for (std::size_t i = 0; i < logits.size(); ++i) {
      lines << std::hex << std::bit_cast<std::uint32_t>(logits[i]) << std::dec << ' '
            << frequencies[i] << '\n';
    }
  });
  return lines.str();
}

// Of every code point, a byte each.
std::uint64_t hash_of_categories() {
  constexpr unsigned kFirstBytes[] = {0, 0xc0, 0xe0, 0xf0};
  std::string utf8;
  for (char32_t point = 0; point < 0x110000; ++point) {
    if (point >= 0xd800 && point < 0xe000) continue;  // surrogates are none
    const int more = (point >= 0x80) + (point >= 0x800) + (point >= 0x10000);
    utf8.push_back(static_cast<char>(kFirstBytes[more] | point >> (6 * more)));
    for (int left = more; left-- > 0;) {
      utf8.push_back(static_cast<char>(0x80 | (point >> (6 * left) & 0x3f)));
    }
  }
  const std::vector<std::uint8_t> categories = text::code_points(utf8).categories;
  return XXH3_64bits(categories.data(), categories.size());
}

// A pre-tokenizer of each kind, and the sizes of its words in bytes.
std::string words() {
  const std::string text = contents(spec_directory() / "vectors" / "words-text.txt");
  std::ostringstream lines;
  lines << "categories: " << std::hex << hash_of_categories() << std::dec << '\n';
  for (const char* name :
       {"default",      "llama-bpe",      "smaug-bpe",   "minicpm5", "qwen2",  "laguna",
        "qwen35",       "seed-coder",     "ufakzeka",    "gpt-2",    "smollm", "falcon",
        "deepseek-llm", "deepseek-coder", "deepseek-v3", "tekken",   "gpt-4o", "bloom",
        "viking",       "gemma4",         "sarvam-moe"}) {
    lines << name << ':';
    for (const std::string_view word : text::PreTokenizer::find(name)->split(text)) {
      lines << ' ' << word.size();
    }
    lines << '\n';
  }
  return lines.str();
}

std::shared_ptr<const codec::LoadedModel> small_model() {
  codec::LoadOptions options;
  options.isa = "scalar";
  options.threads = 1;
  options.window = kWindow;
  return codec::LoadedModel::load(lm::test_model(), options);
}

// Compares with what the specification has; SMLL_WRITE_VECTORS writes that anew.
void expect_vector(const std::string& name, const std::string& lines) {
  const std::filesystem::path path = spec_directory() / "vectors" / name;
  if (std::getenv("SMLL_WRITE_VECTORS") != nullptr) std::ofstream(path, std::ios::binary) << lines;
  EXPECT_EQ(contents(path), lines) << path;
}

class SpecVectors : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(lm::test_model())) {
      GTEST_SKIP() << lm::test_model() << " is missing: run `make unit`, which generates it";
    }
  }
};

TEST_F(SpecVectors, LogitsAndFrequenciesOfOneToken) {
  expect_vector("logits.txt", logits_and_frequencies(*small_model()));
}

TEST_F(SpecVectors, FirstDecisionsWithTheModel) {
  const auto model = small_model();
  expect_vector("decisions-4.txt", decisions_with_model(*model, mix::Sources::kLlm, text()));
  expect_vector("decisions-7.txt", decisions_with_model(*model, mix::Sources::kAll, text()));
  constexpr std::uint8_t kEscapes[] = {0xC0, 0xC1, ' ', 't',  'h',  'e',  ' ',
                                       'e',  'n',  'd', 0xF8, 0xF9, 0xF8, 0xF9};
  expect_vector("decisions-7-escapes.txt",
                decisions_with_model(*model, mix::Sources::kAll, kEscapes));
}

TEST(SpecVectorsWithoutModel, WordsOfOpenings) { expect_vector("words.txt", words()); }

TEST(SpecVectorsWithoutModel, FirstDecisions) {
  expect_vector("decisions-2.txt", decisions_without_model(format::Method::kCmFast));
  expect_vector("decisions-3.txt", decisions_without_model(format::Method::kCm));
  expect_vector("decisions-6.txt", decisions_without_model(format::Method::kCmEnglish));
}

}  // namespace
}  // namespace smll
