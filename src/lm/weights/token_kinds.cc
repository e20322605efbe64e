#include "lm/weights/token_kinds.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>

#include "smll/error.h"

namespace smll::weights {
namespace {

using Texts = std::span<const std::string_view>;

// Where a model is to fill in between two parts of a file: the first of these texts that is a token
// is a control token, unless the file names another one by the key.
struct Part {
  std::vector<const char*> keys;
  std::vector<std::string_view> texts;
};
const Part kParts[] = {
    {{"tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"},
     {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>",
      "<|code_prefix|>", "<|prefix|>"}},
    {{"tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id"},
     {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
      "<|code_suffix|>", "<|suffix|>"}},
    {{"tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id"},
     {"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>",
      "<|code_middle|>", "<|middle|>"}},
    {{"tokenizer.ggml.fim_pad_token_id"},
     {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
    {{"tokenizer.ggml.fim_rep_token_id"},
     {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
    {{"tokenizer.ggml.fim_sep_token_id"}, {"<|file_sep|>"}},
};

// Ends of turns and texts.
constexpr std::string_view kEnds[] = {"<|eot_id|>",
                                      "<|im_end|>",
                                      "<|end|>",
                                      "<|return|>",
                                      "<|call|>",
                                      "<|flush|>",
                                      "<|calls|>",
                                      "<end_of_turn>",
                                      "<|endoftext|>",
                                      "</s>",
                                      "<|eom_id|>",
                                      "<EOT>",
                                      "_<EOT>",
                                      "[EOT]",
                                      "[EOS]",
                                      "<|end_of_text|>",
                                      "<end_of_utterance>",
                                      "<eos>",
                                      "<turn|>",
                                      "<|tool_response>",
                                      "<｜end▁of▁sentence｜>",
                                      "[e~["};

// Text in what models of this kind answer.
constexpr std::string_view kShown[] = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};

TokenKindBits kind_of_type(std::int32_t type) {
  switch (type) {
    case 1:
      return kNormal;
    case 2:
      return kUnknown;
    case 3:
      return kControl;
    case 4:
      return kAdded;
    case 5:
      return kUnused;
    case 6:
      return kByte;
    default:
      return 0;
  }
}

// Of the few tokens whose texts are looked for, by the first bytes that they begin with.
class Finder {
 public:
  explicit Finder(Texts tokens) {
    for (std::size_t id = 0; id < tokens.size(); ++id) {
      const std::string_view text = tokens[id];
      const bool marked = text[0] == '<' || text[0] == '[' || text.starts_with("_<") ||
                          text.starts_with("\xe2\x96\x81<");
      if (marked) marked_.emplace_back(text, id);
    }
  }

  std::optional<std::size_t> find(std::string_view text) const {
    for (const auto& [other, id] : marked_) {
      if (other == text) return id;
    }
    return std::nullopt;
  }
  bool has(std::string_view text) const { return find(text).has_value(); }

 private:
  std::vector<std::pair<std::string_view, std::size_t>> marked_;
};

bool is_named(const GgufFile& file, const Part& part, std::size_t tokens) {
  return std::ranges::any_of(
      part.keys, [&](const char* key) { return file.integer(key).value_or(tokens) < tokens; });
}

// The first in the vocabulary.
void add_control_of(const Part& part, const Finder& finder, std::vector<TokenKindBits>& kinds) {
  std::optional<std::size_t> first;
  for (const std::string_view text : part.texts) {
    const std::optional<std::size_t> id = finder.find(text);
    if (id && (!first || *id < *first)) first = id;
  }
  if (first) kinds[*first] |= kControl;
}

}  // namespace

std::vector<TokenKindBits> token_kinds(const GgufFile& file,
                                       const std::vector<std::string_view>& tokens) {
  std::vector<TokenKindBits> kinds(tokens.size(), kNormal);
  if (const auto types = file.integers("tokenizer.ggml.token_type")) {
    if (types->size() < tokens.size()) {
      throw Error(ErrorKind::kModel,
                  file.path() + ": not every token has a type; is the model's file damaged?");
    }
    for (std::size_t id = 0; id < tokens.size(); ++id) kinds[id] = kind_of_type((*types)[id]);
  }
  const Finder finder(tokens);
  for (const Part& part : kParts) {
    if (!is_named(file, part, tokens.size())) add_control_of(part, finder, kinds);
  }
  for (const std::string_view text : kEnds) {
    if (const auto id = finder.find(text)) kinds[*id] |= kControl;
  }
  for (const std::string_view text : kShown) {
    if (const auto id = finder.find(text)) kinds[*id] = kAdded;
  }
  // With these, the end of a turn has another token.
  const bool call = finder.has("<|call|>") || finder.has("<|calls|>");
  if (call && (finder.has("<|return|>") || finder.has("<|flush|>"))) {
    if (const auto id = finder.find("<|end|>")) kinds[*id] = kAdded;
  }
  if (finder.has("<|tool_response>")) {
    if (const auto id = finder.find("</s>")) kinds[*id] = kNormal;
  }
  return kinds;
}

}  // namespace smll::weights
