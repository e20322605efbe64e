// The numbers that tell models apart: people's, and archives'.
#pragma once

#include <xxhash.h>

#include <array>
#include <cstdint>

namespace smll::format {

// What codes made with a model depend on, as the model's backend sees its file.
struct ModelIdentity {
  std::uint64_t weights = 0;     // hash of the weights and hyper-parameters
  std::uint64_t vocabulary = 0;  // hash of what each token spells

  // What people see.
  std::uint64_t fingerprint() const {
    const std::array<std::uint64_t, 2> parts = {weights, vocabulary};
    return XXH3_64bits(parts.data(), sizeof(parts));
  }
  // What archives store: it covers the window too.
  std::uint64_t archive_fingerprint(int window) const {
    const std::array<std::uint64_t, 3> parts = {weights, vocabulary,
                                                static_cast<std::uint64_t>(window)};
    return XXH3_64bits(parts.data(), sizeof(parts));
  }

  bool operator==(const ModelIdentity&) const = default;
};

}  // namespace smll::format
