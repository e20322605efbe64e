// Small texts in one lane, as streams of which many run at once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "codec/frame_codec.h"
#include "codec/lane_stream.h"
#include "codec/opening_race.h"
#include "codec/short_encoder.h"
#include "lm/token_walk.h"

namespace smll::codec {

// Codes a small text in the ways that `experts` allows, and keeps the smallest. The model runs over
// the text behind several openings at once, in a lane each, until one has won.
class CompactEncoder : public LaneStream {
 public:
  // `data` must outlive it. Without a model (null) the methods that need none remain. Throws
  // Error(kData) for more than kMaxCompact bytes.
  CompactEncoder(std::span<const std::uint8_t> data, Experts experts,
                 std::shared_ptr<const LoadedModel> model);
  ~CompactEncoder() override;

  // Once end() was called.
  CompactText take() { return std::move(result_); }

  std::size_t lanes() const override { return lanes_; }
  std::size_t rows() const override;
  std::uint64_t memory() const override;
  bool works_before() const override { return true; }
  bool begin(const Progress& progress) override;
  void end(const Progress& progress) override;
  void share_lanes(std::size_t parts) override;
  void open(std::size_t part, lm::Predictor& predictor) override;
  void collect(std::size_t part, lm::Predictor& predictor, const Room& room,
               std::vector<lm::LaneInput>& batch) override;
  void advance(std::size_t part) override;

 protected:
  bool is_done(std::size_t lane) const override;

 private:
  // The text behind one opening.
  struct Runner {
    std::size_t index = kNoOpening;    // in openings()
    const Opening* opening = nullptr;  // null: nothing
    std::vector<lm::RecordedPath> paths;
    std::size_t done = 0, asked = 0;  // tokens whose paths are known, and are to be known next
    bool out = false;                 // of the race
  };

  bool races() const;
  void cut();
  void line_up();
  void finish_heat();
  std::size_t goal() const;
  ShortHead cheapest_head(const Runner& runner) const;
  std::vector<std::uint8_t> encode(const ShortHead& head, const Runner& runner,
                                   const Progress& progress) const;

  const std::span<const std::uint8_t> data_;
  const Experts experts_;
  const std::shared_ptr<const LoadedModel> model_;
  CompactText result_;
  ShortText text_;
  std::vector<std::uint32_t> rows_;  // of the units that are tokens
  std::vector<Token> inputs_;        // what each of them comes after
  std::optional<OpeningRace> race_;
  std::vector<Runner> runners_;  // by lane
  std::atomic<std::size_t> lanes_ = 1;
};

// Decodes a small text that needs no model.
class CompactPlainDecoder : public Stream {
 public:
  // As FrameCodec::decode_compact(), to which `limit` and `max_memory` go.
  CompactPlainDecoder(format::Method method, std::span<const std::uint8_t> payload,
                      std::size_t limit, std::uint64_t max_memory);

  std::vector<std::uint8_t> take_data() { return std::move(data_); }

  std::size_t lanes() const override { return 1; }
  bool works_before() const override { return true; }
  bool begin(const Progress& progress) override;
  // It has no part with the model.
  void share_lanes(std::size_t) override {}
  void open(std::size_t, lm::Predictor&) override {}
  void collect(std::size_t, lm::Predictor&, const Room&, std::vector<lm::LaneInput>&) override {}
  void advance(std::size_t) override {}
  bool close(std::size_t, lm::Predictor&) override { return true; }
  void close_all(std::size_t, lm::Predictor&) override {}

 private:
  const format::Method method_;
  const std::span<const std::uint8_t> payload_;
  const std::size_t limit_;
  const std::uint64_t max_memory_;
  std::vector<std::uint8_t> data_;
};

}  // namespace smll::codec
