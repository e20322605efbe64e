// Models of the llama.cpp backend. Without llama.cpp (CMake's SMLL_LLAMA) there are none: both
// throw Error(kUsage), which says how to get it.
#pragma once

#include <memory>
#include <string>

#include "codec/loaded_model.h"
#include "codec/model_file.h"

namespace smll::codec {

std::shared_ptr<const ModelFile> read_llama_file(const std::string& path);

// `file`: from read_llama_file().
std::shared_ptr<const LoadedModel> make_llama_model(const std::string& path,
                                                    const LoadOptions& options,
                                                    const std::shared_ptr<const ModelFile>& file);

}  // namespace smll::codec
