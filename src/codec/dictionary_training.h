// Makes a dictionary of records: picks the opening after which others of their kind cost least, and
// a sample for the context models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "codec/dictionary.h"
#include "codec/loaded_model.h"
#include "smll/io.h"

namespace smll::codec {

// Fewest records to train with: some are held back.
inline constexpr std::size_t kFewestRecords = 8;
// Of an opening, unless the options say how many bytes.
inline constexpr std::size_t kOpeningTokens = 1000;

struct TrainingOptions {
  std::string name;                                   // the dictionary's
  std::size_t opening_bytes = 0;                      // at most; 0: about kOpeningTokens tokens
  std::size_t sample_bytes = std::size_t{128} << 10;  // at most
  double minutes = 2;    // how much is tried: of what a usual machine does in them
  bool adapter = false;  // the model's weights learn, too: so many minutes more
  // A LoRA file that is the adapter instead, "" for none, and what it is multiplied by.
  std::string lora;
  float lora_scale = 1;
};

struct TrainingResult {
  std::shared_ptr<const Dictionary> dictionary;
  std::size_t records = 0;  // in all
  // Records that had no part in anything, as far as they were measured: their number, their bytes,
  // and bytes that they are coded in, without what a form adds.
  std::size_t measured = 0;
  std::uint64_t raw_bytes = 0;
  double bytes_without = 0, bytes_with = 0;
};

// Tokens fed so far, and in all at most; may throw to cancel.
using TrainingProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// The dictionary is the same for the same arguments on every machine. Line ends are put behind
// records that have none. Throws Error(kData) for fewer than kFewestRecords records that are not
// empty, Error(kUsage) for options out of range and a model that cannot do it (llama's), and
// Error(kModel) for a LoRA file that is not one of this model.
TrainingResult train_dictionary(std::span<const ByteView> records, const LoadedModel& model,
                                const TrainingOptions& options,
                                const TrainingProgress& progress = {});

}  // namespace smll::codec
