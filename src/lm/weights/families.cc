#include "lm/weights/families.h"

#include <cmath>
#include <cstdint>
#include <optional>

#include "smll/error.h"

namespace smll::weights {
namespace {

// Of any dimension that metadata tell; products of two fit 64 bits.
constexpr int kMaxWidth = 1 << 24;

// The values of one family's keys, checked.
class Metadata {
 public:
  Metadata(const GgufFile& file, const std::string& family) : file_(file), prefix_(family + ".") {}

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::kModel, file_.path() + ": " + what);
  }
  [[noreturn]] void out_of_range(const std::string& key) const {
    fail("metadata " + prefix_ + key + " is out of range");
  }

  // From 1 on. Without a fallback the key must be there.
  int integer(const std::string& key, int fallback = -1) const {
    const std::optional<std::uint64_t> value = file_.integer(prefix_ + key);
    if (!value && fallback < 0) fail("metadata " + prefix_ + key + " is missing");
    if (value && (*value == 0 || *value > kMaxWidth)) out_of_range(key);
    return value ? static_cast<int>(*value) : fallback;
  }
  double number(const std::string& key, double fallback) const {
    return file_.number(prefix_ + key).value_or(fallback);
  }
  // A factor of what the model computes.
  float factor(const std::string& key, float fallback) const {
    const double value = number(key, fallback);
    if (!(std::abs(value) > 1e-9 && std::abs(value) < 1e9)) out_of_range(key);
    return static_cast<float>(value);
  }
  double rotary_base(const std::string& key, double fallback) const {
    const double base = number(key, fallback);
    if (!(base > 1.0) || !(base < 1e12)) out_of_range(key);
    return base;
  }
  // Whether it is there and false.
  bool denied(const std::string& key) const { return !file_.boolean(prefix_ + key).value_or(true); }
  std::string text(const std::string& key, const std::string& fallback) const {
    return file_.text(prefix_ + key).value_or(fallback);
  }
  std::uint64_t count(const std::string& key) const {
    return file_.integer(prefix_ + key).value_or(0);
  }
  // One for each layer, where the key is an array of truth values.
  std::optional<std::vector<bool>> flags(const std::string& key) const {
    return file_.booleans(prefix_ + key);
  }

 private:
  const GgufFile& file_;
  std::string prefix_;
};

void read_plain(const Metadata& /*metadata*/, ModelSpec& /*spec*/) {}

void read_granite(const Metadata& metadata, ModelSpec& spec) {
  spec.embedding_scale = metadata.factor("embedding_scale", 1.0f);
  spec.residual_scale = metadata.factor("residual_scale", 1.0f);
  spec.attention_scale = metadata.factor("attention.scale", spec.attention_scale);
  spec.logit_scale = 1.0f / metadata.factor("logit_scale", 1.0f);
  if (metadata.denied("rope.scaling.finetuned")) {
    for (LayerSpec& layer : spec.layers) layer.rotation = LayerSpec::kNotRotated;
  }
}

// Every fourth layer is not rotated.
void read_smollm3(const Metadata& /*metadata*/, ModelSpec& spec) {
  for (std::size_t i = 3; i < spec.layers.size(); i += 4) {
    spec.layers[i].rotation = LayerSpec::kNotRotated;
  }
}

// Layers see a local window, with a rotation of their own, but for every sixth (or as told).
void read_gemma3(const Metadata& metadata, ModelSpec& spec) {
  constexpr std::size_t kLargest = 62;  // layers of the model with another scale of scores
  spec.embedding_scale = std::sqrt(static_cast<float>(spec.width));
  if (spec.layers.size() == kLargest) {
    const int share = spec.width / spec.heads;
    spec.attention_scale = 1.0f / std::sqrt(static_cast<float>(share));
  }
  if (metadata.number("final_logit_softcapping", 0.0) != 0.0) {
    spec.logit_cap = metadata.factor("final_logit_softcapping", 1.0f);
  }
  if (metadata.count("attention.sliding_window") == 0) return;
  const int window = metadata.integer("attention.sliding_window");
  const auto told = metadata.flags("attention.sliding_window_pattern");
  const int period = metadata.integer("attention.sliding_window_pattern", 6);
  if (told && told->size() < spec.layers.size()) {
    metadata.out_of_range("attention.sliding_window_pattern");
  }
  Rotation local = spec.rotations.front();
  local.base = metadata.rotary_base("rope.freq_base_swa", 10000.0);
  local.scale = 1.0;
  spec.rotations.push_back(local);
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const int place = static_cast<int>(i % static_cast<std::size_t>(period));
    if (told ? (*told)[i] : place < period - 1) spec.layers[i] = {1, window};
  }
}

struct Family {
  const char* name;
  RotaryPairs pairs;
  Activation activation;
  bool query_key_norms;
  bool post_norms;
  // What is more than the keys that all have.
  void (*read)(const Metadata& metadata, ModelSpec& spec);
};

