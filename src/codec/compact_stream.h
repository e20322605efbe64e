// Small texts in one lane, as streams of which many run at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "codec/frame_codec.h"
#include "codec/model_coder.h"
#include "codec/record_stream.h"

namespace smll::codec {

// Codes a small text in the ways that `experts` allows, and keeps the smallest.
class CompactEncoder : public Stream {
 public:
  // `data` must outlive it. Without a model (null) the methods that need none remain. Throws
  // Error(kData) for more than kMaxCompact bytes.
  CompactEncoder(std::span<const std::uint8_t> data, Experts experts,
                 std::shared_ptr<const LoadedModel> model);
  ~CompactEncoder() override;

  // Once end() was called. The payload is as FrameCodec::encode_compact() has it.
  format::Frame take();

  std::size_t lanes() const override { return 1; }
  std::size_t rows() const override;
  std::uint64_t memory() const override;
  bool works_before() const override { return true; }
  bool begin(const Progress& progress) override;
  void end(const Progress& progress) override;
  void share_lanes(std::size_t parts) override { model_part_->share_lanes(parts); }
  void open(std::size_t part, lm::Predictor& predictor) override {
    model_part_->open(part, predictor);
  }
  void collect(std::size_t part, lm::Predictor& predictor, const Room& room,
               std::vector<lm::LaneInput>& batch) override {
    model_part_->collect(part, predictor, room, batch);
  }
  void advance(std::size_t part) override;
  bool close(std::size_t part, lm::Predictor& predictor) override {
    return model_part_->close(part, predictor);
  }
  void close_all(std::size_t part, lm::Predictor& predictor) override {
    model_part_->close_all(part, predictor);
  }

 private:
  std::vector<std::uint8_t> encode(format::Method method, const Progress& progress) const;

  const std::span<const std::uint8_t> data_;
  const Experts experts_;
  const std::shared_ptr<const LoadedModel> model_;
  format::Frame best_;
  ModelledFrame frame_;
  std::optional<RecordStream> model_part_;
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
