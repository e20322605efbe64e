#include "lm/weights/model_facts.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <iterator>

namespace smll::weights {
namespace {

// Longer texts are cut: nothing that is shown needs more.
constexpr std::size_t kMaxText = 255;

std::string text_of(const GgufFile& file, const char* key) {
  std::string text = file.text(key).value_or("");
  text.resize(std::min(text.size(), kMaxText));
  return text;
}

std::string first_of(const GgufFile& file, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (std::string value = text_of(file, key); !value.empty()) return value;
  }
  return "";
}

// Names of what most weights are, by general.file_type; "": no longer written.
constexpr const char* kTypes[] = {
    "all F32",
    "F16",
    "Q4_0",
    "Q4_1",
    "",
    "",
    "",
    "Q8_0",
    "Q5_0",
    "Q5_1",
    "Q2_K - Medium",
    "Q3_K - Small",
    "Q3_K - Medium",
    "Q3_K - Large",
    "Q4_K - Small",
    "Q4_K - Medium",
    "Q5_K - Small",
    "Q5_K - Medium",
    "Q6_K",
    "IQ2_XXS - 2.0625 bpw",
    "IQ2_XS - 2.3125 bpw",
    "Q2_K - Small",
    "IQ3_XS - 3.3 bpw",
    "IQ3_XXS - 3.0625 bpw",
    "IQ1_S - 1.5625 bpw",
    "IQ4_NL - 4.5 bpw",
    "IQ3_S - 3.4375 bpw",
    "IQ3_S mix - 3.66 bpw",
    "IQ2_S - 2.5 bpw",
    "IQ2_M - 2.7 bpw",
    "IQ4_XS - 4.25 bpw",
    "IQ1_M - 1.75 bpw",
    "BF16",
    "",
    "",
    "",
    "TQ1_0 - 1.69 bpw ternary",
    "TQ2_0 - 2.06 bpw ternary",
    "MXFP4 MoE",
    "NVFP4",
    "Q1_0",
    "Q2_0",
};

std::string type_of(const GgufFile& file) {
  const std::uint64_t type = file.integer("general.file_type").value_or(std::size(kTypes)) & 0xff;
  return type < std::size(kTypes) ? kTypes[type] : "";
}

}  // namespace

ModelFacts read_facts(const GgufFile& file) {
  ModelFacts facts;
  facts.architecture = text_of(file, "general.architecture");
  facts.type = type_of(file);
  facts.licence = first_of(file, {"general.license.name", "general.license"});
  facts.terms = text_of(file, "general.license.link");
  facts.source =
      first_of(file, {"general.source.url", "general.source.huggingface.repository",
                      "general.repo_url", "general.url", "general.base_model.0.repo_url"});
  facts.size = file.size();
  for (const TensorInfo& tensor : file.tensors()) facts.parameters += tensor.columns * tensor.rows;
  facts.trained_context = file.integer(facts.architecture + ".context_length").value_or(0);
  if (const auto tokens = file.texts("tokenizer.ggml.tokens")) facts.vocabulary = tokens->size();
  return facts;
}

std::string read_name(const GgufFile& file) { return text_of(file, "general.name"); }

}  // namespace smll::weights
