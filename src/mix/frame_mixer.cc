#include "mix/frame_mixer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

#include "mix/bit_network.h"
#include "mix/context_bank.h"
#include "mix/contexts.h"
#include "mix/end_model.h"
#include "mix/fast_model.h"
#include "mix/match_model.h"

namespace smll::mix {
namespace {

constexpr size_t kMatchModels = 2;
constexpr uint32_t kMinLengths[kMatchModels] = {7, 4};

int match_bits(size_t frame_bytes) {
  return std::clamp(static_cast<int>(std::bit_width(frame_bytes)), 6, 20);
}

uint32_t networks_of(Sources experts) {
  return experts == Sources::kCm ? kAloneContext : kMixedContext | kTokenContext;
}

// Mixers' weights and all else that does not grow with the frame.
constexpr uint64_t kFixedMemory = uint64_t{4} << 20;

uint32_t clamp_p(uint32_t p) { return std::clamp<uint32_t>(p, 1, kProbOne - 1); }

}  // namespace

std::vector<std::string> expert_names() {
  std::vector<std::string> names;
  for (const ContextRow& row : context_rows()) names.emplace_back(row.name);
  names.emplace_back("match 7");
  names.emplace_back("match 4");
  names.emplace_back("end of token");
  return names;
}

class FrameMixer::Impl {
 public:
  Impl(Sources experts, Strength strength, size_t frame_bytes, std::span<const LaneExtent> lanes,
       const MixOptions& options)
      : experts_(experts), bytes_(frame_bytes, 0), cursors_(lanes.size()) {
    for (const LaneExtent& lane : lanes) {
      places_.push_back({lane.begin, lane.begin + lane.size, lane.begin});
    }
    if (experts == Sources::kLlm) return;
    leave_out_ = options.leave_out >> context_rows().size();
    if (experts == Sources::kCm && strength == Strength::kFast) {
      quick_.emplace(frame_bytes, lanes.size());
      return;
    }
    bank_.emplace(networks_of(experts), options.leave_out, frame_bytes);
    for (const uint32_t length : kMinLengths) {
      matches_.emplace_back(length, match_bits(frame_bytes));
    }
    followers_.emplace();
    if (experts == Sources::kAll) {
      with_model_.emplace(expert_inputs(), true, frame_bytes);
      if ((leave_out_ >> kMatchModels & 1) == 0) ends_.emplace(frame_bytes);
      token_starts_.assign(frame_bytes + 1, false);
    }
    for (Cursor& cursor : cursors_) bank_->start_byte(cursor.contexts, cursor.history);
  }

  Impl(const Impl& learned, size_t frame_bytes) : Impl(learned) {
    bytes_.resize(frame_bytes, 0);
    places_[0].end = frame_bytes;
  }

  Impl(const Impl& learned, size_t frame_bytes, std::span<const LaneExtent> lanes)
      : experts_(learned.experts_),
        leave_out_(learned.leave_out_),
        first_lane_(1),
        before_(learned.places_[0].known),
        no_tokens_before_(learned.no_tokens_before_),
        bytes_(learned.bytes_),
        places_{{0, before_, before_}},
        cursors_(1 + lanes.size(), learned.cursors_[0]) {
    bytes_.resize(before_ + frame_bytes, 0);
    for (const LaneExtent& lane : lanes) {
      const size_t begin = before_ + lane.begin;
      places_.push_back({begin, begin + lane.size, begin});
    }
    if (experts_ == Sources::kLlm) return;
    bank_.emplace(*learned.bank_, frame_bytes);
    for (const MatchModel& model : learned.matches_) {
      matches_.emplace_back(model, match_bits(frame_bytes));
    }
    followers_ = learned.followers_;
    with_model_.emplace(*learned.with_model_, frame_bytes);
    if (learned.ends_) ends_.emplace(*learned.ends_, frame_bytes);
    token_starts_ = learned.token_starts_;
    token_starts_.resize(bytes_.size() + 1, false);
    for (Cursor& cursor : cursors_) bank_->start_byte(cursor.contexts, cursor.history);
  }

  // Of the caller's first lane.
  size_t first_lane() const { return first_lane_; }

  void read(size_t lane, std::span<const uint8_t> bytes) {
    for (const uint8_t byte : bytes) {
      for (int shift = 7; shift >= 0; --shift) skip_bit(lane, byte >> shift & 1);
    }
    no_tokens_before_ = places_[lane].known;
  }

  void begin_token(size_t lane) {
    if (experts_ != Sources::kAll) return;
    Cursor& cursor = cursors_[lane];
    LaneHistory& h = cursor.history;
    h.tokens = {h.prefix, h.tokens[0], h.tokens[1]};
    h.prefix = 0;
    h.depth = 0;
    token_starts_[places_[lane].known] = true;
    bank_->start_byte(cursor.contexts, h);
  }

