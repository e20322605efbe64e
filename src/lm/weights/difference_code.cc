#include "lm/weights/difference_code.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <vector>

#include "coder/range_coder.h"
#include "smll/error.h"

namespace smll::weights {

namespace {

[[noreturn]] void fail() {
  throw Error(ErrorKind::kData, "the adapter is damaged: its differences do not fit the model");
}

// Of halves and of floats: their bits, negated where the sign is set.
template <typename Bits>
std::int32_t ordered(Bits bits) {
  constexpr auto kSign = static_cast<Bits>(Bits{1} << (sizeof(Bits) * 8 - 1));
  const auto magnitude = static_cast<std::int32_t>(bits & ~kSign);
  return bits & kSign ? -magnitude : magnitude;
}

template <typename Bits>
Bits unordered(std::int32_t order) {
  constexpr auto kSign = static_cast<Bits>(Bits{1} << (sizeof(Bits) * 8 - 1));
  return order < 0 ? static_cast<Bits>(kSign | static_cast<Bits>(-order))
                   : static_cast<Bits>(order);
}

class AdaptiveBit {
 public:
  template <typename Coder>
  int code(Coder& coder, int bit) {
    const int coded = coder.code(p_, bit);
    p_ = coded ? p_ + ((coder::kProbabilityOne - p_) >> kShift) : p_ - (p_ >> kShift);
    return coded;
  }

 private:
  static constexpr int kShift = 7;
  std::uint32_t p_ = coder::kProbabilityOne / 2;
};

// Differences of one kind. `value` is what an encoder codes; a decoder's is not looked at.
class DifferenceModel {
 public:
  template <typename Coder>
  std::int32_t code(Coder& coder, std::int32_t value) {
    const int context = context_;
    context_ = 0;
    if (!nonzero_[context].code(coder, value != 0)) return 0;
    const int negative = sign_.code(coder, value < 0);
    const auto magnitude = static_cast<std::uint32_t>(std::abs(value));
    const int bits = std::bit_width(magnitude);
    int coded_bits = 1;
    while (coded_bits < kMostBits && size_[coded_bits].code(coder, bits > coded_bits)) ++coded_bits;
    std::uint32_t coded = 1;
    for (int i = coded_bits - 2; i >= 0; --i) {
      const int bit = bits_[coded_bits][i].code(coder, static_cast<int>(magnitude >> i & 1));
      coded = coded << 1 | static_cast<std::uint32_t>(bit);
    }
    context_ = coded_bits == 1 ? 1 : 2;
    return negative ? -static_cast<std::int32_t>(coded) : static_cast<std::int32_t>(coded);
  }

 private:
  static constexpr int kMostBits = 20;  // two finite floats are no farther apart
  std::array<AdaptiveBit, 3> nonzero_;  // by the one before: zero, one, more
  AdaptiveBit sign_;
  std::array<AdaptiveBit, kMostBits + 1> size_;
  std::array<std::array<AdaptiveBit, kMostBits>, kMostBits + 1> bits_;  // by size and place
  int context_ = 0;
};

int nibble(const U4Block& block, int i) {
  return i < 16 ? block.nibbles[i] & 15 : block.nibbles[i - 16] >> 4;
}

// What codes or decodes a whole matrix: `to` is read by an encoder and written by a decoder.
template <typename Coder>
class BlockCoder {
 public:
  static constexpr bool kDecodes = std::is_same_v<Coder, coder::Decoder>;

  explicit BlockCoder(Coder& coder) : coder_(coder) {}

  void code(const U4Block& from, U4Block& to) {
    code_half(scale_, from.d, to.d);
    code_half(minimum_, from.m, to.m);
    std::array<int, 32> values;
    for (int i = 0; i < 32; ++i) {
      const int old = nibble(from, i);
      values[i] = old + value_.code(coder_, kDecodes ? 0 : nibble(to, i) - old);
      if (values[i] < 0 || values[i] > 15) fail();
    }
    for (int i = 0; i < 16; ++i) {
      to.nibbles[i] = static_cast<std::uint8_t>(values[i] | values[16 + i] << 4);
    }
  }

