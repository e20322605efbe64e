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
#include "lm/token_walk.h"
#include "mix/frame_mixer.h"
#include "smll/io.h"
#include "text/token.h"
#include "text/tokenizer.h"

namespace smll::lm {
class Predictor;
}

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
  // What a lane is fed first: the last of the tokens, or the start token.
  Token last_token() const;

  // What the model says after the text, to be walked through: what choosing among openings needs.
  // To be made by make_firsts() before.
  const lm::Distribution& first() const { return first_; }
  // Makes those of several, whose readers are kModel, together, which takes less time. To be called
  // once for each.
  static void make_firsts(const LoadedModel& model, std::span<const Opening* const> openings);

  // What a lane holds before last_token(); null where that is the start token.
  std::shared_ptr<const lm::KeptContext> context() const;
  // A mixer for a frame, which goes on from what was read.
  mix::FrameMixer mixer(mix::Sources experts, std::size_t frame_bytes,
                        std::span<const mix::LaneExtent> lanes) const;

 private:
  void make() const;
  void read(lm::Predictor& predictor) const;
  std::shared_ptr<const mix::FrameMixer> read_all(std::span<const lm::RecordedPath> paths) const;

  const LoadedModel& model_;
  const Readers readers_;
  const Bytes sample_;
  std::vector<text::Unit> units_;  // what is read of the text
  std::vector<Token> tokens_;      // of those units that are tokens
  std::size_t text_bytes_ = 0;     // of the units
  mutable std::mutex mutex_;       // of what follows, until it is made
  mutable bool made_ = false;
  mutable lm::Distribution first_;
  mutable std::shared_ptr<const lm::KeptContext> context_;
  mutable std::shared_ptr<const mix::FrameMixer> mixer_;
};

}  // namespace smll::codec
