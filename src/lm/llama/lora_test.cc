// LoRA files: a model with what is read of one gives the logits that llama.cpp gives with it.
#include "lm/weights/lora.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "lm/exact/engine.h"
#include "lm/family_models.h"
#include "lm/llama/gguf_lora.h"
#include "lm/llama/llama_handles.h"
#include "lm/weights/gguf_tiny.h"
#include "smll/error.h"

namespace smll {
namespace {

using weights::Adapter;
using weights::LoraWriter;
using weights::Weights;
using ModelPtr = std::shared_ptr<const Weights>;

constexpr float kScale = 0.7f;

// Of all the model's matrices.
void write_lora(const Weights& model, const std::string& path) {
  const weights::ModelSpec& spec = model.spec();
  LoraWriter lora(spec.architecture, 16.0f);
  for (std::size_t i = 0; i < model.layers().size(); ++i) {
    const std::string prefix = "blk." + std::to_string(i) + ".";
    const auto add = [&](const char* name, int inputs, int outputs, ggml_type type) {
      lora.add(prefix + name + ".weight", inputs, outputs, 8, 0.02f, type);
    };
    add("attn_q", spec.width, spec.query_width(), GGML_TYPE_F32);
    add("attn_k", spec.width, spec.key_width(), GGML_TYPE_F16);
    add("attn_v", spec.width, spec.key_width(), GGML_TYPE_F32);
    add("attn_output", spec.query_width(), spec.width, GGML_TYPE_F16);
    add("ffn_gate", spec.width, spec.ffn_width, GGML_TYPE_F32);
    add("ffn_up", spec.width, spec.ffn_width, GGML_TYPE_F32);
    add("ffn_down", spec.ffn_width, spec.width, GGML_TYPE_F32);
  }
  lora.write(path);
}

std::vector<Token> tokens_for(const Weights& model) {
  std::vector<Token> tokens = {model.start_token()};
  std::uint32_t state = 1;
  while (tokens.size() < 60) {
    state = state * 1664525u + 1013904223u;
    tokens.push_back(static_cast<Token>(state >> 8) % model.spec().vocabulary);
  }
  return tokens;
}

std::vector<float> by_llama(const std::string& path, const std::string& lora,
                            std::vector<Token> tokens) {
  const llama::ModelHandle model = llama::load_model(path, /*vocab_only=*/false);
  llama_context_params params = llama_context_default_params();
  const auto count = static_cast<std::int32_t>(tokens.size());
  params.n_ctx = params.n_batch = params.n_ubatch = static_cast<std::uint32_t>(count);
  params.n_threads = params.n_threads_batch = 1;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  const llama::ContextHandle context(llama_init_from_model(model.get(), params));
  llama_adapter_lora* adapter = llama_adapter_lora_init(model.get(), lora.c_str());
  EXPECT_NE(adapter, nullptr);
  float scale = kScale;
  EXPECT_EQ(llama_set_adapters_lora(context.get(), &adapter, 1, &scale), 0);
  std::vector<std::int8_t> wanted(tokens.size(), 1);
  llama_batch batch = llama_batch_get_one(tokens.data(), count);
  batch.logits = wanted.data();
  EXPECT_EQ(llama_decode(context.get(), batch), 0);
  const auto vocabulary =
      static_cast<std::size_t>(llama_vocab_n_tokens(llama_model_get_vocab(model.get())));
  const float* logits = llama_get_logits(context.get());
  return {logits, logits + tokens.size() * vocabulary};
}

std::vector<float> by_engine(const ModelPtr& model, const std::vector<Token>& tokens) {
  exact::EngineOptions options;
  options.threads = 1;
  exact::Engine engine(model, options);
  std::vector<float> values(tokens.size() * engine.rows());
  const exact::LaneTokens batch[] = {{engine.open_lane(), tokens}};
  engine.feed(batch, [&](std::size_t, std::size_t at, std::span<const float> logits, int) {
    std::ranges::copy(logits, values.begin() + at * logits.size());
  });
  return values;
}

// The least of any position.
double correlation(const std::vector<float>& a, const std::vector<float>& b, std::size_t rows) {
  double least = 1.0;
  for (std::size_t first = 0; first < a.size(); first += rows) {
    double mean_a = 0, mean_b = 0, ab = 0, aa = 0, bb = 0;
    for (std::size_t i = first; i < first + rows; ++i) mean_a += a[i], mean_b += b[i];
    mean_a /= static_cast<double>(rows);
    mean_b /= static_cast<double>(rows);
    for (std::size_t i = first; i < first + rows; ++i) {
      const double x = a[i] - mean_a, y = b[i] - mean_b;
      ab += x * y, aa += x * x, bb += y * y;
    }
    least = std::min(least, ab / std::sqrt(aa * bb));
  }
  return least;
}

class Lora : public testing::TestWithParam<std::string> {};

TEST_P(Lora, TheAdaptedEnginesLogitsAreLlamas) {
  const std::string path = lm::family_model(GetParam());
  if (!std::filesystem::exists(path)) {
    GTEST_SKIP() << path << " is missing: run `make unit`, which generates it";
  }
  const ModelPtr model = Weights::load(path, {}, 1);
  const std::vector<Token> tokens = tokens_for(*model);
  const weights::TinyFile lora;
  write_lora(*model, lora.path());
  const std::vector<float> truth = by_llama(path, lora.path(), tokens);
  const auto rows = static_cast<std::size_t>(model->spec().vocabulary);
  const auto agrees = [&](const ModelPtr& with) {
    return correlation(by_engine(with, tokens), truth, rows);
  };
  const auto adapted = [&](float scale) {
    const Adapter adapter = weights::adapter_from_lora(lora.path(), *model, scale, 2);
    EXPECT_EQ(adapter.matrices(), 7 * model->layers().size());
    return Adapter::parse(adapter.serialize()).apply(*model, 2);
  };
  EXPECT_GT(agrees(adapted(kScale)), 0.999);
  EXPECT_LT(agrees(adapted(kScale * 0.7f)), 0.999);
  EXPECT_LT(agrees(model), 0.99);
}

INSTANTIATE_TEST_SUITE_P(All, Lora, testing::ValuesIn(lm::kFamilies),
                         [](const auto& family) { return family.param; });

ModelPtr tiny() { return Weights::load(weights::TinyModel().path(), {}, 1); }

std::string refusal(const LoraWriter& lora) {
  const weights::TinyFile file;
  lora.write(file.path());
  try {
    weights::adapter_from_lora(file.path(), *tiny(), 1.0f, 1);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kModel);
    return error.what();
  }
  return "";
}

TEST(LoraFile, WhatDoesNotFitIsRefused) {
  const auto says = [](const LoraWriter& lora, const std::string& what) {
    EXPECT_NE(refusal(lora).find(what), std::string::npos) << refusal(lora);
  };
  {
    LoraWriter lora("llama", 8);
    lora.add("blk.0.attn_q.weight", 64, 128, 4, 0.1f);
    EXPECT_EQ(refusal(lora), "");
    lora.set("adapter.type", "control_vector");
    says(lora, "this is no LoRA adapter");
  }
  LoraWriter empty("llama", 8), other("gemma3", 8), larger("llama", 8), half("llama", 8),
      ranks("llama", 8), norm("llama", 8), head("llama", 8), beyond("llama", 8);
  says(empty, "it has no tensors");
  other.add("blk.0.attn_q.weight", 64, 128, 4, 0.1f);
  says(other, "'gemma3'");
  larger.add("blk.0.attn_q.weight", 64, 160, 4, 0.1f);
  says(larger, "do not fit");
  half.add_factor("blk.0.attn_q.weight.lora_a", 64, 4, 0.1f);
  says(half, "one factor only");
  ranks.add_factor("blk.0.attn_q.weight.lora_a", 64, 4, 0.1f);
  ranks.add_factor("blk.0.attn_q.weight.lora_b", 5, 128, 0.1f);
  says(ranks, "do not fit");
  norm.add_factor("blk.0.attn_norm.weight", 64, 1, 0.1f);
  says(norm, "blk.0.attn_norm.weight");
  head.add("token_embd.weight", 64, 100, 4, 0.1f);
  says(head, "token_embd.weight.lora_a");
  beyond.add("blk.2.attn_q.weight", 64, 128, 4, 0.1f);
  says(beyond, "blk.2.attn_q.weight");
}

}  // namespace
}  // namespace smll
