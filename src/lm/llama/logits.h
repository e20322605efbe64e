// The logits of all positions of a text, by llama.cpp and by the exact engine: for tests that
// compare the two.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "lm/exact/engine.h"
#include "lm/llama/llama_handles.h"

namespace smll::llama {

// Of each position: what comes after the tokens up to it.
struct Logits {
  std::size_t vocabulary = 0;
  std::vector<float> values;

  std::size_t positions() const { return values.size() / vocabulary; }
  std::span<const float> at(std::size_t position) const {
    return std::span(values).subspan(position * vocabulary, vocabulary);
  }
};

// Computed at F32 on one thread. With the LoRA file `lora`, if one is named, times `scale`.
inline Logits logits_by_llama(const std::string& path, std::vector<Token> tokens,
                              const std::string& lora = "", float scale = 1.0f) {
  const ModelHandle model = load_model(path, /*vocab_only=*/false);
  llama_context_params params = llama_context_default_params();
  const auto count = static_cast<std::int32_t>(tokens.size());
  params.n_ctx = params.n_batch = params.n_ubatch = static_cast<std::uint32_t>(count);
  params.n_threads = params.n_threads_batch = 1;
  params.type_k = params.type_v = GGML_TYPE_F32;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
  const ContextHandle context(llama_init_from_model(model.get(), params));
  EXPECT_TRUE(context) << path;
  if (!lora.empty()) {
    llama_adapter_lora* adapter = llama_adapter_lora_init(model.get(), lora.c_str());
    EXPECT_NE(adapter, nullptr) << lora;
    EXPECT_EQ(llama_set_adapters_lora(context.get(), &adapter, 1, &scale), 0) << lora;
  }
  std::vector<std::int8_t> wanted(tokens.size(), 1);
  llama_batch batch = llama_batch_get_one(tokens.data(), count);
  batch.logits = wanted.data();
  EXPECT_EQ(llama_decode(context.get(), batch), 0) << path;
  const auto vocabulary =
      static_cast<std::size_t>(llama_vocab_n_tokens(llama_model_get_vocab(model.get())));
  const float* logits = llama_get_logits(context.get());
  return {vocabulary, std::vector<float>(logits, logits + tokens.size() * vocabulary)};
}

inline Logits logits_by_engine(exact::Engine& engine, const std::vector<Token>& tokens) {
  Logits result{engine.rows(), std::vector<float>(tokens.size() * engine.rows())};
  const exact::LaneTokens batch[] = {{engine.open_lane(), tokens}};
  engine.feed(batch, [&](std::size_t, std::size_t at, std::span<const float> logits, int) {
    std::ranges::copy(logits, result.values.begin() + at * logits.size());
  });
  return result;
}

inline double correlation(std::span<const float> a, std::span<const float> b) {
  double mean_a = 0, mean_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) mean_a += a[i], mean_b += b[i];
  mean_a /= static_cast<double>(a.size());
  mean_b /= static_cast<double>(b.size());
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i] - mean_a, y = b[i] - mean_b;
    ab += x * y, aa += x * x, bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

// The least of any position; -1 where one has none, since all its logits are the same or one is no
// number.
inline double least_correlation(const Logits& a, const Logits& b) {
  if (a.vocabulary != b.vocabulary || a.values.size() != b.values.size()) {
    ADD_FAILURE() << "logits of other vocabularies or texts";
    return -1;
  }
  double least = 1;
  for (std::size_t t = 0; t < a.positions(); ++t) {
    const double each = correlation(a.at(t), b.at(t));
    least = std::min(least, std::isnan(each) ? -1 : each);
  }
  return least;
}

}  // namespace smll::llama
