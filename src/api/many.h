// Many texts at once, each with a result of its own.
#pragma once

#include "smll/smll.h"

namespace smll::api {

// As Compressor's functions of the same names; an empty `progress` leaves it to the options'.
std::vector<Result> compress_many(const Model& model, const WriteOptions& options,
                                  std::span<const ByteView> texts, const Progress& progress);
std::vector<Result> decompress_many(const Model& model, const WriteOptions& options,
                                    std::span<const ByteView> archives, const Limits& limits,
                                    const Progress& progress);

}  // namespace smll::api
