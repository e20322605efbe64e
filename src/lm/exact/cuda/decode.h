// Decodes tokens that the model alone decides, as codec/unit_coder.h does with lm::Walk and
// coder::Decoder, so that only tokens leave the device.
#pragma once

#include "lm/exact/cuda/abi.h"
#include "lm/exact/cuda/decisions.h"
#include "lm/exact/cuda/simt.h"

namespace smll::exact::cuda {

// As coder::Decoder::code().
SMLL_DEVICE int decode_bit(Code& code, uint32_t p1) {
  const uint64_t ones = (code.range >> 16) * p1;
  const int bit = code.value < ones ? 1 : 0;
  if (bit) {
    code.range = ones;
  } else {
    code.value -= ones;
    code.range -= ones;
  }
  while (code.range < uint64_t{1} << 48) {
    const uint64_t byte = code.position < code.size ? code.bytes[code.position] : 0;
    ++code.position;
    code.value = code.value << 8 | byte;
    code.range <<= 8;
  }
  return bit;
}

// The row that the code names. What is left without a decision may be longer than the room: the
// caller knows how long it is.
SMLL_DEVICE uint32_t decode_row(const DecodeArgs& args, const Coded& token, Code& code) {
  const float* const values = args.from.values + token.row * args.from.stride;
  const uint64_t* const sums = args.from.sums + token.row * uint64_t{args.from.sum_stride};
  uint32_t lo = 0;
  // Sums before the first row that may still be meant, and before the first one behind those.
  uint64_t below = 0, above = sum_before(values, sums, args.from.count);
  for (uint32_t middle = args.root; middle != 0;) {
    const Decision decision = args.decisions[middle];
    // A token that fills the room needs no decision to end.
    if (decision.depth >= token.room) {
      return decision.first_part && decision.depth == token.room ? lo : kNoRow;
    }
    const uint64_t at = sum_before(values, sums, middle);
    const uint64_t part = decision.first_part ? at - below : above - at;
    const int yes = decode_bit(code, probability(part, above - below));
    if (yes == static_cast<int>(decision.first_part)) {
      above = at;
      middle = decision.next_first;
    } else {
      below = at;
      lo = middle;
      middle = decision.next_last;
    }
  }
  return lo;
}

// A block of one thread for each run: what a code says next depends on all that it said before.
SMLL_DEVICE void decode(const Block& block, const DecodeArgs& args) {
  block.each([&](int t) {
    if (t != 0) return;
    const CodedRun run = args.runs[block.x];
    Code code = *run.code;
    for (uint32_t i = run.first; i < run.first + run.count; ++i) {
      args.results[i] = decode_row(args, args.tokens[i], code);
    }
    *run.code = code;
    args.states[block.x] = code;
  });
}

}  // namespace smll::exact::cuda
