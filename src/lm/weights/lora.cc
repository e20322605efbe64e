#include "lm/weights/lora.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <map>
#include <optional>

#include "base/fp_env.h"
#include "base/thread_pool.h"
#include "lm/exact/cpu/half.h"
#include "lm/weights/gguf_file.h"
#include "lm/weights/tensor_type.h"
#include "smll/error.h"

namespace smll::weights {

namespace {

// As llama.cpp names them, behind "blk.N.".
constexpr const char* kTensors[kMatrixNames] = {
    "attn_q.weight",   "attn_k.weight", "attn_v.weight",  "attn_output.weight",
    "ffn_gate.weight", "ffn_up.weight", "ffn_down.weight"};

struct Factors {
  const TensorInfo* a = nullptr;  // [rank][inputs]
  const TensorInfo* b = nullptr;  // [outputs][rank]
};

class LoraFile {
 public:
  LoraFile(const std::string& path, const Weights& model, float scale)
      : file_(path), model_(model), scale_(scale) {
    check_kind();
    file_.require_matrices();
    for (const TensorInfo& tensor : file_.tensors()) add(tensor);
    if (factors_.empty()) fail("it has no tensors");
    for (const auto& [place, factors] : factors_) check(place, factors);
  }

  Adapter adapter(int threads) const {
    Adapter result(model_.fingerprint());
    ThreadPool::Client pool(shared_pool(threads));
    for (const auto& [place, factors] : factors_) {
      result.add(model_, place, merged(place, factors, pool));
    }
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::kModel, file_.path() + ": " + what);
  }

  void check_kind() const {
    const std::string type = file_.text("general.type").value_or("");
    const std::string kind = file_.text("adapter.type").value_or("");
    if (type != "adapter" || kind != "lora") {
      fail("this is no LoRA adapter: general.type is '" + type + "' and adapter.type '" + kind +
           "', expected 'adapter' and 'lora'");
    }
    const std::string architecture = file_.text("general.architecture").value_or("");
    if (architecture != model_.spec().architecture) {
      fail("the adapter is for a model of architecture '" + architecture + "', this one's is '" +
           model_.spec().architecture + "'");
    }
  }

  void add(const TensorInfo& tensor) {
    const auto end = tensor.name.rfind('.');
    const std::string part = end == std::string::npos ? "" : tensor.name.substr(end);
    const std::optional<MatrixPlace> place = place_of(tensor.name.substr(0, end));
    if ((part != ".lora_a" && part != ".lora_b") || !place) {
      fail("the adapter changes '" + tensor.name +
           "', and only the layers' attention and feed-forward matrices can be changed");
    }
    if (tensor.type != kF32 && tensor.type != kF16 && tensor.type != kBF16) {
      fail("tensor '" + tensor.name + "' is of type " + type_name(tensor.type) +
           ", expected F32, F16 or BF16");
    }
    (part == ".lora_a" ? factors_[*place].a : factors_[*place].b) = &tensor;
  }

  std::optional<MatrixPlace> place_of(const std::string& name) const {
    const auto layers = static_cast<int>(model_.layers().size());
    for (int layer = 0; layer < layers; ++layer) {
      for (int i = 0; i < kMatrixNames; ++i) {
        if (name == fmt::format("blk.{}.{}", layer, kTensors[i])) {
          return MatrixPlace{layer, static_cast<MatrixName>(i)};
        }
      }
    }
    return std::nullopt;
  }

  std::string name_of(MatrixPlace place) const {
    return fmt::format("blk.{}.{}", place.layer, kTensors[static_cast<int>(place.name)]);
  }

  const PackedMatrix& matrix(MatrixPlace place) const {
    return matrix_of(model_.layers()[place.layer].matrices, place.name);
  }

