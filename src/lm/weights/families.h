// Families of models that the exact engine knows, and how each one's GGUF metadata is read. A
// table: docs/design/families.md says how to add one.
#pragma once

#include <string>

#include "lm/weights/gguf_file.h"
#include "lm/weights/model_spec.h"

namespace smll::weights {

// Throws Error(kModel) for a family that is not known, and for numbers that are missing, out of
// range or more than the engine can do.
ModelSpec read_spec(const GgufFile& file);

// The names of all families, with commas between them.
std::string known_families();

}  // namespace smll::weights
