// What a compact text is checked for before and after it is decoded.
#pragma once

#include <utility>

#include "api/model_source.h"
#include "format/compact.h"

namespace smll::api {

// Null: no model is needed.
inline std::uint64_t identity_of(const LoadedModelPtr& model) {
  return model ? ModelSource::identity_of(*model) : 0;
}

// Throws Error(kModel) where the text was certainly compressed with another model.
inline void check_model(ByteView archive, const codec::LoadedModel& model) {
  if (format::compact_model_fits(archive, ModelSource::identity_of(model))) return;
  throw Error(ErrorKind::kModel, "the data was compressed with another model than " + model.name() +
                                     ", or it is damaged");
}

// `raw`, or Error(kData) where that is not what was compressed. `model` is null where none was
// needed.
inline Bytes checked(ByteView archive, Bytes raw, const LoadedModelPtr& model) {
  if (format::compact_content_fits(archive, raw, identity_of(model))) return raw;
  throw Error(ErrorKind::kData, model
                                    ? "the data is damaged or another model's: the checksum differs"
                                    : "the data is damaged: the checksum differs");
}

}  // namespace smll::api
