// What each lane of a frame begins with: a text that the language model has read, and what the
// context models learned from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "lm/distribution.h"
#include "lm/kept_context.h"
#include "lm/predictor.h"
#include "lm/token_walk.h"
#include "mix/frame_mixer.h"
#include "smll/io.h"
#include "text/token.h"
#include "text/tokenizer.h"

namespace smll::codec {

class LoadedModel;

// For one model. What is costly is made when it is first needed, once, by one thread.
class Opening {
 public:
  // Who reads the text.
  enum class Readers { kModel, kModelAndMixer };

  // `text` is cut into tokens as any text is; of more tokens than half the model's window the last
  // ones are read. Context models read `sample` before it. `model` must outlive it.
  Opening(const LoadedModel& model, ByteView text, Readers readers, Bytes sample = {});

  // As fed to the model behind its start token; may be empty.
  std::span<const Token> tokens() const { return tokens_; }

  // What a lane holds that has read the text, and what the model says then, to be walked through.
  // Not where the model learns, whose steps count the text's last token, nor where contexts cannot
  // be kept.
  const std::shared_ptr<const lm::KeptContext>& whole_context() const;
  const lm::Distribution& first() const;
  bool has_first() const;
  // Makes those of several together, which takes less time.
  static void make_firsts(const LoadedModel& model, std::span<const Opening* const> openings);

  // Otherwise what a lane is fed first, the last of the tokens or the start token, and what it
  // holds before; null where that is nothing.
  Token last_token() const;
  std::shared_ptr<const lm::KeptContext> context() const;
  // A mixer for a frame, which goes on from what was read.
  mix::FrameMixer mixer(mix::Sources experts, std::size_t frame_bytes,
                        std::span<const mix::LaneExtent> lanes) const;
  // The same of all experts, without those that `options` leave out: they had no part in what was
  // read, either. `paths`: read_paths(). Reads all again each time.
  mix::FrameMixer mixer_without(const mix::MixOptions& options,
                                std::span<const lm::RecordedPath> paths, std::size_t frame_bytes,
                                std::span<const mix::LaneExtent> lanes) const;
  // What the model thought of tokens(). Feeds it the text again each time.
  std::vector<lm::RecordedPath> read_paths() const;

  // Bytes, at most, that all of it takes, once for all lanes and frames.
  std::uint64_t memory() const;
  // Bytes, at most, that a mixer() takes besides.
  std::uint64_t mixer_memory(mix::Sources experts, std::size_t frame_bytes) const;

 private:
  struct Reading {
    std::vector<lm::RecordedPath> paths;  // of the tokens
    std::shared_ptr<const lm::KeptContext> context;
  };

  // All tokens but the last, behind the start token, with what follows each of them.
  struct Feed {
    std::vector<Token> tokens;
    std::vector<std::uint32_t> rows;
    std::vector<lm::RecordedPath> paths;

    lm::LaneInput to(int lane) { return {lane, tokens, rows, paths, {}}; }
  };

  void make() const;
  Feed feed_of_text(Token start) const;
  Reading read_text(lm::Predictor& predictor) const;
  static std::vector<Feed> read_whole(lm::Predictor& predictor,
                                      std::span<const Opening* const> openings);
  std::shared_ptr<const mix::FrameMixer> read_all(std::span<const lm::RecordedPath> paths,
                                                  const mix::MixOptions& options) const;
  // Of sample and text, which its mixers have read.
  std::size_t mixed_bytes() const { return sample_.size() + text_bytes_; }

  const LoadedModel& model_;
  const Readers readers_;
  const Bytes sample_;
  std::vector<text::Unit> units_;  // what is read of the text
  std::vector<Token> tokens_;      // of those units that are tokens
  std::size_t text_bytes_ = 0;     // of the units
  mutable std::mutex mutex_;       // of what follows, until it is made
  mutable bool made_ = false;      // all but the context, which may be, too
  mutable std::shared_ptr<const lm::KeptContext> context_;
  mutable std::shared_ptr<const mix::FrameMixer> mixer_;
  mutable lm::Distribution first_;
  mutable std::shared_ptr<const lm::KeptContext> whole_context_;
};

}  // namespace smll::codec
