// A transformer's forward pass, for every family (lm/weights/model_spec.h).
#pragma once

#include <span>

#include "lm/exact/op_times.h"
#include "lm/exact/ops.h"

namespace smll::exact {

// Of one batch, through so many layers. `times` are added to.
// `questions`: null where logits are wanted.
void forward(Ops& ops, int layers, std::span<const Row> rows, const RowSink& sink,
             Questions* questions, OpTimes& times);

}  // namespace smll::exact
