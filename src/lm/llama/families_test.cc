// Families of models against llama.cpp: the exact engine gives the logits that llama.cpp gives at
// F32, and would not if it computed any part of a family in another way.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>

#include "lm/exact/engine.h"
#include "lm/llama/gguf_edit.h"
#include "lm/llama/llama_vocabulary.h"
#include "lm/llama/logits.h"
#include "lm/test_models.h"
#include "lm/weights/gguf_tiny.h"

namespace smll {
namespace {

using llama::Logits;
using weights::GgufEdit;

// Some hundred tokens: more than any local window, several blocks of queries and two segments of
// the engine's keys.
std::string long_text() {
  constexpr const char* kWords[] = {"the", "that", "was",  "with",    "had", "und",
                                    "die", "не",   "что",  "los",     "las", "的",
                                    "是",  "7",    "them", "\n\nthe", ",",   "  it"};
  std::string text = "have";
  std::uint32_t state = 1;
  while (text.size() < 1700) {
    state = state * 1664525u + 1013904223u;
    text += std::string(" ") + kWords[(state >> 16) % std::size(kWords)];
  }
  return text;
}

std::vector<Token> tokens_of(const std::string& path, const std::string& text) {
  const llama::ModelHandle model = llama::load_model(path, /*vocab_only=*/true);
  std::vector<Token> tokens = {llama::start_token(*model)};
  for (const Token token : llama::raw_tokenizer (*model)(text)) tokens.push_back(token);
  return tokens;
}

Logits by_engine(const std::string& path, const std::vector<Token>& tokens) {
  exact::EngineOptions options;
  options.threads = 1;
  return llama::logits_by_engine(*exact::make_engine(path, options), tokens);
}

// Bits of the tokens behind the first.
double code_length(const Logits& logits, const std::vector<Token>& tokens) {
  double bits = 0;
  for (std::size_t t = 0; t + 1 < tokens.size(); ++t) {
    double sum = 0;
    for (const float logit : logits.at(t)) sum += std::exp(logit);
    bits += std::log2(sum) - logits.at(t)[tokens[t + 1]] / std::log(2.0);
  }
  return bits;
}

struct Comparison {
  double correlation = 1;  // the least of any position
  double length = 0;       // how far the code length is off
  bool agrees() const { return correlation > 0.999 && std::abs(length) < 0.005; }
};

std::ostream& operator<<(std::ostream& out, const Comparison& c) {
  return out << "correlation " << c.correlation << ", code length off by " << 100 * c.length
             << " %";
}

Comparison compare(const Logits& logits, const Logits& truth, const std::vector<Token>& tokens) {
  return {llama::least_correlation(logits, truth),
          code_length(logits, tokens) / code_length(truth, tokens) - 1};
}

// What an engine that has something wrong computes of the true file, the right one computes of a
// file with this change.
struct Fault {
  std::string name;
  std::function<void(GgufEdit&)> make;
};

Fault ones_for(const std::string& tensor) {
  return {tensor + " left out", [tensor](GgufEdit& file) { file.fill(tensor + ".weight", 1); }};
}

Fault zeros_for(const std::string& tensor) {
  return {tensor + " left out", [tensor](GgufEdit& file) { file.fill(tensor + ".bias", 0); }};
}

Fault other(const std::string& key, double factor) {
  return {key + " times " + std::to_string(factor),
          [=](GgufEdit& file) { file.set_number(key, file.number(key) * factor); }};
}

Fault without(const std::string& key) {
  return {key + " left out", [key](GgufEdit& file) { file.remove(key); }};
}

// Dimensions that turn together, of each head of queries or keys, are taken for others.
void swap_rotary_pairs(GgufEdit& file) {
  const auto head = static_cast<std::size_t>(file.number("attention.key_length"));
  for (const char* name : {"attn_q.weight", "attn_k.weight"}) {
    for (ggml_tensor* tensor : file.named(name)) {
      const std::span<float> values = GgufEdit::values(tensor);
      const std::vector<float> before(values.begin(), values.end());
      const auto columns = static_cast<std::size_t>(tensor->ne[0]);
      for (std::size_t row = 0; row < values.size() / columns; ++row) {
        const std::size_t d = row % head;
        const std::size_t from = row - d + d / 2 + d % 2 * (head / 2);
        std::memcpy(&values[row * columns], &before[from * columns], columns * sizeof(float));
      }
    }
  }
}

// GELU(x) is nearly SiLU(1.702 x) / 1.702.
void swap_activation(GgufEdit& file) {
  const float factor = file.architecture() == "gemma3" ? 1 / 1.702f : 1.702f;
  file.scale("ffn_gate.weight", factor);
  file.scale("ffn_up.weight", 1 / factor);
}

// Its embedding scale is no metadata; the tied head is not scaled.
void without_embedding_scale(GgufEdit& file) {
  file.add_copy("output.weight", "token_embd.weight");
  file.scale("token_embd.weight",
             static_cast<float>(1 / std::sqrt(file.number("embedding_length"))));
}

void add(std::vector<Fault>& faults, const std::vector<Fault>& more) {
  faults.insert(faults.end(), more.begin(), more.end());
}

std::vector<Fault> faults_of(const std::string& family) {
  const std::string epsilon = "attention.layer_norm_rms_epsilon";
  std::vector<Fault> faults = {other("rope.freq_base", 10),
                               other(epsilon, 0.001),
                               ones_for("attn_norm"),
                               ones_for("ffn_norm"),
                               ones_for("output_norm"),
                               {"rotation of other pairs", swap_rotary_pairs},
                               {"another activation", swap_activation}};
  const std::vector<Fault> biases = {zeros_for("attn_q"), zeros_for("attn_k"), zeros_for("attn_v")};
  const std::vector<Fault> head_norms = {ones_for("attn_q_norm"), ones_for("attn_k_norm")};
  if (family == "llama") {
    add(faults, biases);
    add(faults, {zeros_for("attn_output"),
                 {"rope_freqs left out", [](GgufEdit& f) { f.fill("rope_freqs.weight", 1); }},
                 other("rope.scaling.factor", 2)});
  } else if (family == "qwen2") {
    add(faults, biases);
  } else if (family == "qwen3") {
    add(faults, head_norms);
  } else if (family == "gemma3") {
    add(faults, head_norms);
    add(faults, {ones_for("post_attention_norm"),
                 ones_for("post_ffw_norm"),
                 other("rope.freq_base_swa", 2),
                 without("rope.freq_base_swa"),
                 without("rope.scaling.factor"),
                 other("attention.sliding_window", 23.0 / 24),
                 other("attention.sliding_window", 25.0 / 24),
                 without("attention.sliding_window"),
                 without("final_logit_softcapping"),
                 {"another pattern",
                  [](GgufEdit& file) { file.add_number("attention.sliding_window_pattern", 7); }},
                 {"embedding scale left out", without_embedding_scale}});
  } else if (family == "granite") {
    add(faults, biases);
    add(faults,
        {zeros_for("attn_output"),
         other("attention.scale", 1.2),
         without("attention.scale"),
         other("residual_scale", 1.1),
         without("residual_scale"),
         other("embedding_scale", 1.2),
         without("embedding_scale"),
         other("logit_scale", 1.05),
         {"not rotated", [](GgufEdit& file) { file.add_flag("rope.scaling.finetuned", false); }}});
  } else if (family == "smollm3") {
    add(faults, {{"all layers rotated", [](GgufEdit& file) { file.rename("llama"); }}});
  }
  return faults;
}

class Families : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(path_)) {
      GTEST_SKIP() << path_ << " is missing: run `make unit`, which generates it";
    }
    tokens_ = tokens_of(path_, long_text());
    truth_ = llama::logits_by_llama(path_, tokens_);
  }

  const std::string path_ = lm::family_model(GetParam());
  std::vector<Token> tokens_;
  Logits truth_;
};