constexpr auto kNeighbours = RotaryPairs::kNeighbours;
constexpr auto kHalves = RotaryPairs::kHalves;
constexpr auto kSilu = Activation::kSilu;
constexpr auto kGelu = Activation::kGelu;

constexpr Family kFamilies[] = {
    // name, rotary pairs, activation, query and key norms, post norms
    {"llama", kNeighbours, kSilu, false, false, read_plain},
    {"qwen2", kHalves, kSilu, false, false, read_plain},
    {"qwen3", kHalves, kSilu, true, false, read_plain},
    {"gemma3", kHalves, kGelu, true, true, read_gemma3},
    {"granite", kNeighbours, kSilu, false, false, read_granite},
    {"smollm3", kNeighbours, kSilu, false, false, read_smollm3},
};

const Family& family_of(const GgufFile& file) {
  const std::string architecture = file.text("general.architecture").value_or("unknown");
  for (const Family& family : kFamilies) {
    if (architecture == family.name) return family;
  }
  throw Error(ErrorKind::kModel,
              file.path() + ": the exact engine does not know the architecture '" + architecture +
                  "', only " + known_families() + "; use --backend llama");
}

// Before the family's own keys: all layers rotate alike.
Rotation read_rotation(const Metadata& metadata, int head_dim) {
  Rotation rotation;
  rotation.dims = metadata.integer("rope.dimension_count", head_dim);
  if (rotation.dims > head_dim || rotation.dims % 2 != 0) {
    metadata.out_of_range("rope.dimension_count");
  }
  rotation.base = metadata.rotary_base("rope.freq_base", 10000.0);
  const std::string type = metadata.text("rope.scaling.type", "linear");
  if (type == "linear") {
    const double older = metadata.number("rope.scale_linear", 1.0);
    const double factor = metadata.number("rope.scaling.factor", older);
    if (!(factor >= 1.0 && factor < 1e6)) metadata.out_of_range("rope.scaling.factor");
    rotation.scale = 1.0 / factor;
  } else if (type != "none") {
    metadata.fail("rotary scaling '" + type + "' needs --backend llama");
  }
  return rotation;
}

void check_dimensions(const Metadata& metadata, const GgufFile& file, const ModelSpec& spec) {
  if (metadata.count("expert_count") > 0) {
    metadata.fail("mixture-of-experts models need --backend llama");
  }
  if (spec.heads % spec.kv_heads != 0 || spec.head_dim % 32 != 0 || spec.head_dim > 512 ||
      spec.width % 32 != 0 || spec.ffn_width % 32 != 0 ||
      metadata.integer("attention.value_length", spec.head_dim) != spec.head_dim) {
    metadata.fail("the exact engine does not support this model's dimensions; use --backend llama");
  }
  // Each layer has tensors; memory is not to follow a number alone.
  if (static_cast<std::size_t>(metadata.integer("block_count")) > file.tensors().size() ||
      static_cast<std::int64_t>(spec.heads) * spec.head_dim > kMaxWidth) {
    metadata.fail("the metadata tell of more layers or heads than the tensors have");
  }
}

}  // namespace

std::string known_families() {
  std::string names;
  for (const Family& family : kFamilies) {
    names += (names.empty() ? "" : ", ") + std::string(family.name);
  }
  return names;
}

ModelSpec read_spec(const GgufFile& file) {
  const Family& family = family_of(file);
  const Metadata metadata(file, family.name);
  ModelSpec spec;
  spec.architecture = family.name;
  spec.activation = family.activation;
  spec.pairs = family.pairs;
  spec.query_key_norms = family.query_key_norms;
  spec.post_norms = family.post_norms;
  // Archives that llama models wrote while they learned hold their steps as they are.
  spec.rate_by_weights = &family != kFamilies;
  const int layers = metadata.integer("block_count");
  spec.width = metadata.integer("embedding_length");
  spec.ffn_width = metadata.integer("feed_forward_length");
  spec.heads = metadata.integer("attention.head_count");
  spec.kv_heads = metadata.integer("attention.head_count_kv", spec.heads);
  spec.head_dim = metadata.integer("attention.key_length", spec.width / spec.heads);
  spec.trained_context = metadata.integer("context_length", 2048);
  spec.rms_epsilon = static_cast<float>(metadata.number("attention.layer_norm_rms_epsilon", 1e-5));
  check_dimensions(metadata, file, spec);
  spec.attention_scale = 1.0f / std::sqrt(static_cast<float>(spec.head_dim));
  spec.rotations.push_back(read_rotation(metadata, spec.head_dim));
  spec.layers.resize(static_cast<std::size_t>(layers));
  family.read(metadata, spec);
  const TensorInfo* embedding = file.find("token_embd.weight");
  if (!embedding) metadata.fail("tensor 'token_embd.weight' is missing");
  spec.vocabulary = static_cast<int>(embedding->rows);
  return spec;
}

}  // namespace smll::weights