  void check(MatrixPlace place, const Factors& factors) const {
    if (!factors.a || !factors.b) fail("of '" + name_of(place) + "' it has one factor only");
    const PackedMatrix& of = matrix(place);
    const auto inputs = static_cast<std::size_t>(of.blocks) * exact::kBlock;
    if (factors.a->columns != inputs || factors.b->rows != static_cast<std::size_t>(of.outputs) ||
        factors.a->rows != factors.b->columns) {
      fail(fmt::format(
          "the factors of '{}' are {} x {} and {} x {}, and do not fit a matrix of {} x "
          "{}; is it made for another model?",
          name_of(place), factors.a->columns, factors.a->rows, factors.b->columns, factors.b->rows,
          inputs, of.outputs));
    }
  }

  std::vector<float> values(const TensorInfo& tensor) const {
    std::vector<std::uint8_t> bytes(tensor.bytes());
    file_.read_rows(tensor, 0, tensor.rows, bytes.data());
    std::vector<float> out(tensor.rows * tensor.columns);
    if (tensor.type == kF32) {
      std::memcpy(out.data(), bytes.data(), bytes.size());
    } else {
      const bool half = tensor.type == kF16;
      for (std::size_t i = 0; i < out.size(); ++i) {
        const auto bits = static_cast<std::uint16_t>(bytes[2 * i] | bytes[2 * i + 1] << 8);
        const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
        if (half) {
          out[i] = exact::half_to_float(bits);
        } else {
          std::memcpy(&out[i], &wide, sizeof(wide));
        }
      }
    }
    for (const float value : out) {
      if (!std::isfinite(value)) {
        fail("tensor '" + tensor.name + "' holds values that are not finite");
      }
    }
    return out;
  }

  // The row of the file's matrix that is the model's row o.
  std::size_t file_row(MatrixPlace place, std::size_t o) const {
    const bool heads = place.name == MatrixName::kQuery || place.name == MatrixName::kKey;
    return heads ? row_of_head(model_.spec(), o) : o;
  }

  // The matrix with the product added, output by output.
  PackedMatrix merged(MatrixPlace place, const Factors& factors, ThreadPool::Client& pool) const {
    const PackedMatrix model = in_format(matrix(place), Format::kS8);
    PackedMatrix to(Format::kS8, model.blocks * exact::kBlock, model.outputs);
    const std::vector<float> a = values(*factors.a), b = values(*factors.b);
    const std::size_t inputs = factors.a->columns, rank = factors.a->rows;
    const auto alpha = static_cast<float>(file_.number("adapter.lora.alpha").value_or(0.0));
    const float scale = alpha == 0.0f ? scale_ : scale_ * alpha / static_cast<float>(rank);
    pool.run(static_cast<std::size_t>(to.tiles) * exact::kTile, [&](std::size_t o, int) {
      const auto output = static_cast<int>(o);
      std::vector<S8Block> row(model.blocks);
      unpack(model, output, std::span<S8Block>(row));
      if (output < model.outputs) {
        const float* factor = b.data() + file_row(place, o) * rank;
        std::vector<float> added(inputs), sum(inputs);
        for (std::size_t r = 0; r < rank; ++r) {
          for (std::size_t i = 0; i < inputs; ++i) added[i] += factor[r] * a[r * inputs + i];
        }
        unpack(matrix(place), output, 0, model.blocks, sum.data());
        for (std::size_t i = 0; i < inputs; ++i) sum[i] += scale * added[i];
        for (int k = 0; k < model.blocks; ++k) {
          for (int i = 0; i < exact::kBlock; ++i) {
            if (!std::isfinite(sum[k * exact::kBlock + i])) {
              fail("what it adds to '" + name_of(place) + "' is not finite");
            }
          }
          requantize_on_grid(sum.data() + k * exact::kBlock, row[k].scale, row[k]);
        }
      }
      pack(std::span<const S8Block>(row), output % exact::kTile, to.tile(output / exact::kTile));
    });
    return to;
  }

  GgufFile file_;
  const Weights& model_;
  const float scale_;
  std::map<MatrixPlace, Factors> factors_;
};

}  // namespace

Adapter adapter_from_lora(const std::string& gguf_path, const Weights& model, float scale,
                          int threads) {
  const FpEnv environment;
  return LoraFile(gguf_path, model, scale).adapter(threads);
}

}  // namespace smll::weights
