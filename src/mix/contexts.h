// The contexts that bytes are predicted in: one row each in a table, so a new
// context is a new row.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "mix/match_model.h"

namespace smll::mix {

// What contexts are made of: the past of one lane, kept up to date byte by
// byte.
struct LaneHistory {
  uint64_t last8 = 0;        // the last 8 bytes, the newest lowest
  uint64_t word = 0;         // hash of the letters since the last other byte (0: none)
  uint64_t word_before = 0;  // the word before it
  uint64_t word_before2 = 0;
  uint64_t classes = 0;      // kinds of the last bytes, 4 bits each
  uint32_t column = 0;       // bytes since the last line break
  uint32_t line_before = 0;  // length of the line before, with its break
  uint8_t above = 0;         // the byte above, in the line before
  uint16_t after2 = 0;       // bytes that followed the last two bytes before (newest lowest)
  uint32_t expected = 0;     // byte expected by the match model + 1, and its length bucket << 9
  // Tokens of the language model.
  uint32_t depth = 0;                // bytes of the present token
  uint64_t prefix = 0;               // hash of these bytes
  std::array<uint64_t, 3> tokens{};  // hashes of the last tokens, newest first

  uint32_t byte(int back) const { return static_cast<uint32_t>(last8 >> (8 * back) & 255); }
  uint64_t bytes(int count) const {
    return count >= 8 ? last8 : last8 & ((uint64_t{1} << (8 * count)) - 1);
  }
};

// Which networks a context belongs to.
inline constexpr uint32_t kAloneContext = 1;  // context models alone
inline constexpr uint32_t kMixedContext = 2;  // beside the language model
inline constexpr uint32_t kTokenContext = 4;  // the same, made of the model's tokens

struct ContextRow {
  const char* name;
  uint32_t networks;
  int bits;  // its table never needs more than 2^bits buckets
  uint64_t (*hash)(const LaneHistory&);
};
std::span<const ContextRow> context_rows();

// Tables shared by the lanes that LaneHistory::after* come from.
class FollowerTable {
 public:
  FollowerTable();
  // Appends a byte to the lane's history. `lane_bytes` ends with it; `before`: the
  // bytes that the history begins with before the lane's.
  void advance(LaneHistory& history, uint8_t byte, std::span<const uint8_t> before,
               std::span<const uint8_t> lane_bytes);

 private:
  std::vector<uint16_t> after2_;
};

}  // namespace smll::mix
