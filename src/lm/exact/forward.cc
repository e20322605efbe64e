#include "lm/exact/forward.h"

#include <algorithm>

namespace smll::exact {

void forward(Ops& ops, int layers, std::span<const Row> rows, const RowSink& sink,
             Questions* questions, OpTimes& times) {
  OpTimer timer(times);
  ops.learn(rows);
  timer.mark(Op::kLearn);
  ops.embed(rows);
  timer.mark(Op::kEmbed);
  for (int layer = 0; layer < layers; ++layer) {
    ops.attention_norm(layer);
    timer.mark(Op::kNorm);
    ops.project(layer);
    timer.mark(Op::kQkv);
    ops.rotate_and_store(layer);
    timer.mark(Op::kStore);
    ops.attend(layer);
    timer.mark(Op::kAttention);
    ops.add_attention(layer);
    timer.mark(Op::kOutput);
    ops.ffn_norm(layer);
    timer.mark(Op::kNorm);
    ops.feed_forward(layer);
    timer.mark(Op::kFfn);
    ops.add_feed_forward(layer);
    timer.mark(Op::kDown);
  }
  ops.output_norm();
  timer.mark(Op::kNorm);
  for (std::size_t first = 0; first < rows.size(); first += ops.head_rows()) {
    const std::size_t count = std::min(ops.head_rows(), rows.size() - first);
    ops.head(first, count);
    timer.mark(Op::kHead);
    if (questions) {
      ops.give_answers(first, count, sink, *questions);
    } else {
      ops.give_logits(first, count, sink);
    }
    timer.mark(Op::kSink);
  }
}

}  // namespace smll::exact
