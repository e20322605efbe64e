// Dictionaries: what texts of one kind have in common, known before the first byte of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "smll/export.h"
#include "smll/io.h"

namespace smll {

class Model;

struct TrainOptions {
  std::string name;  // the dictionary's, for people; at most 255 bytes
  // Bytes of the opening, the text that stands, as it were, before every text: 64 to 16,384; 0:
  // what about 1,000 tokens have. Never more than half the model's window.
  std::size_t opening_bytes = 0;
  // Bytes of the sample, which the context models read: at most 1 MiB.
  std::size_t sample_bytes = std::size_t{128} << 10;
  // How much is tried: what two cores do in so many minutes. The work is counted and not the time,
  // so that the same is found everywhere.
  double minutes = 2;
  // The model's weights learn as well, which takes `minutes` more: for long texts of one kind. Adds
  // 1 to 3 MB to the dictionary.
  bool adapter = false;
  // A LoRA file of the model (GGUF, as llama.cpp has them), trained elsewhere, that is the adapter
  // instead, and what it is multiplied by. "": none.
  std::string lora;
  float lora_scale = 1;
  // Called now and then with the work that is done, and all that there is, in tokens. May throw to
  // cancel.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;
};

// What a dictionary gains on records that had no part in its making.
struct TrainGain {
  std::uint64_t records = 0;    // that were given and are not empty
  std::uint64_t measured = 0;   // of them
  std::uint64_t raw_bytes = 0;  // of the measured ones, of each as far as it was measured
  double bytes_without = 0;     // that they are coded in, without what a form adds
  double bytes_with = 0;
};

struct DictionaryInfo {
  std::string name;            // as it stands in the file: printable() shows it
  std::uint64_t identity = 0;  // what archives store: of everything but the name
  // Of the model that it was made for (ModelInfo::fingerprint); 0 for text that serves any model.
  std::uint64_t model_fingerprint = 0;
  std::uint64_t opening_bytes = 0, sample_bytes = 0, adapter_bytes = 0;
};

// A handle on a dictionary that was read or made. Copies share it. May be used from many threads.
class SMLL_API Dictionary {
 public:
  // Picks the opening after which held-back samples cost least; the same for the same arguments.
  // Samples are whole records of one kind: a line, a message, a small file; a line end is put
  // behind one that has none. Loads the model. Throws Error(kData) for fewer than 8 samples that
  // are not empty, Error(kUsage) for options out of range and another backend than kExact, and
  // Error(kModel).
  static Dictionary train(std::span<const ByteView> samples, const TrainOptions& options,
                          const Model& model, TrainGain* gain = nullptr);
  // A dictionary's file or, as text that stands before every text, any other one: its last 4,000
  // bytes, from a line's start on, are the opening, the 1 MiB before them the sample. Throws
  // Error(kIo) where it cannot be read, and Error(kData) where it is damaged or empty.
  static Dictionary load(const std::string& path);
  // The one that a person means: a file as above, or the name or identity of one in the cache.
  // Throws Error(kModel) where there is none, or more than one of the name.
  static Dictionary find(const std::string& spec);
  // What serialize() gave. Throws Error(kData).
  static Dictionary parse(ByteView file);

  // The bytes of a dictionary's file.
  Bytes serialize() const;
  // In the place of a file that is there, whole or not at all. Throws Error(kIo).
  void save(const std::string& path) const;
  // Keeps it in the cache, where reading finds it by its identity, and returns its path there.
  // Throws Error(kModel) when the cache is not to be had, and Error(kIo).
  std::string keep() const;

  // Of all that coding depends on: archives store it, and are only read with the same one.
  std::uint64_t identity() const;
  // For people, as it stands in the file: printable() shows it.
  const std::string& name() const;
  DictionaryInfo info() const;

 private:
  friend struct Internals;
  struct State;
  explicit Dictionary(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

// A dictionary's file in the cache.
struct DictionaryEntry {
  std::string path;
  DictionaryInfo info;
  std::string problem;  // why it is not used; then there is no `info`
};

// Those that the cache keeps, in the order of their names; those with a problem last.
SMLL_API std::vector<DictionaryEntry> list_dictionaries();

}  // namespace smll
