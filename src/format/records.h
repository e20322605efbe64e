// The bytes of an archive file: its constants and records. docs/spec/format.md is the
// specification; this file and records.cc are the only other place that knows them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "format/frame.h"
#include "smll/io.h"
#include "smll/options.h"

namespace smll::format {

inline constexpr std::array<std::uint8_t, 3> kMagic = {0xF3, 'm', 'l'};
inline constexpr std::size_t kFileHeaderSize = 4;  // magic, version and flags

inline constexpr int kFormatVersion = 1;
inline constexpr std::uint8_t kVersionMask = 0x0F;
// The archive has exactly one frame and ends with it; there is no end record.
inline constexpr std::uint8_t kFlagSingle = 0x80;

// The version of all that predicts: context models, mixers, the order of decisions. What changes
// any of it gets another number; readers keep those of every released version.
inline constexpr std::uint32_t kPredictionSet = 1;

// A record's first byte. 0x00..0x0F: a frame of that method, with prediction set 1.
// 0x20..0x2F: a frame of that method, with the prediction set that follows, 2 or more.
inline constexpr std::uint8_t kTagLaterSet = 0x20;
inline constexpr std::uint8_t kTagKindMask = 0xF0;
inline constexpr std::uint8_t kTagEnd = 0x10;
inline constexpr std::uint8_t kTagModel = 0x80;  // with the bits below
inline constexpr std::uint8_t kModelBackendMask = 0x01;
inline constexpr std::uint8_t kModelHasDictionary = 0x02;
inline constexpr std::uint8_t kModelHasWindow = 0x04;
inline constexpr std::uint8_t kModelHasSetUp = 0x08;
inline constexpr std::uint8_t kModelNumberMask = 0x70;
inline constexpr int kModelNumberShift = 4;
inline constexpr int kModelNamed = 7;  // in the number's place: the name is spelled out

inline constexpr std::uint32_t kImpliedWindow = 2048;  // tokens
// Tokens; the exact backend's contexts are shorter.
inline constexpr std::uint32_t kMinWindow = 2, kMaxWindow = std::uint32_t{1} << 20;
inline constexpr std::uint32_t kMaxExactWindow = std::uint32_t{1} << 16;
inline constexpr std::size_t kMaxName = 255;    // bytes
inline constexpr std::size_t kMaxSetUp = 1023;  // bytes

// After the end record: its size as u32 and these bytes, so that it can be found from the end of a
// file.
inline constexpr std::array<std::uint8_t, 4> kEndMagic = {'l', 'm', 'e', 0xF3};
inline constexpr std::size_t kTrailerSize = 8;

// A dictionary that an archive's frames begin with.
struct DictionaryRecord {
  std::uint64_t identity = 0;
  std::string name;  // may be empty

  bool operator==(const DictionaryRecord&) const = default;
};

// The model that an archive's frames of method kLlm and kMixed need.
struct ModelRecord {
  Backend backend = Backend::kExact;
  std::uint32_t arithmetic = 0;
  std::uint64_t fingerprint = 0;
  std::uint32_t window = kImpliedWindow;  // tokens
  int number = 0;                         // of a model that every smll knows, 1..6; 0: none
  std::string name;                       // set when number is 0; may be empty
  std::string set_up;                     // what results depend on besides the model
  std::optional<DictionaryRecord> dictionary;

  bool operator==(const ModelRecord&) const = default;
};

struct FrameHeader {
  Method method = Method::kStored;
  std::size_t raw_size = 0;
  std::size_t payload_size = 0;
  std::uint32_t content_check = 0;
};

// One line of the index.
struct FrameEntry {
  std::uint64_t stored_size = 0;  // bytes from the end of the frame before (or the archive's start)
  std::uint64_t raw_size = 0;
  Method method = Method::kStored;
};

// Largest payload that a frame of `raw_size` bytes may have. Encoders stay far below; the limit
// keeps a lying length from costing memory.
std::size_t max_payload(std::size_t raw_size);

// Covers the payload as well: a damaged one may decode to the right bytes, and is damaged all the
// same.
std::uint32_t content_check(ByteView raw, ByteView payload, std::uint64_t frame_number);
// Covers every byte between the end of the frame before and the check itself.
std::uint8_t header_check(ByteView header, std::uint64_t frame_number);

void put_file_header(Bytes& out, bool single);
void put_model_record(Bytes& out, const ModelRecord& record);
// All of a frame's header but its check.
void put_frame_header(Bytes& out, const FrameHeader& header);
void put_entry(Bytes& out, const FrameEntry& entry);

// These read what follows the record's first byte from `next_byte`, which gives one byte or throws.
// They throw Error(kData) for values that no writer of this version writes.
using NextByte = std::function<std::uint8_t()>;
ModelRecord read_model_record(std::uint8_t tag, const NextByte& next_byte);
FrameHeader read_frame_header(std::uint8_t tag, const NextByte& next_byte);
FrameEntry read_entry(const NextByte& next_byte);

std::string method_name(Method method);

}  // namespace smll::format
