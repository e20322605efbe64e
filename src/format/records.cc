#include "format/records.h"

#include <xxhash.h>

#include "format/byte_io.h"

namespace smll::format {
namespace {

std::string read_string(const NextByte& next_byte, std::size_t limit, const char* what) {
  const std::uint64_t size = read_varint(next_byte);
  if (size > limit) throw Error(ErrorKind::kData, std::string(what) + " is too long");
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(next_byte());
  return text;
}

template <typename Integer>
Integer read_le(const NextByte& next_byte) {
  std::array<std::uint8_t, sizeof(Integer)> bytes;
  for (std::uint8_t& byte : bytes) byte = next_byte();
  return load_le<Integer>(bytes.data());
}

// Of a frame's tag. What follows it belongs to it where the tag says so.
Method checked_method(std::uint8_t value, const NextByte& next_byte) {
  if ((value & kTagKindMask) == kTagLaterSet) {
    throw Error(ErrorKind::kData,
                "its predictions are version " + std::to_string(read_varint(next_byte)) +
                    ", and this smll knows up to " + std::to_string(kPredictionSet) +
                    ": the archive is damaged, or needs a newer smll");
  }
  if (value == kRetiredMethod) {
    throw Error(ErrorKind::kData,
                "method " + std::to_string(value) +
                    " is retired: decompress the archive with the smll that wrote it");
  }
  if (!is_method(value)) {
    throw Error(ErrorKind::kData,
                "method " + std::to_string(value) +
                    " is unknown: the archive is damaged or a newer smll wrote it");
  }
  return static_cast<Method>(value);
}

std::size_t checked_raw_size(std::uint64_t size, Method method) {
  if (size > max_frame(method)) {
    throw Error(ErrorKind::kData, "a frame's size is over the format's limit");
  }
  return size;
}

}  // namespace

std::size_t max_payload(std::size_t raw_size) { return 2 * raw_size + 1024; }

std::uint32_t content_check(ByteView raw, ByteView payload, std::uint64_t frame_number) {
  const std::uint64_t seed = XXH3_64bits_withSeed(payload.data(), payload.size(), frame_number);
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(raw.data(), raw.size(), seed));
}

std::uint8_t header_check(ByteView header, std::uint64_t frame_number) {
  return static_cast<std::uint8_t>(
      XXH3_64bits_withSeed(header.data(), header.size(), frame_number));
}

void put_file_header(Bytes& out, bool single) {
  out.insert(out.end(), kMagic.begin(), kMagic.end());
  out.push_back(static_cast<std::uint8_t>(kFormatVersion | (single ? kFlagSingle : 0)));
}

void put_model_record(Bytes& out, const ModelRecord& record) {
  const bool named = record.number == 0 && !record.name.empty();
  const int number = named ? kModelNamed : record.number;
  std::uint8_t tag = kTagModel | static_cast<std::uint8_t>(record.backend);
  if (record.window != kImpliedWindow) tag |= kModelHasWindow;
  if (!record.set_up.empty()) tag |= kModelHasSetUp;
  if (record.dictionary) tag |= kModelHasDictionary;
  tag |= static_cast<std::uint8_t>(number << kModelNumberShift);
  out.push_back(tag);
  put_varint(out, record.arithmetic);
  put_u64(out, record.fingerprint);
  if (record.window != kImpliedWindow) put_varint(out, record.window);
  if (named) put_string(out, std::string_view(record.name).substr(0, kMaxName));
  if (!record.set_up.empty()) put_string(out, std::string_view(record.set_up).substr(0, kMaxSetUp));
  if (record.dictionary) {
    put_u64(out, record.dictionary->identity);
    put_string(out, std::string_view(record.dictionary->name).substr(0, kMaxName));
  }
}

void put_frame_header(Bytes& out, const FrameHeader& header) {
  out.push_back(static_cast<std::uint8_t>(header.method));
  put_varint(out, header.raw_size);
  put_varint(out, header.payload_size);
  put_u32(out, header.content_check);
}

void put_entry(Bytes& out, const FrameEntry& entry) {
  put_varint(out, entry.stored_size);
  put_varint(out, entry.raw_size);
  out.push_back(static_cast<std::uint8_t>(entry.method));
}

ModelRecord read_model_record(std::uint8_t tag, const NextByte& next_byte) {
  ModelRecord record;
  record.backend = static_cast<Backend>(tag & kModelBackendMask);
  const std::uint64_t arithmetic = read_varint(next_byte);
  if (arithmetic > UINT32_MAX) throw Error(ErrorKind::kData, "the arithmetic's version is damaged");
  record.arithmetic = static_cast<std::uint32_t>(arithmetic);
  record.fingerprint = read_le<std::uint64_t>(next_byte);
  if (tag & kModelHasWindow) {
    const std::uint64_t window = read_varint(next_byte);
    const bool exact = record.backend == Backend::kExact;
    if (window < kMinWindow || window > (exact ? kMaxExactWindow : kMaxWindow)) {
      throw Error(ErrorKind::kData, "the model's window is damaged");
    }
    record.window = static_cast<std::uint32_t>(window);
  }
  record.number = (tag & kModelNumberMask) >> kModelNumberShift;
  if (record.number == kModelNamed) {
    record.number = 0;
    record.name = read_string(next_byte, kMaxName, "the model's name");
  }
  if (tag & kModelHasSetUp) record.set_up = read_string(next_byte, kMaxSetUp, "the model's set-up");
  if (tag & kModelHasDictionary) {
    if (record.backend != Backend::kExact) {
      throw Error(ErrorKind::kData, "the archive names a dictionary that its backend cannot use");
    }
    record.dictionary.emplace();
    record.dictionary->identity = read_le<std::uint64_t>(next_byte);
    record.dictionary->name = read_string(next_byte, kMaxName, "the dictionary's name");
  }
  return record;
}

FrameHeader read_frame_header(std::uint8_t tag, const NextByte& next_byte) {
  FrameHeader header;
  header.method = checked_method(tag, next_byte);
  header.raw_size = checked_raw_size(read_varint(next_byte), header.method);
  const std::uint64_t payload = read_varint(next_byte);
  if (payload > max_payload(header.raw_size)) {
    throw Error(ErrorKind::kData, "a frame's payload is larger than its data can need");
  }
  header.payload_size = payload;
  header.content_check = read_le<std::uint32_t>(next_byte);
  return header;
}

FrameEntry read_entry(const NextByte& next_byte) {
  FrameEntry entry;
  entry.stored_size = read_varint(next_byte);
  entry.raw_size = read_varint(next_byte);
  entry.method = checked_method(next_byte(), next_byte);
  checked_raw_size(entry.raw_size, entry.method);
  return entry;
}

std::string method_name(Method method) {
  switch (method) {
    case Method::kStored:
      return "stored";
    case Method::kZstd:
      return "zstd";
    case Method::kCmFast:
      return "cm-fast";
    case Method::kCm:
      return "cm";
    case Method::kLlm:
      return "llm";
    case Method::kMixed:
      return "mixed";
    case Method::kCmEnglish:
      return "cm-english";
  }
  return "unknown";
}

}  // namespace smll::format
