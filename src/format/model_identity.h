// The number that tells models apart, for people and for archives.
#pragma once

#include <xxhash.h>

#include <array>
#include <cstdint>

namespace smll::format {

// What codes made with a model depend on, as the model's backend sees its file.
struct ModelIdentity {
  std::uint64_t weights = 0;     // hash of the weights and hyper-parameters
  std::uint64_t vocabulary = 0;  // hash of what each token spells

  std::uint64_t fingerprint() const {
    const std::array<std::uint64_t, 2> parts = {weights, vocabulary};
    return XXH3_64bits(parts.data(), sizeof(parts));
  }
  // What archives of versions before 1.0 store: it covers the window, in tokens, too.
  std::uint64_t fingerprint_before_1_0(std::uint32_t window) const {
    const std::array<std::uint64_t, 3> parts = {weights, vocabulary, window};
    return XXH3_64bits(parts.data(), sizeof(parts));
  }
  // Whether an archive that stores `stored` and a window was written with this model.
  bool is(std::uint64_t stored, std::uint32_t window) const {
    return stored == fingerprint() || stored == fingerprint_before_1_0(window);
  }

  bool operator==(const ModelIdentity&) const = default;
};

}  // namespace smll::format
