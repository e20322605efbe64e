// The small models that tests use, which scripts/make_test_model.py generates.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace smll::lm {

inline const std::vector<std::string> kFamilies = {"llama",  "qwen2",   "qwen3",
                                                   "gemma3", "granite", "smollm3"};

inline std::string test_model() {
  const char* path = std::getenv("SMLL_TEST_MODEL");
  return path ? path : "test_model.gguf";
}

// Those of each family lie beside it.
inline std::string family_model(const std::string& family) {
  const std::filesystem::path directory = std::filesystem::path(test_model()).parent_path();
  return (directory / "families" / (family + ".gguf")).string();
}

}  // namespace smll::lm
