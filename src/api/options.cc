#include "smll/options.h"

#include <array>

namespace smll {
namespace {

struct Level {
  Experts experts;
  int lanes;
  int window;
  bool learns = false;
};

// Without the model, with ever longer windows, and last with one lane: the smallest result, but one
// that cannot be decoded in parallel. In the end the model learns as well.
constexpr std::array<Level, kMaxLevel> kLevels = {{
    {Experts::kCmFast, 0, kDefaultWindow},
    {Experts::kCm, 0, kDefaultWindow},
    {Experts::kAll, 0, 256},
    {Experts::kAll, 0, 512},
    {Experts::kAll, 0, 1024},
    {Experts::kAll, 0, kDefaultWindow},
    {Experts::kAll, 0, 4096},
    {Experts::kAll, 1, 4096},
    {Experts::kAll, 1, 4096, true},
}};

}  // namespace

void apply_level(int level, WriteOptions& write, ModelOptions& model) {
  if (level < kMinLevel || level > kMaxLevel) {
    throw Error(ErrorKind::kUsage, "there is no level " + std::to_string(level) + ": 1 to 9");
  }
  const Level& chosen = kLevels[static_cast<std::size_t>(level - 1)];
  write.experts = chosen.experts;
  write.lanes = chosen.lanes;
  model.window = chosen.window;
  model.learns = chosen.learns;
}

bool can_learn(const WriteOptions& write, const ModelOptions& model) {
  return model.backend == Backend::kExact && write.lanes <= 1;
}

std::string to_string(Backend backend) { return backend == Backend::kExact ? "exact" : "llama"; }

std::string to_string(Experts experts) {
  constexpr std::array<const char*, 4> kNames = {"all", "llm", "cm", "cm-fast"};
  return kNames[static_cast<std::size_t>(experts)];
}

Backend parse_backend(const std::string& name) {
  for (const Backend backend : {Backend::kExact, Backend::kLlama}) {
    if (name == to_string(backend)) return backend;
  }
  throw Error(ErrorKind::kUsage, "unknown backend '" + name + "': exact or llama");
}

Experts parse_experts(const std::string& name) {
  for (const Experts experts : {Experts::kAll, Experts::kLlm, Experts::kCm, Experts::kCmFast}) {
    if (name == to_string(experts)) return experts;
  }
  throw Error(ErrorKind::kUsage, "unknown experts '" + name + "': all, llm, cm or cm-fast");
}

}  // namespace smll
