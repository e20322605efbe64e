// What a GGUF file says of its model.
#pragma once

#include <string>

#include "lm/weights/gguf_file.h"
#include "smll/smll.h"

namespace smll::weights {

ModelFacts read_facts(const GgufFile& file);

// general.name; "" where there is none.
std::string read_name(const GgufFile& file);

}  // namespace smll::weights
