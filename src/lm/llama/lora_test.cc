// LoRA files: a model with what is read of one gives the logits that llama.cpp gives with it.
#include "lm/weights/lora.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "lm/llama/gguf_lora.h"
#include "lm/llama/logits.h"
#include "lm/test_models.h"
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

// How near the logits of the model are to those that llama.cpp gives; of the farthest position.
double agreement(const ModelPtr& model, const std::vector<Token>& tokens,
                 const llama::Logits& truth) {
  exact::EngineOptions options;
  options.threads = 1;
  exact::Engine engine(model, options);
  return llama::least_correlation(llama::logits_by_engine(engine, tokens), truth);
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
  const llama::Logits truth = llama::logits_by_llama(path, tokens, lora.path(), kScale);
  const auto adapted = [&](float scale) {
    const Adapter adapter = weights::adapter_from_lora(lora.path(), *model, scale, 2);
    EXPECT_EQ(adapter.matrices(), 7 * model->layers().size());
    return Adapter::parse(adapter.serialize()).apply(*model, 2);
  };
  EXPECT_GT(agreement(adapted(kScale), tokens, truth), 0.999);
  EXPECT_LT(agreement(adapted(kScale * 0.7f), tokens, truth), 0.999);
  EXPECT_LT(agreement(model, tokens, truth), 0.99);
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
