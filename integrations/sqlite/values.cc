#include "values.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "smll/error.h"

namespace smll::sqlite {
namespace {

constexpr std::uint8_t kNamed = 0xF4;
constexpr std::size_t kNameSize = 5;
// docs/spec/format.md: what the first byte of smll's forms can be.
constexpr std::uint8_t kLastShort = 0x7F, kLastCompact = 0xEF;

bool is_file(ByteView value) {
  return value.size() >= std::size(kFileMagic) &&
         std::equal(std::begin(kFileMagic), std::end(kFileMagic), value.begin());
}

std::uint32_t name_in(ByteView value) {
  if (value.size() < kNameSize) throw Error(ErrorKind::kData, "the compressed value is cut off");
  std::uint32_t tag = 0;
  for (const std::uint8_t byte : value.subspan(1, kNameSize - 1)) tag = tag << 8 | byte;
  return tag;
}

void put_name(const Dictionary& dictionary, Bytes& value) {
  const std::uint32_t tag = tag_of(dictionary);
  value.insert(value.begin(),
               {kNamed, static_cast<std::uint8_t>(tag >> 24), static_cast<std::uint8_t>(tag >> 16),
                static_cast<std::uint8_t>(tag >> 8), static_cast<std::uint8_t>(tag)});
}

std::optional<Dictionary> meant(sqlite3* db, const std::string& dictionary) {
  if (dictionary.empty()) return std::nullopt;
  return dictionary_meant(db, dictionary);
}

bool is_named(ByteView value) { return !value.empty() && value[0] == kNamed; }

nlohmann::json describe_file(ByteView value) {
  MemorySource source(value);
  const ArchiveInfo info = list(source);
  nlohmann::json told = {{"form", "file"}, {"raw_bytes", info.raw_size}};
  if (info.needs_model) told["model"] = printable(info.model_name);
  if (info.dictionary) {
    told["dictionary"] = hex(*info.dictionary);
    told["dictionary_name"] = printable(info.dictionary_name);
  }
  return told;
}

}  // namespace

Bytes compress_value(sqlite3* db, std::string_view text, const std::string& dictionary,
                     const std::string& model) {
  const EnginePtr engine = engine_for(model, meant(db, dictionary));
  const ByteView view(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  Bytes value = compress_all(db, *engine, {{view}}).front();
  if (engine->dictionary() && !is_file(value)) put_name(*engine->dictionary(), value);
  return value;
}

Bytes decompress_value(sqlite3* db, ByteView value, const std::string& dictionary,
                       const std::string& model) {
  std::optional<Dictionary> found = meant(db, dictionary);
  if (is_named(value)) {
    const std::uint32_t tag = name_in(value);
    if (!found) {
      found = dictionary_named(db, tag);
    } else if (tag_of(*found) != tag) {
      throw Error(ErrorKind::kModel, "the value was compressed with another dictionary than " +
                                         dictionary + ", " + hex(found->identity()));
    }
    value = value.subspan(kNameSize);
  }
  return decompress_all(db, *engine_for(model, found), {{value}}).front();
}

std::string describe_value(sqlite3* db, ByteView value) {
  nlohmann::json told;
  if (value.empty()) throw Error(ErrorKind::kData, "an empty blob is no compressed value");
  if (is_file(value)) {
    told = describe_file(value);
  } else if (is_named(value)) {
    const std::uint32_t tag = name_in(value);
    told = {{"form", "named"}};
    try {
      const Dictionary dictionary = dictionary_named(db, tag);
      told["dictionary"] = hex(dictionary.identity());
      told["dictionary_name"] = printable(dictionary.name());
    } catch (const Error&) {
      told["dictionary"] = hex(tag).substr(8) + "...";
      told["dictionary_name"] = nullptr;  // it is not here
    }
  } else if (value[0] <= kLastCompact) {
    told = {{"form", value[0] <= kLastShort ? "short" : "compact"}};
  } else {
    throw Error(ErrorKind::kData, "the blob is no compressed value of smll's");
  }
  told["bytes"] = value.size();
  return told.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace smll::sqlite
