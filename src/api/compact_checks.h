// What a compact text is checked for before and after it is decoded.
#pragma once

#include <utility>

#include "api/model_source.h"
#include "codec/frame_codec.h"
#include "format/compact.h"

namespace smll::api {

// Null: no model is needed.
inline std::uint64_t identity_of(const LoadedModelPtr& model) {
  return model ? ModelSource::identity_of(*model) : 0;
}

inline Bytes pack(const codec::CompactText& text, ByteView raw, const LoadedModelPtr& model) {
  const format::Frame& frame = text.frame;
  if (text.is_short) return format::pack_short(frame.payload, raw, identity_of(model));
  return format::pack_compact(frame.method, frame.payload, raw);
}

// Throws Error(kData) for what has neither form.
inline void check_form(ByteView archive) {
  if (format::is_compact(archive) || format::is_short(archive)) return;
  throw Error(ErrorKind::kData, "not smll data");
}

inline bool needs_model(ByteView archive) { return format::is_short(archive); }

// What `decode` gives of an archive. Nothing tells a short text from what is not smll's before it
// is decoded, so how that fails means nothing to people.
template <class Decode>
auto decoded(ByteView archive, const Decode& decode) {
  try {
    return decode();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kData || !format::is_short(archive)) throw;
    throw Error(ErrorKind::kData,
                "not smll data, or it is damaged, or was made with another model or dictionary");
  }
}

// `raw`, or Error(kData) where that is not what was compressed. `model` is null where none was
// needed.
inline Bytes checked(ByteView archive, Bytes raw, const LoadedModelPtr& model) {
  const bool fits = format::is_short(archive)
                        ? format::short_content_fits(archive, raw, identity_of(model))
                        : format::compact_content_fits(archive, raw);
  if (fits) return raw;
  throw Error(ErrorKind::kData, model
                                    ? "the data is damaged or another model's: the checksum differs"
                                    : "the data is damaged: the checksum differs");
}

}  // namespace smll::api
