#include "smll/models.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "hub/cache.h"
#include "hub/download.h"
#include "hub/registry.h"

namespace smll {
namespace {

namespace fs = std::filesystem;

std::string spec_or_default(const std::string& spec) {
  if (!spec.empty()) return spec;
  const char* environment = std::getenv("SMLL_MODEL");
  if (environment && *environment) return environment;
  return hub::known_models().front().name;
}

[[noreturn]] void throw_not_found(const std::string& spec) {
  throw Error(ErrorKind::kModel, "there is no model file " + spec +
                                     ", and no known model has this name (see: smll models list)");
}

[[noreturn]] void throw_not_here(const std::string& spec, const std::string& problem) {
  throw Error(ErrorKind::kModel, "the model " + spec + " is not here" +
                                     (problem.empty() ? "" : " (" + problem + ")") +
                                     "; get it with: smll models pull " + spec);
}

}  // namespace

std::string models_directory() { return hub::models_directory().string(); }

std::string cache_problem() { return hub::cache_problem(); }

std::vector<ModelEntry> list_models() {
  std::vector<ModelEntry> entries;
  for (const hub::KnownModel& known : hub::known_models()) {
    ModelEntry entry;
    entry.name = known.name;
    entry.description = known.description;
    entry.licence = known.licence;
    entry.terms = known.terms ? known.terms : "";
    entry.size = known.size;
    entry.known = true;
    entry.is_default = entries.empty();
    if (hub::is_present(known)) entry.path = hub::known_path(known).string();
    entries.push_back(std::move(entry));
  }
  for (const hub::SeenModel& seen : hub::seen_models()) {
    // Another content would give another fingerprint.
    if (!hub::is_present(seen)) continue;
    auto entry = std::find_if(entries.begin(), entries.end(),
                              [&](const ModelEntry& other) { return other.path == seen.path; });
    if (entry == entries.end()) {
      ModelEntry added;
      added.name = seen.name;
      added.path = seen.path;
      added.size = seen.size;
      entry = entries.insert(entries.end(), std::move(added));
    }
    entry->fingerprints.push_back({seen.identity.fingerprint(), seen.backend});
  }
  return entries;
}

std::string find_used_model(std::uint64_t fingerprint) {
  for (const ModelEntry& entry : list_models()) {
    if (entry.path.empty()) continue;
    for (const ModelFingerprint& seen : entry.fingerprints) {
      if (seen.backend == Backend::kExact && seen.fingerprint == fingerprint) return entry.path;
    }
  }
  return {};
}

std::string find_model(const std::string& given) {
  const std::string spec = spec_or_default(given);
  if (const auto hub = hub::parse_hub_spec(spec)) {
    const fs::path path = hub::find_in_hub_cache(*hub);
    if (!path.empty()) return path.string();
    throw_not_here(spec, "");
  }
  if (const hub::KnownModel* known = hub::find_known(spec)) {
    if (hub::is_present(*known)) return hub::known_path(*known).string();
    throw_not_here(spec, hub::absence(*known));
  }
  std::error_code error;
  if (!fs::exists(spec, error)) throw_not_found(spec);
  return spec;
}

std::string pull_model(const std::string& given, const DownloadProgress& progress,
                       const std::function<void(const std::string&)>& notice) {
  const std::string spec = spec_or_default(given);
  if (const auto hub = hub::parse_hub_spec(spec)) return hub::download_from_hub(*hub).string();
  if (const hub::KnownModel* known = hub::find_known(spec)) {
    if (known->terms && notice && !hub::is_present(*known)) {
      notice(std::string(known->name) + " comes under the " + known->licence + " (" + known->terms +
             "): using it means agreeing to them");
    }
    return hub::download_known(*known, progress).string();
  }
  std::error_code error;
  if (!fs::is_regular_file(spec, error)) throw_not_found(spec);
  return spec;
}

std::vector<BackendReport> describe_model(const std::string& spec,
                                          const std::vector<Backend>& backends) {
  const std::string path = find_model(spec);
  std::vector<BackendReport> reports;
  std::optional<Error> last;
  bool any = false;
  for (const Backend backend : backends) {
    BackendReport& report = reports.emplace_back();
    report.backend = backend;
    try {
      ModelOptions options;
      options.model = path;
      options.backend = backend;
      options.download = false;
      const Model model(options);
      model.load();
      report.info = model.info();
      any = true;
    } catch (const Error& error) {
      // kUsage: of a backend that this build leaves out.
      if (error.kind() != ErrorKind::kModel && error.kind() != ErrorKind::kUsage) throw;
      report.problem = error.what();
      last = error;
    }
  }
  if (!any && last) throw *last;
  return reports;
}

}  // namespace smll
