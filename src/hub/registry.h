// Which models exist, where their files are, and which fingerprints they gave.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/model_identity.h"
#include "format/records.h"
#include "smll/options.h"

namespace smll::hub {

// A Python package with a model's file, or with the next part of it.
struct Package {
  const char* name;  // "name==version", as pip takes it
  const char* sha256;
  std::uint64_t size;  // bytes
  const char* member;  // the part's path in the package
};

// A model that comes in Python packages, verified by its hashes.
struct KnownModel {
  int number;  // stands for the name in archives; never reused, 1..6
  const char* name;
  const char* description;
  const char* licence;
  // Where terms stand that are the model's own; null for a common licence. Never got without the
  // user having named the model.
  const char* terms;
  const char* source;  // who made it from what, for people
  const char* file;
  std::uint64_t size;  // bytes
  const char* sha256;
  std::span<const Package> packages;  // the file's parts in order
};

// The first is the default.
std::span<const KnownModel> known_models();
const KnownModel* find_known(const std::string& name);
const KnownModel* find_known(int number);

// "" when there is no cache.
std::filesystem::path models_directory();
std::filesystem::path known_path(const KnownModel& model);
// Bytes of all its packages.
std::uint64_t download_size(const KnownModel& model);
// True when the file is there with its right size and is believed (cache.h); its hash was checked
// when it came.
bool is_present(const KnownModel& model);
// Why a file that may be there is not used; "" when it is only not there.
std::string absence(const KnownModel& model);
// The known model that the file at `path` is, or null.
const KnownModel* known_at(const std::filesystem::path& path);

// "hf:REPO:GLOB", split.
struct HubSpec {
  std::string repository;
  std::string glob;
};
std::optional<HubSpec> parse_hub_spec(const std::string& spec);

// A line of the cache's index: a file that was loaded before and what it gave.
struct SeenModel {
  format::ModelIdentity identity;
  std::string name;
  std::string path;        // in an index one that is relative begins at the cache
  std::uint64_t size = 0;  // of the file when it was seen, bytes
  Backend backend = Backend::kExact;

  bool operator==(const SeenModel&) const = default;
};

// Empty when the index is not believed (cache.h).
std::vector<SeenModel> seen_models();
// The index of a cache that knows these models, for kIndexFile.
std::string index_of(std::span<const SeenModel> models);
inline constexpr char kIndexFile[] = "index.json";
// Keeps `model` for later runs. A cache that cannot be written is no error: the file is only
// searched for again.
void remember(const SeenModel& model);
// The model that an archive was written with. Preferably one whose file still has the
// same size; the others say what the archive's model was.
std::optional<SeenModel> find_seen(const format::ModelRecord& record);
// True when the file is there and has the size that it had.
bool is_present(const SeenModel& model);

}  // namespace smll::hub
