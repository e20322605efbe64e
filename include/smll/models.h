// Finding, fetching and remembering model files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "smll/error.h"
#include "smll/export.h"
#include "smll/options.h"
#include "smll/smll.h"

namespace smll {

// Which weights and vocabulary a file has, as a backend sees them.
struct ModelFingerprint {
  std::uint64_t fingerprint = 0;
  Backend backend = Backend::kExact;
};

// A model that smll knows how to get, or one that it has used before. Names and paths are as they
// stand in files: printable() shows them.
struct ModelEntry {
  std::string name;
  std::string description;  // of a known model, as the next two
  std::string licence;
  std::string terms;       // where terms stand that are the model's own; "" for a common licence
  std::string path;        // "" when the file is not on this machine
  std::uint64_t size = 0;  // bytes; 0 when unknown
  bool known = false;      // `smll models pull NAME` gets it
  bool is_default = false;
  std::vector<ModelFingerprint> fingerprints;  // seen so far
};

// Bytes received so far and in all; the second is 0 when unknown.
using DownloadProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Where models are kept: $SMLL_CACHE/models, or $XDG_CACHE_HOME/smll/models, or
// ~/.cache/smll/models. "" when there is none of them.
SMLL_API std::string models_directory();

// Why models are not kept there, and what to do; "" when they are. The cache chooses models: it and
// its files must belong to this user or to root, and nobody else may be able to write to them.
SMLL_API std::string cache_problem();

SMLL_API std::vector<ModelEntry> list_models();

// The model file that `spec` (path, name, hf:REPO:GLOB or "" for the default) means. Throws
// Error(kModel), with the command that gets it, when it is not on this machine.
SMLL_API std::string find_model(const std::string& spec);

// The same, but gets a known model or a hub's file first when it is missing. What arrives is
// verified before it appears in the cache. `notice` is told, before anything is fetched, whose
// terms come with a model that has its own. Throws Error(kModel).
SMLL_API std::string pull_model(const std::string& spec, const DownloadProgress& progress = {},
                                const std::function<void(const std::string&)>& notice = {});

// The path of a model with this ModelInfo::fingerprint that Backend::kExact has used before on this
// machine; "" when none is known.
std::string find_used_model(std::uint64_t fingerprint);

// How one backend gets on with a model.
struct BackendReport {
  Backend backend = Backend::kExact;
  std::optional<ModelInfo> info;
  std::string problem;  // why it cannot run the model, where there is no `info`
};

// Loads the model that `spec` means with each of the backends, one after another. Throws
// Error(kModel) when it is not here, or none of them can run it.
SMLL_API std::vector<BackendReport> describe_model(const std::string& spec,
                                                   const std::vector<Backend>& backends = {
                                                       Backend::kExact, Backend::kLlama});

}  // namespace smll
