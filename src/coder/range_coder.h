// Binary range coder: 16-bit probabilities, integers only, carries propagated.
//
// The state is an interval [low, low + range) of the unit interval, held with 48 to 56 bits of
// precision. Bytes leave at the top as soon as the range falls below 2^48; a carry out of `low` is
// added to the bytes already written (Martin, "Range encoding: an algorithm for removing redundancy
// from a digitised message", 1979). With at least 48 bits of range against 16-bit probabilities,
// rounding costs less than 2^-31 bits a decision.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace smll::coder {

// Probabilities are P(bit = 1) * 65536, from 1 to 65535.
inline constexpr unsigned kProbabilityBits = 16;
inline constexpr std::uint32_t kProbabilityOne = 1u << kProbabilityBits;

namespace detail {
inline constexpr unsigned kTopBits = 56;
inline constexpr std::uint64_t kTop = std::uint64_t{1} << kTopBits;
inline constexpr std::uint64_t kBottom = std::uint64_t{1} << (kTopBits - 8);

// The part of `range` given to a one; never 0 and never all of it.
inline std::uint64_t split(std::uint64_t range, std::uint32_t p1) {
  assert(p1 > 0 && p1 < kProbabilityOne);
  return (range >> kProbabilityBits) * p1;
}

// The number with the most trailing zeros in [low, low + range): zeros need not be written.
std::uint64_t shortest(std::uint64_t low, std::uint64_t range);
}  // namespace detail

class Encoder {
 public:
  // Appends one decision. Returns `bit`, as Decoder::code does, so that one code path serves both.
  int code(std::uint32_t p1, int bit) {
    const std::uint64_t ones = detail::split(range_, p1);
    if (bit) {
      range_ = ones;
    } else {
      low_ += ones;
      range_ -= ones;
    }
    while (range_ < detail::kBottom) shift();
    return bit;
  }

  // Ends the code with the fewest bytes that the decoder needs (it reads zeros past the end) and
  // returns it.
  std::vector<std::uint8_t> finish();

 private:
  void shift() {
    if (low_ >= detail::kTop) {
      carry();
      low_ -= detail::kTop;
    }
    out_.push_back(static_cast<std::uint8_t>(low_ >> (detail::kTopBits - 8)));
    low_ = (low_ << 8) & (detail::kTop - 1);
    range_ <<= 8;
  }
  void carry();

  std::uint64_t low_ = 0;
  std::uint64_t range_ = detail::kTop;
  std::vector<std::uint8_t> out_;
};

// Reads any bytes whatever as decisions; past the end it reads zeros. overrun() tells a valid
// stream from one that was cut: no valid stream makes the decoder read more than kLookahead bytes
// past its end.
class Decoder {
 public:
  static constexpr std::size_t kLookahead = detail::kTopBits / 8;

  // Where a decoder stands in its code.
  struct State {
    std::uint64_t position = 0;  // bytes read
    std::uint64_t value = 0;     // what was read, from the interval's low end on
    std::uint64_t range = detail::kTop;
  };

  explicit Decoder(std::span<const std::uint8_t> in) : in_(in) {
    for (unsigned i = 0; i < detail::kTopBits; i += 8) read_byte();
  }
  // Goes on where another decoder of the same code stands.
  Decoder(std::span<const std::uint8_t> in, const State& state) : in_(in), at_(state) {}

  // The next decision. The second argument is not used: see Encoder::code.
  int code(std::uint32_t p1, int /*bit*/ = 0) {
    const std::uint64_t ones = detail::split(at_.range, p1);
    int bit;
    if (at_.value < ones) {
      at_.range = ones;
      bit = 1;
    } else {
      at_.value -= ones;
      at_.range -= ones;
      bit = 0;
    }
    while (at_.range < detail::kBottom) {
      read_byte();
      at_.range <<= 8;
    }
    return bit;
  }

  bool overrun() const { return at_.position > in_.size() + kLookahead; }
  // False when bytes are left that no decision has touched.
  bool used_all() const { return at_.position >= in_.size(); }
  // Whether an encoder of the same decisions would have written these very bytes: others may decode
  // to the same ones, and are damaged all the same.
  bool is_as_written() const;
  const State& state() const { return at_; }

 private:
  std::uint64_t byte(std::uint64_t i) const { return i < in_.size() ? in_[i] : 0; }
  void read_byte() { at_.value = at_.value << 8 | byte(at_.position++); }

  std::span<const std::uint8_t> in_;
  State at_;
};

}  // namespace smll::coder
