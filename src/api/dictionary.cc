#include "smll/dictionary.h"

#include <utility>

#include "codec/dictionary.h"
#include "hub/dictionaries.h"

namespace smll {

Dictionary::Dictionary(std::shared_ptr<const codec::Dictionary> content)
    : content_(std::move(content)) {}

Dictionary Dictionary::load(const std::string& path) {
  return Dictionary(codec::Dictionary::load(path));
}

Dictionary Dictionary::find(const std::string& spec) {
  return Dictionary(hub::find_dictionary(spec));
}

Dictionary Dictionary::parse(ByteView file) { return Dictionary(codec::Dictionary::parse(file)); }

Bytes Dictionary::serialize() const { return content_->serialize(); }
void Dictionary::save(const std::string& path) const { content_->save(path); }
std::uint64_t Dictionary::identity() const { return content_->identity(); }
const std::string& Dictionary::name() const { return content_->name(); }

}  // namespace smll
