#include "codec/dictionary.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "base/whole_file.h"
#include "codec/plain_coder.h"
#include "container/stream_hash.h"
#include "format/byte_io.h"
#include "smll/error.h"
#include "smll/smll.h"

namespace smll::codec {
namespace {

constexpr std::array<std::uint8_t, 3> kDictionaryMagic = {0xF3, 'm', 'd'};
constexpr std::uint8_t kDictionaryVersion = 1;
constexpr std::size_t kHeaderSize = kDictionaryMagic.size() + 1;
constexpr std::size_t kChecksumSize = 8;
// Largest file: nothing is stored in more bytes than it has.
constexpr std::size_t kMaxFile = kMaxOpening + kMaxSample + kMaxAdapter + 1024;
// Above this zstd's best level takes minutes.
constexpr std::size_t kMaxForBestLevel = std::size_t{4} << 20;
constexpr int kFastLevel = 3;

[[noreturn]] void damaged(const std::string& how) {
  throw Error(ErrorKind::kData, "the dictionary is damaged: " + how);
}

bool begins_with(ByteView data, ByteView magic) {
  return data.size() >= magic.size() && std::equal(magic.begin(), magic.end(), data.begin());
}

void put_bytes(Bytes& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

// A part: its size, the size it is stored in, and its bytes; compressed where that is smaller.
void put_part(Bytes& out, const Bytes& part) {
  put_varint(out, part.size());
  if (part.empty()) return;
  const int level = part.size() <= kMaxForBestLevel ? kZstdLevel : kFastLevel;
  const Bytes packed = encode_zstd(part, level);
  const Bytes& stored = packed.size() < part.size() ? packed : part;
  put_varint(out, stored.size());
  put_bytes(out, stored);
}

// Takes a file's fields one after another.
class FieldReader {
 public:
  explicit FieldReader(ByteView fields) : left_(fields) {}

  ByteView take(std::uint64_t size) {
    if (size > left_.size()) damaged("it ends too early");
    const ByteView taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }
  std::uint64_t number() {
    try {
      return take_varint(left_);
    } catch (const Error&) {
      damaged("a number is not written as it should be");
    }
  }
  std::uint64_t u64() { return format::load_le<std::uint64_t>(take(8).data()); }

  Bytes part(std::size_t limit) {
    const std::uint64_t size = number();
    if (size > limit) damaged("a part is larger than is allowed");
    if (size == 0) return {};
    const std::uint64_t stored = number();
    if (stored > size) damaged("a part is stored in more bytes than it has");
    const ByteView bytes = take(stored);
    return stored == size ? Bytes(bytes.begin(), bytes.end()) : decode_zstd(bytes, size);
  }
  bool empty() const { return left_.empty(); }

 private:
  ByteView left_;
};

std::uint64_t identity_of(const DictionaryParts& parts) {
  container::StreamHash hash;
  Bytes numbers;
  format::put_u64(numbers, parts.model.weights);
  format::put_u64(numbers, parts.model.vocabulary);
  for (const Bytes* part : {&parts.opening, &parts.sample, &parts.adapter}) {
    format::put_u64(numbers, part->size());
    hash.update(numbers);
    hash.update(*part);
    numbers.clear();
  }
  return hash.digest();
}

// Where the opening of a plain text begins: at a line's start where one is near, otherwise at a
// character's.
std::size_t opening_start(ByteView text) {
  if (text.size() <= kPlainOpening) return 0;
  const auto earliest = text.end() - static_cast<std::ptrdiff_t>(kPlainOpening);
  const auto latest = text.end() - static_cast<std::ptrdiff_t>(kPlainOpening / 2);
  if (const auto line = std::find(earliest - 1, latest, '\n'); line != latest) {
    return static_cast<std::size_t>(line - text.begin()) + 1;
  }
  const auto character =
      std::find_if(earliest, earliest + 4, [](std::uint8_t byte) { return (byte & 0xC0) != 0x80; });
  return static_cast<std::size_t>((character == earliest + 4 ? earliest : character) -
                                  text.begin());
}

// Files that would only be taken for text by mistake.
void check_is_text(ByteView first) {
  constexpr std::array<std::uint8_t, 4> kZstdDictionary = {0x37, 0xA4, 0x30, 0xEC};
  if (begins_with(first, kFileMagic)) {
    throw Error(ErrorKind::kData, "it is an archive and no dictionary");
  }
  if (begins_with(first, kZstdDictionary)) {
    throw Error(ErrorKind::kData,
                "it is a dictionary of zstd; give the text itself, or train one (smll train)");
  }
}

std::shared_ptr<const Dictionary> loaded(const std::string& path, const std::string& name) {
  bool is_dictionary = false;
  const Bytes content = read_file(path, kHeaderSize, [&](ByteView first) -> Wanted {
    is_dictionary = begins_with(first, kDictionaryMagic);
    if (is_dictionary) return {kMaxFile, false};
    if (std::filesystem::path(path).extension() == ".smlld") damaged("its first bytes are wrong");
    check_is_text(first);
    return {kMaxSample + kPlainOpening, true};
  });
  return is_dictionary ? Dictionary::parse(content) : plain_dictionary(name, content);
}

}  // namespace

Dictionary::Dictionary(DictionaryParts parts)
    : parts_(std::move(parts)), identity_(identity_of(parts_)) {
  const auto check = [](std::size_t size, std::size_t limit, const char* what) {
    if (size <= limit) return;
    throw Error(ErrorKind::kData, std::string("a dictionary's ") + what + " has at most " +
                                      std::to_string(limit) + " bytes, this one " +
                                      std::to_string(size));
  };
  check(parts_.name.size(), kMaxDictionaryName, "name");
  check(parts_.opening.size(), kMaxOpening, "opening");
  check(parts_.sample.size(), kMaxSample, "sample");
  check(parts_.adapter.size(), kMaxAdapter, "adapter");
  if (parts_.opening.empty() && parts_.sample.empty() && parts_.adapter.empty()) {
    throw Error(ErrorKind::kData, "a dictionary of nothing is of no use");
  }
}

bool Dictionary::fits(const format::ModelIdentity& model) const {
  return parts_.model == format::ModelIdentity() || parts_.model == model;
}

Bytes Dictionary::serialize() const {
  Bytes out(kDictionaryMagic.begin(), kDictionaryMagic.end());
  out.push_back(kDictionaryVersion);
  format::put_u64(out, parts_.model.weights);
  format::put_u64(out, parts_.model.vocabulary);
  format::put_string(out, parts_.name);
  put_part(out, parts_.opening);
  put_part(out, parts_.sample);
  put_part(out, parts_.adapter);
  format::put_u64(out, XXH3_64bits(out.data(), out.size()));
  return out;
}

std::shared_ptr<const Dictionary> Dictionary::parse(ByteView file) {
  if (!begins_with(file, kDictionaryMagic)) damaged("its first bytes are wrong");
  if (file.size() < kHeaderSize + kChecksumSize) damaged("it ends too early");
  const std::uint8_t version = file[kDictionaryMagic.size()];
  if (version > kDictionaryVersion) {
    throw Error(ErrorKind::kData, "the dictionary is of version " + std::to_string(version) +
                                      ", which needs a newer smll");
  }
  const ByteView checked = file.first(file.size() - kChecksumSize);
  if (version == 0 || XXH3_64bits(checked.data(), checked.size()) !=
                          format::load_le<std::uint64_t>(file.data() + checked.size())) {
    damaged("its check does not fit");
  }
  FieldReader fields(checked.subspan(kHeaderSize));
  DictionaryParts parts;
  parts.model.weights = fields.u64();
  parts.model.vocabulary = fields.u64();
  const std::uint64_t name_size = fields.number();
  if (name_size > kMaxDictionaryName) damaged("its name is too long");
  const ByteView name = fields.take(name_size);
  parts.name.assign(name.begin(), name.end());
  parts.opening = fields.part(kMaxOpening);
  parts.sample = fields.part(kMaxSample);
  parts.adapter = fields.part(kMaxAdapter);
  if (!fields.empty()) damaged("it is longer than it says");
  return std::make_shared<const Dictionary>(std::move(parts));
}

std::shared_ptr<const Dictionary> Dictionary::load(const std::string& path) {
  try {
    return loaded(path, std::filesystem::path(path).filename().string());
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kData) throw;
    throw Error(ErrorKind::kData, path + ": " + error.what());
  }
}

void Dictionary::save(const std::string& path) const { replace_file(path, serialize()); }

std::shared_ptr<const Dictionary> plain_dictionary(const std::string& name, ByteView text) {
  if (text.empty()) throw Error(ErrorKind::kData, "it is empty, and no text to begin with");
  const std::size_t start = opening_start(text);
  const ByteView before = text.first(start);
  const ByteView sample = before.last(std::min(before.size(), kMaxSample));
  const ByteView opening = text.subspan(start);
  return std::make_shared<const Dictionary>(DictionaryParts{
      name, Bytes(opening.begin(), opening.end()), Bytes(sample.begin(), sample.end()), {}, {}});
}

std::string identity_text(std::uint64_t identity) {
  std::array<char, 17> text;
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(identity));
  return text.data();
}

}  // namespace smll::codec