  uint32_t predict_bit(size_t lane, uint32_t model_p) {
    if (experts_ == Sources::kLlm) return clamp_p(model_p);
    return predict(cursors_[lane], *with_model_, clamp_p(model_p));
  }

  uint32_t predict_bit_cm(size_t lane) {
    if (experts_ == Sources::kLlm) return kProbHalf;
    if (quick_) return quick_->predict(lane);
    if (!alone_) alone_.emplace(expert_inputs(), false, bytes_.size());
    return predict(cursors_[lane], *alone_, kProbHalf);
  }

  void update_bit(size_t lane, int bit) {
    if (network_ != nullptr) network_->update(bit);
    advance(lane, bit);
  }

  void skip_bit(size_t lane, int bit) {
    if (quick_) {
      quick_->predict(lane);
    } else if (bank_) {
      gather(cursors_[lane], ContextBank::Base::kNothing, 0, scratch_.data());
    }
    advance(lane, bit);
  }

  uint32_t predict_end(size_t lane, uint32_t model_p) {
    model_p = clamp_p(model_p);
    if (!ends_) return model_p;
    const Cursor& cursor = cursors_[lane];
    int repeat = -1;
    uint32_t bucket = 0;
    for (size_t m = 0; m < matches_.size() && repeat < 0; ++m) {
      if (cursor.match[m].expected < 0 || cursor.match[m].at < no_tokens_before_) continue;
      repeat = token_starts_[cursor.match[m].at] ? 1 : 0;
      bucket = MatchModel::bucket(cursor.match[m]);
    }
    return ends_->predict(cursor.history, model_p, repeat, bucket);
  }

  void update_end(int ended) {
    if (ends_) ends_->update(ended);
  }

  std::span<const uint8_t> bytes() const { return std::span(bytes_).subspan(before_); }

 private:
  Impl(const Impl&) = default;

  // Where a lane is.
  struct Cursor {
    LaneHistory history;
    ContextBank::Cursor contexts{};
    std::array<MatchModel::Cursor, kMatchModels> match{};
    uint32_t partial = 1;
  };

  size_t expert_inputs() const {
    return bank_->input_count() + matches_.size() * MatchModel::kInputs;
  }

  void gather(Cursor& cursor, ContextBank::Base base, int model_stretch, int16_t* inputs) {
    bank_->predict(cursor.contexts, cursor.partial, base, model_stretch, inputs);
    inputs += bank_->input_count();
    for (size_t m = 0; m < matches_.size(); ++m) {
      matches_[m].predict(cursor.match[m], cursor.partial, inputs);
      if ((leave_out_ >> m & 1) != 0) inputs[0] = inputs[1] = 0;
      inputs += MatchModel::kInputs;
    }
  }

  uint32_t predict(Cursor& cursor, BitNetwork& network, uint32_t model_p) {
    using Base = ContextBank::Base;
    const bool with_model = with_model_ && &network == &*with_model_;
    const Base base = with_model                 ? Base::kModel
                      : experts_ == Sources::kCm ? Base::kChain
                                                 : Base::kNothing;
    gather(cursor, base, stretch(model_p), network.inputs());
    network_ = &network;
    const LaneHistory& h = cursor.history;
    BitSituation s{};
    s.partial = cursor.partial;
    s.byte1 = h.byte(0);
    s.byte2 = h.byte(1);
    s.match = MatchModel::bucket(cursor.match[0]);
    s.match_short = MatchModel::bucket(cursor.match[1]);
    s.expected_bit = -1;
    if (cursor.match[0].expected >= 0) {
      s.expected_bit = cursor.match[0].expected >> (8 - std::bit_width(cursor.partial)) & 1;
    }
    s.seen = cursor.contexts.seen;
    s.depth = h.depth;
    // Where lines are broken is what a language model cannot count.
    s.column = std::min(h.column, 127u) * 2 + (h.byte(0) == ' ' ? 1 : 0);
    return network.predict(s, model_p);
  }

  void advance(size_t lane, int bit) {
    network_ = nullptr;
    Cursor& cursor = cursors_[lane];
    if (quick_) {
      quick_->update(lane, bit);
    } else if (bank_) {
      bank_->update(cursor.contexts, cursor.partial, bit);
      for (size_t m = 0; m < matches_.size(); ++m) {
        matches_[m].update(cursor.match[m], cursor.partial, bit);
      }
    }
    cursor.partial = cursor.partial << 1 | static_cast<uint32_t>(bit);
    if (cursor.partial < 256) return;
    const auto byte = static_cast<uint8_t>(cursor.partial);
    cursor.partial = 1;
    LaneBytes& place = places_[lane];
    bytes_[place.known++] = byte;
    if (quick_) {
      quick_->end_byte(lane, bytes_, places_);
    } else if (bank_) {
      end_byte(lane, byte);
    }
  }

