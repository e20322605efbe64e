// The small models of each family that tests use, which scripts/make_test_model.py generates.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace smll::lm {

inline const std::vector<std::string> kFamilies = {"llama",  "qwen2",   "qwen3",
                                                   "gemma3", "granite", "smollm3"};

// Beside the test model, which SMLL_TEST_MODEL names.
inline std::string family_model(const std::string& family) {
  const char* model = std::getenv("SMLL_TEST_MODEL");
  const std::filesystem::path directory = std::filesystem::path(model ? model : "").parent_path();
  return (directory / "families" / (family + ".gguf")).string();
}

}  // namespace smll::lm
