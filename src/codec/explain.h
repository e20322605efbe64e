// What the parts of a text cost and who thought what of them; codes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "codec/loaded_model.h"
#include "smll/explain.h"

namespace smll::codec {

// Called now and then; may throw to cancel. Never empty.
using Alive = std::function<void()>;

// See smll::explain() and smll::ablate(), which find the model.
std::vector<TokenCost> explain(std::span<const std::uint8_t> text, const LoadedModel& model,
                               std::size_t guesses, const Alive& alive);
Ablation ablate(std::span<const std::uint8_t> text, const LoadedModel& model, const Alive& alive);

}  // namespace smll::codec
