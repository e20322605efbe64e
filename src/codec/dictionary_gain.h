// What records take after an opening, with all that codes them.
#pragma once

#include <functional>
#include <span>

#include "codec/loaded_model.h"
#include "codec/opening.h"
#include "codec/opening_costs.h"

namespace smll::codec {

// Bytes that the language model and the context models together code the records' units in, each
// record by itself; without what a form adds. `work` is as OpeningCosts has it.
double coded_bytes(const LoadedModel& model, const Opening& opening,
                   std::span<const TokenizedRecord> records, const OpeningCosts::Work& work);

}  // namespace smll::codec