  void code(const S8Block& from, S8Block& to) {
    constexpr std::int64_t kStep = std::int64_t{1} << kScaleShift;
    const std::int64_t old = order_of(from.scale);
    const std::int64_t step = kDecodes ? 0 : (order_of(to.scale) - old) / kStep;
    const std::int64_t order = old + scale_.code(coder_, static_cast<std::int32_t>(step)) * kStep;
    if (std::abs(order) >= kInfinity) fail();
    to.scale = float_of(static_cast<std::int32_t>(order));
    const int shift = minimum_.code(coder_, kDecodes ? 0 : shift_of(from, to));
    if (std::abs(shift) > kMostShift) fail();
    for (int i = 0; i < 32; ++i) {
      const int old = std::clamp(from.q[i] + shift, -127, 127);
      const int value = old + value_.code(coder_, kDecodes ? 0 : to.q[i] - old);
      if (value < -127 || value > 127) fail();
      to.q[i] = static_cast<std::int8_t>(value);
    }
  }

 private:
  static constexpr std::int64_t kInfinity = 0x7f800000;
  static constexpr std::int32_t kHalfInfinity = 0x7c00;
  static constexpr int kMostShift = 254;

  // The middle one of the values' differences.
  static int shift_of(const S8Block& from, const S8Block& to) {
    std::array<int, 32> shifts;
    for (int i = 0; i < 32; ++i) shifts[i] = to.q[i] - from.q[i];
    std::nth_element(shifts.begin(), shifts.begin() + 16, shifts.end());
    return shifts[16];
  }

  void code_half(DifferenceModel& model, std::uint16_t from, std::uint16_t& to) {
    const std::int32_t old = ordered(from);
    const std::int32_t order = old + model.code(coder_, kDecodes ? 0 : ordered(to) - old);
    if (std::abs(order) >= kHalfInfinity) fail();
    to = unordered<std::uint16_t>(order);
  }

  Coder& coder_;
  DifferenceModel scale_, minimum_, value_;
};

template <typename Block>
Bytes encode(const PackedMatrix& from, const PackedMatrix& to) {
  coder::Encoder encoder;
  BlockCoder<coder::Encoder> coder(encoder);
  std::vector<Block> old(from.blocks), row(from.blocks);
  bool differs = false;
  for (int o = 0; o < from.outputs; ++o) {
    unpack(from, o, std::span<Block>(old));
    unpack(to, o, std::span<Block>(row));
    differs = differs || std::memcmp(old.data(), row.data(), old.size() * sizeof(Block)) != 0;
    for (std::size_t b = 0; b < row.size(); ++b) coder.code(old[b], row[b]);
  }
  return differs ? encoder.finish() : Bytes{};
}

template <typename Block>
void decode(const PackedMatrix& from, ByteView code, PackedMatrix& to) {
  coder::Decoder decoder(code);
  BlockCoder<coder::Decoder> coder(decoder);
  std::vector<Block> old(from.blocks), row(from.blocks);
  for (int o = 0; o < from.outputs; ++o) {
    unpack(from, o, std::span<Block>(old));
    for (std::size_t b = 0; b < row.size(); ++b) coder.code(old[b], row[b]);
    if (decoder.overrun()) fail();
    pack(std::span<const Block>(row), o % exact::kTile, to.tile(o / exact::kTile));
  }
  if (!decoder.used_all()) fail();
  // Outputs beyond the last are as they were: zero.
  std::fill(row.begin(), row.end(), Block{});
  for (int o = from.outputs; o < from.tiles * exact::kTile; ++o) {
    pack(std::span<const Block>(row), o % exact::kTile, to.tile(o / exact::kTile));
  }
}

}  // namespace

std::int32_t order_of(float x) { return ordered(std::bit_cast<std::uint32_t>(x)); }
std::int32_t order_of_half(std::uint16_t bits) { return ordered(bits); }
std::uint16_t half_of(std::int32_t order) { return unordered<std::uint16_t>(order); }
float float_of(std::int32_t order) { return std::bit_cast<float>(unordered<std::uint32_t>(order)); }

Bytes code_differences(const PackedMatrix& from, const PackedMatrix& to) {
  return from.format == Format::kU4 ? encode<U4Block>(from, to) : encode<S8Block>(from, to);
}

PackedMatrix add_differences(const PackedMatrix& from, ByteView code) {
  PackedMatrix to(from.format, from.blocks * exact::kBlock, from.outputs);
  if (from.format == Format::kU4) {
    decode<U4Block>(from, code, to);
  } else {
    decode<S8Block>(from, code, to);
  }
  return to;
}

}  // namespace smll::weights
