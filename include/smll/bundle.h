// Archives together with all that opens them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "smll/export.h"
#include "smll/smll.h"

namespace smll {

// What was put into a bundle.
struct BundleSummary {
  std::size_t archives = 0, models = 0, dictionaries = 0;  // files
  std::uint64_t bytes = 0;                                 // of all these
};

// Makes `directory`, a BagIt bag (RFC 8493) with copies of the archives (files' paths), once each
// of the models and dictionaries that decoding them needs, and a text that says how to restore
// them:
//
//   data/archives/                archives, by their files' names
//   data/cache/models/            models' files
//   data/cache/dictionaries/      dictionaries' files
//   data/cache/index.json         which model is which: SMLL_CACHE=data/cache finds them
//   README.txt, bagit.txt, bag-info.txt, manifest-sha256.txt, tagmanifest-sha256.txt
//
// `model` finds models and dictionaries as for reading; each copy of a model is loaded and must
// have the fingerprint that its archives name. The archives' frames are not decoded. The directory
// is there complete or not at all; it may exist if it is empty. `progress` is called often and may
// throw to cancel.
//
// Throws Error(kIo) where something cannot be read or written or `directory` is not empty,
// Error(kData) for a file that is no archive, Error(kUsage) for one whose name is no UTF-8, which a
// bag's must be, and Error(kModel) where a model or dictionary is missing, or an archive was
// written with Backend::kLlama, which no model's file alone opens.
SMLL_API BundleSummary bundle(const std::vector<std::string>& archives,
                              const std::string& directory, const Model& model,
                              const std::function<void()>& progress = {});

}  // namespace smll
