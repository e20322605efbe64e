// How tests feed engines, and what comes of it.
#pragma once

#include <algorithm>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "lm/exact/engine.h"

namespace smll::exact {

inline std::vector<Token> random_tokens(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Token> tokens(n);
  for (Token& t : tokens) t = static_cast<Token>(random() % 100);
  tokens[0] = 1;
  return tokens;
}

// All logits of one lane, position after position.
using Logits = std::vector<float>;

// Feeds lanes in pieces: each call gives each unfinished lane its next `piece(lane, call)` tokens.
template <typename Piece>
std::vector<Logits> run(Engine& engine, const std::vector<std::vector<Token>>& lanes, Piece piece) {
  engine.reset(static_cast<int>(lanes.size()));
  std::vector<Logits> result(lanes.size());
  std::vector<std::size_t> at(lanes.size());
  for (std::size_t i = 0; i < lanes.size(); ++i) result[i].resize(lanes[i].size() * engine.rows());
  for (int call = 0;; ++call) {
    std::vector<LaneTokens> batch;
    std::vector<std::size_t> first;
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      const std::size_t n = std::min<std::size_t>(piece(i, call), lanes[i].size() - at[i]);
      if (n == 0) continue;
      batch.push_back({static_cast<int>(i), std::span<const Token>(lanes[i]).subspan(at[i], n)});
      first.push_back(at[i]);
      at[i] += n;
    }
    if (batch.empty()) return result;
    engine.feed(batch,
                [&](std::size_t input, std::size_t position, std::span<const float> logits, int) {
                  const std::size_t row = first[input] + position;
                  std::memcpy(&result[batch[input].lane][row * logits.size()], logits.data(),
                              logits.size_bytes());
                });
  }
}

inline bool same(const Logits& a, const Logits& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

inline EngineOptions options(Isa isa, int threads, int window = 64) {
  EngineOptions o;
  o.isa = isa;
  o.threads = threads;
  o.window = window;
  return o;
}

inline const auto kWhole = [](std::size_t, int) { return 1u << 20; };
inline const auto kSingle = [](std::size_t, int) { return 1u; };

inline Logits feed(Engine& engine, int lane, std::span<const Token> tokens) {
  Logits result(tokens.size() * engine.rows());
  const LaneTokens batch[] = {{lane, tokens}};
  engine.feed(batch, [&](std::size_t, std::size_t at, std::span<const float> logits, int) {
    std::memcpy(&result[at * logits.size()], logits.data(), logits.size_bytes());
  });
  return result;
}

// Feeds guesses with the tokens, some of them right, and takes the wrong ones back.
inline Logits feed_with_guesses(Engine& engine, int lane, const std::vector<Token>& tokens,
                                std::mt19937& random) {
  Logits result;
  for (std::size_t at = 0; at < tokens.size();) {
    const std::size_t guesses = random() % (engine.max_guesses(lane) + 1);
    const std::size_t right =
        std::min<std::size_t>(random() % (guesses + 1), tokens.size() - at - 1);
    std::vector<Token> fed(tokens.begin() + at, tokens.begin() + at + 1 + right);
    while (fed.size() < 1 + guesses) fed.push_back(static_cast<Token>(random() % 100));
    const Logits logits = feed(engine, lane, fed);
    result.insert(result.end(), logits.begin(), logits.begin() + (1 + right) * engine.rows());
    if (guesses > right) engine.take_back(lane, guesses - right);
    at += 1 + right;
  }
  return result;
}

}  // namespace smll::exact