  void end_byte(size_t lane, uint8_t byte) {
    Cursor& cursor = cursors_[lane];
    const LaneBytes& place = places_[lane];
    const std::span<const uint8_t> all(bytes_);
    followers_->advance(cursor.history, byte, all.first(lane < first_lane_ ? 0 : before_),
                        all.subspan(place.begin, place.known - place.begin));
    cursor.history.expected = 0;
    for (size_t m = 0; m < matches_.size(); ++m) {
      matches_[m].advance(cursor.match[m], bytes_, places_, lane);
      if (cursor.match[m].expected >= 0 && cursor.history.expected == 0) {
        cursor.history.expected = static_cast<uint32_t>(cursor.match[m].expected + 1) |
                                  MatchModel::bucket(cursor.match[m]) << 9;
      }
    }
    bank_->start_byte(cursor.contexts, cursor.history);
  }

  Sources experts_;
  uint64_t leave_out_ = 0;  // bits of what is not a context
  size_t first_lane_ = 0;
  size_t before_ = 0;            // bytes of what was learned before, which are those of lane 0
  size_t no_tokens_before_ = 0;  // of bytes before it no tokens are known
  std::vector<uint8_t> bytes_;
  std::vector<LaneBytes> places_;
  std::vector<Cursor> cursors_;
  std::vector<bool> token_starts_;
  std::optional<ContextBank> bank_;
  std::vector<MatchModel> matches_;
  std::optional<FollowerTable> followers_;
  std::optional<BitNetwork> with_model_;
  std::optional<BitNetwork> alone_;
  std::optional<EndModel> ends_;
  std::optional<FastModel> quick_;
  BitNetwork* network_ = nullptr;  // that predicted the present bit
  std::array<int16_t, 160> scratch_{};
};

FrameMixer::FrameMixer(Sources experts, Strength strength, size_t frame_bytes,
                       std::span<const LaneExtent> lanes, const MixOptions& options)
    : impl_(std::make_unique<Impl>(experts, strength, frame_bytes, lanes, options)) {}
FrameMixer::FrameMixer(const FrameMixer& learned, size_t frame_bytes)
    : impl_(std::make_unique<Impl>(*learned.impl_, frame_bytes)) {}
FrameMixer::FrameMixer(std::shared_ptr<const FrameMixer> learned, size_t frame_bytes,
                       std::span<const LaneExtent> lanes)
    : learned_(std::move(learned)),
      impl_(std::make_unique<Impl>(*learned_->impl_, frame_bytes, lanes)) {}
FrameMixer::~FrameMixer() = default;
FrameMixer::FrameMixer(FrameMixer&&) noexcept = default;

uint64_t FrameMixer::memory(Sources experts, Strength strength, size_t frame_bytes) {
  const uint64_t fixed = frame_bytes * 2 + kFixedMemory;
  if (experts == Sources::kLlm) return fixed;
  if (experts == Sources::kCm && strength == Strength::kFast) {
    return fixed + FastModel::memory(frame_bytes);
  }
  const uint64_t beside_model =  // the bytes of its tokens have a network of their own
      experts == Sources::kAll ? EndModel::memory(frame_bytes) + BitNetwork::memory(frame_bytes)
                               : 0;
  return fixed + beside_model + BitNetwork::memory(frame_bytes) +
         ContextBank::memory(networks_of(experts), frame_bytes) +
         kMatchModels * MatchModel::memory(match_bits(frame_bytes));
}

int FrameMixer::size_class(size_t frame_bytes) { return std::bit_width(frame_bytes); }

void FrameMixer::read(int lane, std::span<const uint8_t> bytes) { impl_->read(place(lane), bytes); }
void FrameMixer::begin_token(int lane) { impl_->begin_token(place(lane)); }
uint32_t FrameMixer::predict_bit(int lane, uint32_t model_p) {
  return impl_->predict_bit(place(lane), model_p);
}
uint32_t FrameMixer::predict_bit_cm(int lane) { return impl_->predict_bit_cm(place(lane)); }
void FrameMixer::update_bit(int lane, int bit) { impl_->update_bit(place(lane), bit); }
void FrameMixer::skip_bit(int lane, int bit) { impl_->skip_bit(place(lane), bit); }
uint32_t FrameMixer::predict_end(int lane, uint32_t model_p) {
  return impl_->predict_end(place(lane), model_p);
}
void FrameMixer::update_end(int /*lane*/, int ended) { impl_->update_end(ended); }
std::span<const uint8_t> FrameMixer::bytes() const { return impl_->bytes(); }

size_t FrameMixer::place(int lane) const { return static_cast<size_t>(lane) + impl_->first_lane(); }

}  // namespace smll::mix
