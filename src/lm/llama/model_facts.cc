#include "lm/llama/model_facts.h"

#include <array>
#include <cstdlib>
#include <initializer_list>
#include <string>

namespace smll::llama {
namespace {

// "" when there is no such key.
std::string text_of(const llama_model& model, const char* key) {
  std::array<char, 256> value;
  const int size = llama_model_meta_val_str(&model, key, value.data(), value.size());
  return size > 0 ? value.data() : "";
}

std::string first_of(const llama_model& model, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (std::string value = text_of(model, key); !value.empty()) return value;
  }
  return "";
}

// 0 when there is no such key or it is no number.
std::uint64_t number_of(const llama_model& model, const std::string& key) {
  return std::strtoull(text_of(model, key.c_str()).c_str(), nullptr, 10);
}

// As the file says it; llama.cpp guesses only when it loads the weights.
std::string type_of(const llama_model& model) {
  if (text_of(model, "general.file_type").empty()) return "";
  const std::string name =
      llama_ftype_name(static_cast<llama_ftype>(number_of(model, "general.file_type") & 0xff));
  return name.starts_with("unknown") ? "" : name;
}

}  // namespace

ModelFacts read_facts(const llama_model& model) {
  ModelFacts facts;
  facts.architecture = text_of(model, "general.architecture");
  facts.type = type_of(model);
  facts.licence = first_of(model, {"general.license.name", "general.license"});
  facts.terms = text_of(model, "general.license.link");
  facts.source =
      first_of(model, {"general.source.url", "general.source.huggingface.repository",
                       "general.repo_url", "general.url", "general.base_model.0.repo_url"});
  facts.parameters = llama_model_n_params(&model);
  facts.trained_context = number_of(model, facts.architecture + ".context_length");
  facts.vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(&model));
  return facts;
}

std::string read_name(const llama_model& model) { return text_of(model, "general.name"); }

}  // namespace smll::llama
