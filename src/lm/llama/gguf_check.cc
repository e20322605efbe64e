#include "lm/llama/gguf_check.h"

#include <gguf.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "smll/error.h"

namespace smll::llama {
namespace {

struct GgufDeleter {
  void operator()(gguf_context* context) const { gguf_free(context); }
};
using GgufHandle = std::unique_ptr<gguf_context, GgufDeleter>;

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::kModel, path + ": " + what + "; is the model's file damaged?");
}

std::string_view text(const gguf_context& file, const char* key) {
  const std::int64_t id = gguf_find_key(&file, key);
  if (id < 0 || gguf_get_kv_type(&file, id) != GGUF_TYPE_STRING) return {};
  return gguf_get_val_str(&file, id);
}

// Some kinds cannot be given to llama.cpp without it ending the process where something is missing.
// The exact engine's architecture does not come with them.
void check_tokenizer(const std::string& path, const gguf_context& file, bool any_tokenizer) {
  constexpr std::array<std::string_view, 3> kSafe = {"gpt2", "llama", "gemma4"};
  const std::string_view kind = text(file, "tokenizer.ggml.model");
  if (kind.empty() || kind == "none" || kind == "no_vocab") fail(path, "it has no tokenizer");
  if (!any_tokenizer && std::find(kSafe.begin(), kSafe.end(), kind) == kSafe.end()) {
    throw Error(ErrorKind::kModel, path + ": the exact engine does not know the tokenizer '" +
                                       std::string(kind) + "'; use --backend llama");
  }
}

// llama.cpp would read the other parts too, and the fingerprint would not cover them.
void check_whole(const std::string& path, const gguf_context& file) {
  const std::int64_t id = gguf_find_key(&file, "split.count");
  if (id < 0 || gguf_get_kv_type(&file, id) != GGUF_TYPE_UINT16) return;
  if (gguf_get_val_u16(&file, id) > 1) {
    throw Error(ErrorKind::kModel, path +
                                       ": one part of a model that is split into several files; "
                                       "join them with llama.cpp's llama-gguf-split --merge");
  }
}

void check_tokens(const std::string& path, const gguf_context& file) {
  const std::int64_t id = gguf_find_key(&file, "tokenizer.ggml.tokens");
  if (id < 0 || gguf_get_kv_type(&file, id) != GGUF_TYPE_ARRAY ||
      gguf_get_arr_type(&file, id) != GGUF_TYPE_STRING) {
    fail(path, "it has no list of tokens");
  }
  const std::size_t count = gguf_get_arr_n(&file, id);
  if (count == 0) fail(path, "its list of tokens is empty");
  const auto spelled = [&](std::size_t i) {
    std::string token = gguf_get_arr_str(&file, id, i);
    // llama.cpp's name for a token without text.
    return token.empty() ? "[EMPTY_" + std::to_string(i) + "]" : token;
  };
  // Equal ones have equal hashes, which are quicker to sort.
  std::vector<std::pair<std::uint64_t, std::size_t>> hashes;
  hashes.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string token = spelled(i);
    hashes.emplace_back(XXH3_64bits(token.data(), token.size()), i);
  }
  std::ranges::sort(hashes);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = i; j-- > 0 && hashes[j].first == hashes[i].first;) {
      if (spelled(hashes[j].second) != spelled(hashes[i].second)) continue;
      fail(path, "token " + std::to_string(hashes[i].second) + " stands twice in its vocabulary");
    }
  }
}

}  // namespace

void check_gguf(const std::string& path, bool any_tokenizer) {
  const GgufHandle file(gguf_init_from_file(path.c_str(), {/*no_alloc=*/true, /*ctx=*/nullptr}));
  if (!file) throw Error(ErrorKind::kModel, path + ": not a GGUF file, or a damaged one");
  check_whole(path, *file);
  check_tokenizer(path, *file, any_tokenizer);
  check_tokens(path, *file);
}

}  // namespace smll::llama
