// Decodes a payload that was coded with the language model, alone or mixed with context models.
//
// The lanes are decoded in lock-step, one unit of each after another. In several parts, these take
// turns: while one decodes its units, the models of the others run.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/drafter.h"
#include "codec/lane_stream.h"
#include "codec/short_head.h"
#include "codec/unit_coder.h"
#include "coder/range_coder.h"
#include "lm/token_code.h"
#include "mix/frame_mixer.h"
#include "text/vocabulary.h"

namespace smll::codec {

class DecodeStream : public LaneStream {
 public:
  // From so many lanes on, two parts decode half of them each: then one half's units are decoded
  // while the other's model runs, and what waits for memory meets what does not.
  static constexpr std::size_t kSplitLanes = 16;

  struct Form {
    mix::Sources experts;
    int max_lanes;
    const Opening* opening = nullptr;  // what each lane begins with; null: nothing
    bool on_gpu = false;               // predictors may decode what the model alone decides
  };
  // `payload`, `vocabulary` and the opening must outlive it. Throws Error(kData) where the payload
  // cannot have come from a FrameEncoder.
  DecodeStream(std::span<const std::uint8_t> payload, std::size_t raw_size,
               const text::Vocabulary& vocabulary, const Form& form);

  // What a short text may begin with, by its head.
  struct ShortForm {
    ShortHeadOdds odds;
    std::function<const Opening*(const ShortHead&)> opening;  // null: nothing
  };
  // The same for what encode_short() gave of at most `limit` bytes of text (Error(kMemory) above).
  DecodeStream(std::span<const std::uint8_t> payload, std::size_t limit,
               const text::Vocabulary& vocabulary, const ShortForm& form);

  mix::Sources experts() const { return experts_; }
  const std::vector<mix::LaneExtent>& extents() const { return extents_; }
  // Once, behind end().
  std::vector<std::uint8_t> take_data() { return std::move(data_); }

  // Bytes, at most, that decoding such lanes takes besides predictors and context models.
  static std::uint64_t memory(std::span<const std::size_t> lanes, std::size_t vocabulary_rows);

  std::size_t lanes() const override { return extents_.size(); }
  std::size_t max_parts() const override;
  // Throws Error(kData) where no encoder would have written the payload. Gives memory back: others
  // may keep the data waiting.
  void end(const Progress& progress) override;
  void share_lanes(std::size_t parts) override;
  void open(std::size_t part, lm::Predictor& predictor) override;
  void collect(std::size_t part, lm::Predictor& predictor, const Room& room,
               std::vector<lm::LaneInput>& batch) override;
  void advance(std::size_t part) override;
  void stop() override;

 protected:
  bool is_done(std::size_t lane) const override { return states_[lane].room == 0; }

 private:
  struct LaneState {
    std::size_t room = 0;                // bytes left to decode
    Token input = 0;                     // to be fed next
    bool waiting = true;                 // `input` has not been fed yet
    std::vector<Token> fed;              // an input and guesses of what follows it
    std::vector<lm::Distribution> next;  // after each of them
    std::size_t at = 0;                  // of them, so many have proved right
    std::uint32_t row = 0;               // of the next token, where the predictor decodes
  };

  bool wait_for_turn(std::size_t part);
  void pass_turn(std::size_t part);
  void decode_round(std::size_t part);
  void decode_unit(std::size_t lane);
  std::uint32_t take_row(std::size_t lane);
  bool predictor_may_decode() const;
  void begin_token_code(lm::Predictor& predictor);
  void guess(std::size_t lane, const lm::Predictor& predictor, const Room& room);
  bool is_ready(std::size_t part) const;
  void end_line(std::string_view bytes);
  void spend(LaneState& state, std::size_t bytes);

  const text::Vocabulary& vocabulary_;
  mix::Sources experts_ = mix::Sources::kAll;
  const Opening* opening_ = nullptr;
  std::vector<mix::LaneExtent> extents_;
  bool escapes_ = false;
  std::size_t raw_size_;
  bool line_ = false;      // a line break ends the text
  std::size_t limit_ = 0;  // of a line's bytes
  std::span<const std::uint8_t> code_;
  coder::Decoder coder_;
  bool on_gpu_ = false;
  std::shared_ptr<lm::TokenCode> token_code_;  // where the predictor decodes; null: this does
  std::unique_ptr<mix::FrameMixer> mixer_;
  std::optional<UnitCoder<coder::Decoder>> units_;
  std::vector<LaneState> states_;
  std::vector<std::uint8_t> data_;
  std::optional<Drafter> drafter_;  // of a lane alone: others would have to wait for it

  std::mutex mutex_;  // of what follows
  std::condition_variable turn_passed_;
  std::size_t turn_ = 0;
  std::vector<bool> finished_;  // by part
  bool stopped_ = false;
};

}  // namespace smll::codec
