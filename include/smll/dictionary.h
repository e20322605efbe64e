// Dictionaries: what texts of one kind have in common, known before the first byte of each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "smll/io.h"

namespace smll {

namespace codec {
class Dictionary;
}

// A handle on a dictionary that was read. Copies share it. May be used from many threads.
class Dictionary {
 public:
  // A dictionary's file or, as text that stands before every text, any other one. Throws Error(kIo)
  // where it cannot be read, and Error(kData) where it is damaged or empty.
  static Dictionary load(const std::string& path);
  // The one that a person means: a file as above, or the name or identity of one in the cache.
  // Throws Error(kModel) where there is none.
  static Dictionary find(const std::string& spec);
  // What serialize() gave. Throws Error(kData).
  static Dictionary parse(ByteView file);

  // The bytes of a dictionary's file.
  Bytes serialize() const;
  // Throws Error(kIo).
  void save(const std::string& path) const;

  // Of all that coding depends on: archives store it, and are only read with the same one.
  std::uint64_t identity() const;
  // For people, as it stands in the file: printable() shows it.
  const std::string& name() const;

  // For smll's own use.
  explicit Dictionary(std::shared_ptr<const codec::Dictionary> content);
  const std::shared_ptr<const codec::Dictionary>& content() const { return content_; }

 private:
  std::shared_ptr<const codec::Dictionary> content_;
};

}  // namespace smll
