#include "codec/drafter.h"

#include <algorithm>
#include <bit>

namespace smll::codec {
namespace {

constexpr std::size_t kLeastSlots = 256, kMostSlots = std::size_t{1} << 18;
// More than twice the contexts, so that few followers displace one another.
constexpr std::size_t kSlotsPerToken = 16;

// A context is `length` tokens, the newest of them `gap` tokens before the one that follows.
struct Context {
  std::size_t gap, length;
  float trust;  // the chance of its first follower to come again, before anything is learned
};
constexpr std::array<Context, 7> kContextTable = {{{0, 1, 0.2f},
                                                   {0, 2, 0.3f},
                                                   {0, 3, 0.45f},
                                                   {0, 6, 0.65f},
                                                   {0, 16, 0.8f},
                                                   {1, 2, 0.2f},
                                                   {2, 3, 0.2f}}};

// What is learned counts against the first trust as if that came from so many tokens, and as if
// never more than the last ones had been seen.
constexpr float kTrustAtFirst = 8, kTrustLast = 64;
// The same for balances, in tokens expected.
constexpr float kBalanceAtFirst = 4, kBalanceLast = 64;
// A pass costs what the passes of about so many tokens did.
constexpr float kSpan = 64;
// Chances are estimates: a row must be worth more than it costs.
constexpr float kMargin = 1.1f;
// Guesses of less chance never pay.
constexpr float kLeastChance = 0.1f;

std::uint32_t mix(std::uint32_t hash, std::uint32_t value) {
  hash = (hash ^ value) * 0x9e3779b1u;
  hash = (hash ^ hash >> 15) * 0x85ebca77u;
  return hash ^ hash >> 13;
}

float closer_to_one(float chance, float by) { return chance + (1 - chance) * by; }

}  // namespace

Drafter::Drafter()
    : followers_(kLeastSlots),
      shift_(32 - std::countr_zero(kLeastSlots)),
      spent_(kSpan / 2),
      gained_(kSpan / 2) {
  static_assert(kContextTable.size() == kContexts);
  window_.fill(kNone);
  balances_.fill({kBalanceAtFirst, kBalanceAtFirst});
  for (std::size_t context = 0; context < kContexts; ++context) {
    float chance = kContextTable[context].trust;
    for (auto& streaks : trust_[context]) {
      streaks = {{{chance * 0.8f, kTrustAtFirst},
                  {chance, kTrustAtFirst},
                  {closer_to_one(chance, 0.3f), kTrustAtFirst}}};
      chance = closer_to_one(chance, 0.3f);
    }
  }
}

std::size_t Drafter::slots_for(std::size_t tokens) {
  if (tokens >= kMostSlots / kSlotsPerToken) return kMostSlots;
  return std::max(kLeastSlots, std::bit_ceil(tokens * kSlotsPerToken));
}

std::size_t Drafter::memory(std::size_t tokens) {
  // While the table grows, the smaller one is there, too.
  return sizeof(Drafter) + slots_for(tokens) * sizeof(Follower) * 3 / 2;
}

Drafter::Hashes Drafter::hashes(const Window& window) {
  Hashes hashes;
  for (std::size_t i = 0; i < kContexts; ++i) {
    const Context& context = kContextTable[i];
    std::uint32_t hash = static_cast<std::uint32_t>(i) + 1;
    for (std::size_t j = 0; j < context.length; ++j) {
      hash = mix(hash, static_cast<std::uint32_t>(window[context.gap + j]));
    }
    hashes[i] = hash;
  }
  return hashes;
}

void Drafter::shift_in(Window& window, Token token) {
  std::shift_right(window.begin(), window.end(), 1);
  window[0] = token;
}

Drafter::Candidate Drafter::best(const Hashes& contexts) {
  Candidate best;
  for (std::size_t i = 0; i < kContexts; ++i) {
    const Follower& follower = slot(contexts[i]);
    if (follower.context != contexts[i] || follower.token == kNone) continue;
    const float chance = trust(i, follower).chance;
    if (chance > best.chance) best = {follower.token, chance};
  }
  return best;
}

// Chances need the balance because the best of several estimates is too high in the mean.
Drafter::Balance& Drafter::balance(float chance) {
  return balances_[std::min(static_cast<std::size_t>(chance * kBalances), kBalances - 1)];
}

void Drafter::see(Token token) {
  if (slots_for(++tokens_) > followers_.size()) grow();
  const Hashes contexts = hashes(window_);
  const Candidate expected = best(contexts);
  for (std::size_t i = 0; i < kContexts; ++i) learn(token, i, contexts[i]);
  if (expected.token != kNone) {
    const bool came = expected.token == token;
    streak_ = came ? std::min(streak_ + 1, kStreaks - 1) : 0;
    Balance& of_those = balance(expected.chance);
    of_those.came += static_cast<float>(came);
    of_those.expected += expected.chance;
    if (of_those.expected > kBalanceLast) of_those = {of_those.came / 2, of_those.expected / 2};
  }
  shift_in(window_, token);
  ++gained_;
}

void Drafter::learn(Token token, std::size_t context, std::uint32_t hash) {
  Follower& follower = slot(hash);
  if (follower.context != hash || follower.token == kNone) {
    follower = {hash, token, 0};
    return;
  }
  const bool again = follower.token == token;
  Trust& alike = trust(context, follower);
  alike.seen = std::min(alike.seen + 1, kTrustLast);
  alike.chance += (static_cast<float>(again) - alike.chance) / alike.seen;
  if (again) {
    follower.repeats = std::min(follower.repeats + 1, kRepeats - 1);
  } else {
    follower = {hash, token, 0};
  }
}

void Drafter::grow() {
  std::vector<Follower> larger(slots_for(tokens_));
  shift_ = 32 - std::countr_zero(larger.size());
  larger.swap(followers_);
  for (const Follower& follower : larger) {
    if (follower.token != kNone) slot(follower.context) = follower;
  }
}

std::span<const Token> Drafter::guess(std::span<const float> costs) {
  costs = costs.first(std::min(costs.size(), kMostGuesses));
  // A pass saved is worth what a token costs, which is less where guesses hold.
  const float worth = std::min(1.0f, spent_ / gained_);
  Window window = window_;
  float chance = 1, gain = 0, best_gain = 0, cost = 0, best_cost = 0;
  std::size_t guesses = 0;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const Candidate next = best(hashes(window));
    if (next.token == kNone) break;
    const Balance& of_those = balance(next.chance);
    chance *= std::min(next.chance * of_those.came / of_those.expected, 1.0f);
    if (chance < kLeastChance) break;
    cost += costs[i];
    gain += chance * worth - kMargin * costs[i];
    guesses_[i] = next.token;
    if (gain > best_gain) {
      best_gain = gain;
      best_cost = cost;
      guesses = i + 1;
    }
    shift_in(window, next.token);
  }
  if (gained_ > kSpan) {
    spent_ /= 2;
    gained_ /= 2;
  }
  spent_ += 1 + best_cost;
  return {guesses_.data(), guesses};
}

Drafter::Costs costs_of_rows(std::size_t lanes, std::size_t rows) {
  // The time of passes of 1, 2, 4, ... rows, where one row takes 1.
  constexpr std::array<float, 7> kTimes = {1, 1.17f, 1.28f, 2.06f, 3.33f, 5.85f, 10.63f};
  const auto time = [&](std::size_t count) {
    const auto power = std::min<std::size_t>(std::bit_width(count) - 1, kTimes.size() - 2);
    const float past = static_cast<float>(count) / static_cast<float>(std::size_t{1} << power) - 1;
    return kTimes[power] + past * (kTimes[power + 1] - kTimes[power]);
  };
  const float share = time(lanes) / static_cast<float>(lanes);
  Drafter::Costs costs;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    costs[i] = (time(rows + i + 1) - time(rows + i)) / share;
  }
  return costs;
}

}  // namespace smll::codec
