// What the parts of a text cost and who thought what of them; codes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codec/loaded_model.h"
#include "smll/explain.h"

namespace smll::codec {

// See smll::explain() and smll::ablate(), which find the model.
std::vector<TokenCost> explain(std::span<const std::uint8_t> text, const LoadedModel& model,
                               std::size_t guesses);
Ablation ablate(std::span<const std::uint8_t> text, const LoadedModel& model);

}  // namespace smll::codec