TEST_P(Families, TheEnginesLogitsAreLlamas) {
  ASSERT_GT(tokens_.size(), 520u);
  const Comparison seen = compare(by_engine(path_, tokens_), truth_, tokens_);
  EXPECT_TRUE(seen.agrees()) << seen;
}

TEST_P(Families, FaultsAreSeen) {
  for (const Fault& fault : faults_of(GetParam())) {
    const weights::TinyFile altered;
    GgufEdit edit(path_);
    fault.make(edit);
    edit.write(altered.path());
    const Comparison seen = compare(by_engine(altered.path(), tokens_), truth_, tokens_);
    EXPECT_FALSE(seen.agrees()) << fault.name << ": " << seen;
  }
}

// Metadata that other files of the family have, and both sides read.
std::vector<Fault> variants_of(const std::string& family) {
  std::vector<Fault> variants = {without("rope.freq_base")};
  if (family == "llama") {
    add(variants,
        {without("rope.scaling.type"),
         without("rope.scaling.factor"),
         {"no scaling", [](GgufEdit& file) { file.set_text("rope.scaling.type", "none"); }}});
  } else if (family == "qwen2") {
    add(variants, {without("attention.key_length")});
  } else if (family == "gemma3") {
    add(variants, {without("rope.scaling.type"),
                   without("rope.freq_base_swa"),
                   without("attention.sliding_window"),
                   without("final_logit_softcapping"),
                   {"a pattern's period",
                    [](GgufEdit& file) { file.add_number("attention.sliding_window_pattern", 3); }},
                   {"a pattern", [](GgufEdit& file) {
                      file.add_flags("attention.sliding_window_pattern", {1, 0, 1, 1, 0, 1, 1});
                    }}});
  } else if (family == "granite") {
    add(variants,
        {without("attention.scale"),
         without("residual_scale"),
         without("embedding_scale"),
         {"not rotated", [](GgufEdit& file) { file.add_flag("rope.scaling.finetuned", false); }}});
  } else if (family == "smollm3") {
    add(variants, {{"a scale that it has not",
                    [](GgufEdit& file) { file.add_float("attention.scale", 0.5f); }}});
  }
  return variants;
}

TEST_P(Families, MetadataAreReadAsLlamaReadsThem) {
  for (const Fault& variant : variants_of(GetParam())) {
    const weights::TinyFile altered;
    GgufEdit edit(path_);
    variant.make(edit);
    edit.write(altered.path());
    const Comparison seen = compare(by_engine(altered.path(), tokens_),
                                    llama::logits_by_llama(altered.path(), tokens_), tokens_);
    EXPECT_TRUE(seen.agrees()) << variant.name << ": " << seen;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Families, testing::ValuesIn(lm::kFamilies),
                         [](const auto& family) { return family.param; });

}  // namespace
}  // namespace smll
