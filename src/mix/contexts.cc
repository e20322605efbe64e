#include "mix/contexts.h"

#include "mix/hashed_slots.h"

namespace smll::mix {
namespace {

uint64_t h2(uint64_t a, uint64_t b) { return mix_hash(a, b); }

constexpr ContextRow kRows[] = {
    {"order 1", kAloneContext | kMixedContext, 13, [](const LaneHistory& h) { return h.bytes(1); }},
    {"order 2", kAloneContext | kMixedContext, 16, [](const LaneHistory& h) { return h.bytes(2); }},
    {"order 3", kAloneContext | kMixedContext, 17, [](const LaneHistory& h) { return h.bytes(3); }},
    {"order 4", kAloneContext | kMixedContext, 17, [](const LaneHistory& h) { return h.bytes(4); }},
    {"order 5", kAloneContext | kMixedContext, 17, [](const LaneHistory& h) { return h.bytes(5); }},
    {"order 6", kAloneContext | kMixedContext, 17, [](const LaneHistory& h) { return h.bytes(6); }},
    {"order 0", kAloneContext, 8, [](const LaneHistory&) { return uint64_t{0}; }},
    {"word", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.word, h.byte(0)); }},
    {"word, word before", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.word + h.byte(0), h.word_before); }},
    {"word, second word before", kAloneContext, 17,
     [](const LaneHistory& h) { return h2(h.word + h.byte(0), h.word_before2); }},
    {"word, two words before", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) {
       return h2(h2(h.word + h.byte(0), h.word_before), h.word_before2);
     }},
    {"bytes 2-3", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h.last8 >> 8 & 0xffff; }},
    {"bytes 2-4", kAloneContext, 17, [](const LaneHistory& h) { return h.last8 >> 8 & 0xffffff; }},
    {"bytes 1, 3", kAloneContext, 17, [](const LaneHistory& h) { return h.last8 & 0xff00ff; }},
    {"above, column", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.above, h.column); }},
    {"above, order 1", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.above, h.byte(0)); }},
    {"column, kind of byte 1", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.column, h.classes & 15); }},
    {"column, kinds", kAloneContext, 17,
     [](const LaneHistory& h) { return h2(h.column, h.classes & 0xfff); }},
    {"column, word", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.column, h.word); }},
    {"column, line before", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.line_before * 256 + h.column, h.classes & 15); }},
    {"kinds of bytes", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.classes & 0xffffff, h.byte(0)); }},
    {"expected byte, order 1", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.expected, h.byte(0)); }},
    {"order 8", kAloneContext, 17, [](const LaneHistory& h) { return h.bytes(8); }},
    {"order 3, word before", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.bytes(3), h.word_before); }},
    {"kinds of 16 bytes", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.classes, h.bytes(1)); }},
    {"kinds of bytes, word before", kAloneContext, 17,
     [](const LaneHistory& h) { return h2(h.classes & 0xffff, h.word_before); }},
    {"order 1, word before", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.bytes(1), h.word_before); }},
    {"word, follower of 2", kAloneContext | kMixedContext, 17,
     [](const LaneHistory& h) { return h2(h.word, h.after2 & 0xff); }},
    {"token prefix", kTokenContext, 17, [](const LaneHistory& h) { return h2(h.prefix, h.depth); }},
    {"token prefix, token before", kTokenContext, 17,
     [](const LaneHistory& h) { return h2(h.prefix + h.depth, h.tokens[0]); }},
    {"token prefix, two tokens before", kTokenContext, 17,
     [](const LaneHistory& h) { return h2(h2(h.prefix + h.depth, h.tokens[0]), h.tokens[1]); }},
};

uint32_t kind_of(uint8_t c) {
  if (c >= 'a' && c <= 'z') return 1;
  if (c >= 'A' && c <= 'Z') return 2;
  if (c >= '0' && c <= '9') return 3;
  if (c >= 128) return 4;
  if (c == ' ') return 5;
  if (c == '\n') return 6;
  if (c < 32) return 7;
  return 8 + (c & 7);
}

}  // namespace

std::span<const ContextRow> context_rows() { return kRows; }

FollowerTable::FollowerTable() : after2_(65536, 0) {}

void FollowerTable::advance(LaneHistory& h, uint8_t byte, std::span<const uint8_t> before,
                            std::span<const uint8_t> lane_bytes) {
  uint16_t& follows2 = after2_[h.bytes(2)];
  follows2 = static_cast<uint16_t>(follows2 << 8 | byte);
  h.last8 = h.last8 << 8 | byte;
  h.after2 = after2_[h.bytes(2)];

  const uint32_t kind = kind_of(byte);
  h.classes = h.classes << 4 | kind;
  if (kind == 1 || kind == 2 || kind == 4) {
    h.word = mix_hash(h.word, kind == 2 ? byte + 32u : byte);
  } else if (h.word != 0) {
    h.word_before2 = h.word_before;
    h.word_before = h.word;
    h.word = 0;
  }
  if (byte == '\n') {
    h.line_before = h.column + 1;
    h.column = 0;
  } else {
    ++h.column;
  }
  h.above = 0;
  if (h.line_before > h.column) {
    const size_t own = lane_bytes.size();
    h.above = h.line_before <= own ? lane_bytes[own - h.line_before]
                                   : before[before.size() + own - h.line_before];
  }
  h.prefix = mix_hash(h.prefix, byte);
  ++h.depth;
}

}  // namespace smll::mix
