// Guesses the next tokens of one lane, so that a pass of the model can check several at once.
//
// A decoder feeds its lane's last token and behind it the guesses, as further rows of one pass,
// which costs little more than one row. Each guess that proves right saves a pass; those behind the
// first wrong one are taken back. What is decoded does not depend on guesses, only the time does:
// guesses need not be the same on any two machines.
//
// A guess is what followed the last tokens where they occurred before in the lane. There are
// several contexts of this kind, long ones, short ones and ones with gaps (behind a number that
// never came before); how far each can be trusted is learned from all tokens, guessed or not.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "text/token.h"

namespace smll::codec {

class Drafter {
 public:
  static constexpr std::size_t kMostGuesses = 7;
  using Costs = std::array<float, kMostGuesses>;

  Drafter();
  // Bytes, at most, that one takes after so many tokens.
  static std::size_t memory(std::size_t tokens);

  // The lane's next token is known, whether it was guessed or not.
  void see(Token token);

  // What may follow the tokens seen: as many tokens as are worth their rows, mostly none where the
  // text does not repeat itself. To be called once for each pass. `costs`: of the first row more
  // than one, the second, and so on, each as a part of what a pass without guesses costs the lane
  // (costs_of_rows()); no more guesses are given than it has costs. Valid until the next call.
  std::span<const Token> guess(std::span<const float> costs);

 private:
  static constexpr std::size_t kContexts = 7;
  static constexpr std::size_t kWindow = 16;  // tokens that the longest context has
  static constexpr std::uint32_t kRepeats = 6;
  static constexpr std::uint32_t kStreaks = 3;
  static constexpr std::size_t kBalances = 8;
  using Window = std::array<Token, kWindow>;  // the newest token first
  using Hashes = std::array<std::uint32_t, kContexts>;

  // What followed a context last.
  struct Follower {
    std::uint32_t context = 0;  // its hash
    Token token = kNone;
    std::uint32_t repeats = 0;  // times that it followed again since it did first; up to kRepeats
  };
  // How often a follower came again, of those alike.
  struct Trust {
    float chance;
    float seen;
  };
  struct Candidate {
    Token token = kNone;
    float chance = 0;
  };
  // How often the best candidates came, against how often they were thought to.
  struct Balance {
    float came, expected;
  };
  static constexpr Token kNone = -1;

  static Hashes hashes(const Window& window);
  static void shift_in(Window& window, Token token);
  static std::size_t slots_for(std::size_t tokens);
  Follower& slot(std::uint32_t hash) { return followers_[hash >> shift_]; }
  Trust& trust(std::size_t context, const Follower& follower) {
    return trust_[context][follower.repeats][streak_];
  }
  Candidate best(const Hashes& contexts);
  Balance& balance(float chance);
  void learn(Token token, std::size_t context, std::uint32_t hash);
  void grow();

  Window window_;
  std::size_t tokens_ = 0;
  std::vector<Follower> followers_;  // a power of two, found by the hash's upper bits
  int shift_;
  std::array<std::array<std::array<Trust, kStreaks>, kRepeats>, kContexts> trust_;
  std::array<Balance, kBalances> balances_;  // by chance
  std::uint32_t streak_ = 0;  // last tokens that were the best candidate, up to kStreaks - 1
  // Of late: what the passes cost, and the tokens that they gave.
  float spent_, gained_;
  std::array<Token, kMostGuesses> guesses_;
};

// What further rows cost a lane in a pass of `lanes` lanes that has `rows` rows so far, guesses of
// other lanes among them. As measured on one core; it is much the same on others.
Drafter::Costs costs_of_rows(std::size_t lanes, std::size_t rows);

}  // namespace smll::codec
