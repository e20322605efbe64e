#include "smll/io.h"

#include <algorithm>
#include <cstring>

namespace smll {

std::size_t MemorySource::read(std::span<std::uint8_t> out) {
  const std::size_t part = std::min(out.size(), data_.size() - position_);
  if (part != 0) std::memcpy(out.data(), data_.data() + position_, part);
  position_ += part;
  return part;
}

void MemorySource::seek(std::uint64_t offset) {
  position_ = static_cast<std::size_t>(std::min<std::uint64_t>(offset, data_.size()));
}

}  // namespace smll
