// A token as a path of binary decisions through the byte-sorted vocabulary.
//
// From the root, where no byte is known, each byte of the token takes eight decisions, most
// significant bit first; before each further byte stands the decision whether the token ends here.
// The model's probability of a decision is a ratio of two range sums of frequencies. Decisions with
// one possible outcome are certain and are not coded.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "lm/distribution.h"
#include "text/vocabulary.h"

namespace smll::lm {

// Asks an opinion, which is a Distribution or has its first_part() and last_part(), about each
// decision that is not certain; the caller says which way each decision went.
template <class Opinion>
class Walk {
 public:
  Walk(const text::Vocabulary& vocabulary, Opinion& opinion)
      : vocabulary_(vocabulary),
        opinion_(opinion),
        hi_(static_cast<std::uint32_t>(vocabulary.rows())) {}

  // P(the token ends before its next byte).
  std::uint32_t end() {
    if (!can_end()) return kCertainlyNot;
    if (hi_ - lo_ == 1) return kCertainly;
    return opinion_.first_part(lo_, lo_ + 1, hi_);
  }
  void set_end(bool ended) {
    if (!ended && can_end()) ++lo_;
  }
  // True when the bytes so far are a token.
  bool can_end() const { return depth_ > 0 && vocabulary_.bytes(lo_).size() == depth_; }

  // P(the next bit is one).
  std::uint32_t bit() {
    middle_ = vocabulary_.lower_bound(lo_, hi_, depth_, byte_ | 1u << shift_);
    if (middle_ == lo_) return kCertainly;
    if (middle_ == hi_) return kCertainlyNot;
    return opinion_.last_part(lo_, middle_, hi_);
  }
  void set_bit(int bit) {
    (bit ? lo_ : hi_) = middle_;
    byte_ |= static_cast<unsigned>(bit) << shift_;
    if (shift_-- == 0) {
      shift_ = 7;
      byte_ = 0;
      ++depth_;
    }
  }

  // The row, once the token has ended.
  std::uint32_t row() const { return lo_; }
  // How many may still be meant.
  std::uint32_t rows() const { return hi_ - lo_; }
  // Whether no bit of the next byte is known.
  bool is_between_bytes() const { return shift_ == 7; }

  // A decoder learns outcomes from the code.
  bool known_end() const { return false; }
  int known_bit() const { return 0; }

 private:
  const text::Vocabulary& vocabulary_;
  Opinion& opinion_;
  std::uint32_t lo_ = 0, hi_, middle_ = 0;
  std::size_t depth_ = 0;
  unsigned byte_ = 0;
  int shift_ = 7;
};

using LiveWalk = Walk<const Distribution>;

// The probabilities along the path of a known token, so that the distribution itself need not be
// kept.
class RecordedPath {
 public:
  // `opinion`: as of a Walk.
  template <class Opinion>
  void record(const text::Vocabulary& vocabulary, Opinion& opinion, std::uint32_t row) {
    probabilities_.clear();
    Walk<Opinion> walk(vocabulary, opinion);
    for (const char c : vocabulary.bytes(row)) {
      if (!probabilities_.empty()) {
        probabilities_.push_back(walk.end());
        walk.set_end(false);
      }
      for (int shift = 7; shift >= 0; --shift) {
        probabilities_.push_back(walk.bit());
        walk.set_bit(static_cast<unsigned char>(c) >> shift & 1);
      }
    }
    probabilities_.push_back(walk.end());
  }

  // Replaces the probabilities that are not certain, in their order.
  void fill(std::span<const std::uint16_t> uncertain) {
    auto next = uncertain.begin();
    for (std::uint32_t& p : probabilities_) {
      if (!is_certain(p)) p = *next++;
    }
  }

  // In the order of the decisions: eight bits, end, eight bits, ..., end.
  std::span<const std::uint32_t> probabilities() const { return probabilities_; }

 private:
  std::vector<std::uint32_t> probabilities_;
};

// Replays a recorded path with the outcomes of its token; has LiveWalk's interface.
class ReplayedWalk {
 public:
  ReplayedWalk(const RecordedPath& path, std::string_view bytes, std::uint32_t row)
      : next_(path.probabilities().data()), bytes_(bytes), row_(row) {}

  std::uint32_t end() { return *next_++; }
  void set_end(bool) {}
  bool can_end() const { return known_end(); }
  std::uint32_t bit() { return *next_++; }
  void set_bit(int) {
    if (shift_-- == 0) {
      shift_ = 7;
      ++depth_;
    }
  }
  std::uint32_t row() const { return row_; }
  bool known_end() const { return depth_ == bytes_.size(); }
  int known_bit() const { return static_cast<unsigned char>(bytes_[depth_]) >> shift_ & 1; }

 private:
  const std::uint32_t* next_;
  std::string_view bytes_;
  std::uint32_t row_;
  std::size_t depth_ = 0;
  int shift_ = 7;
};

}  // namespace smll::lm
