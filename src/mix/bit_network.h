// The network that mixes the experts on a byte's bits: one with the language
// model, one without.
#pragma once

#include <cstddef>
#include <cstdint>

#include "mix/counters.h"
#include "mix/mixer.h"

namespace smll::mix {

// Small facts about a decision that pick weights and refinements.
struct BitSituation {
  uint32_t column;        // 0..255, of the line, and whether a space precedes
  uint32_t partial;       // leading bits of the byte, under a leading one
  uint32_t byte1, byte2;  // the bytes before
  uint32_t match;         // MatchModel::bucket(): longer minimum
  uint32_t match_short;   // shorter minimum
  int expected_bit;       // of the match model, -1: none
  uint32_t seen;          // contexts that know the decision
  uint32_t depth;         // bytes of the present token before this one
};

class BitNetwork {
 public:
  // `experts`: inputs of context and match models. With a model, it alone
  // counts at first.
  BitNetwork(size_t experts, bool with_model, size_t frame_bytes);
  // Goes on with the weights that `learned` found, in a frame of another size.
  BitNetwork(const BitNetwork& learned, size_t frame_bytes);
  BitNetwork(const BitNetwork&) = default;
  // Bytes of the tables that grow with the frame.
  static uint64_t memory(size_t frame_bytes);
  // Inputs of the experts go here.
  int16_t* inputs() { return mixer_.inputs() + kOwnInputs; }
  uint32_t predict(const BitSituation& situation, uint32_t model_p);
  void update(int bit);

 private:
  static constexpr size_t kOwnInputs = 2;  // the model, a constant
  void select(const BitSituation& situation, uint32_t confidence);
  bool with_model_;
  GatedMixer mixer_;
  size_t order1_mask_;
  ProbMap by_order1_;
  ProbMap by_order2_;
  ProbMap by_model_;
  uint32_t order2_mask_;
};

}  // namespace smll::mix
