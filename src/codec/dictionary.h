// What texts of one kind have in common, known before the first byte of each: an opening that the
// language model has read, a sample that the context models have read, an adapter of the model's
// weights. docs/spec/format.md specifies the bytes of its file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "format/model_identity.h"
#include "smll/io.h"

namespace smll::codec {

// Most bytes of each part.
inline constexpr std::size_t kMaxOpening = std::size_t{16} << 10;
inline constexpr std::size_t kMaxSample = std::size_t{1} << 20;
inline constexpr std::size_t kMaxAdapter = std::size_t{256} << 20;
inline constexpr std::size_t kMaxDictionaryName = 255;
// Of an opening that is the end of a plain file.
inline constexpr std::size_t kPlainOpening = 4000;

struct DictionaryParts {
  std::string name;  // people's
  Bytes opening;     // text that stands, as it were, before every text
  Bytes sample;      // more text, which the context models read before the opening
  Bytes adapter;     // what the model's weights learned; may be empty
  // The model that it was made for; zeros for text alone, which every model can read.
  format::ModelIdentity model;
};

// Immutable; shared by all that codes with it.
class Dictionary {
 public:
  // Throws Error(kData) for a part that is too large, and where there is neither an opening nor a
  // sample nor an adapter.
  explicit Dictionary(DictionaryParts parts);

  const std::string& name() const { return parts_.name; }
  const Bytes& opening() const { return parts_.opening; }
  const Bytes& sample() const { return parts_.sample; }
  const Bytes& adapter() const { return parts_.adapter; }
  const format::ModelIdentity& model() const { return parts_.model; }
  // Whether it may be used with a model of this identity.
  bool fits(const format::ModelIdentity& model) const;
  // Of everything but the name: what archives store.
  std::uint64_t identity() const { return identity_; }

  Bytes serialize() const;
  // Throws Error(kData) for what serialize() does not write, and Error(kMemory) where there is too
  // little memory.
  static std::shared_ptr<const Dictionary> parse(ByteView file);

  // A dictionary's file, or any other one, which is taken for text: its last kPlainOpening bytes
  // from a line's start on are the opening, the kMaxSample bytes before them the sample, its file's
  // name the name. Throws Error(kIo), and Error(kData) for a damaged one or an empty one.
  static std::shared_ptr<const Dictionary> load(const std::string& path);
  // Throws Error(kIo).
  void save(const std::string& path) const;

 private:
  DictionaryParts parts_;
  std::uint64_t identity_;
};

// The dictionary that text alone makes, as load() does of a plain file.
std::shared_ptr<const Dictionary> plain_dictionary(const std::string& name, ByteView text);

// Sixteen hexadecimal digits.
std::string identity_text(std::uint64_t identity);

}  // namespace smll::codec
