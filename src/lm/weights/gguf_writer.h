// Writes GGUF files, for tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "lm/exact/cpu/half.h"
#include "lm/weights/tensor_type.h"

namespace smll::weights {

class GgufWriter {
 public:
  void set(const std::string& key, const std::string& text) {
    begin(key, 8);
    add(metadata_, text);
  }
  void set(const std::string& key, const char* text) { set(key, std::string(text)); }
  void set(const std::string& key, std::uint32_t number) { set_plain(key, 4, number); }
  void set(const std::string& key, std::uint16_t number) { set_plain(key, 2, number); }
  void set(const std::string& key, float number) { set_plain(key, 6, number); }
  void set(const std::string& key, bool flag) {
    set_plain(key, 7, static_cast<std::uint8_t>(flag));
  }
  void set(const std::string& key, const std::vector<std::string>& texts) {
    begin_array(key, 8, texts.size());
    for (const std::string& text : texts) add(metadata_, text);
  }
  void set(const std::string& key, const std::vector<std::int32_t>& numbers) {
    begin_array(key, 5, numbers.size());
    for (const std::int32_t number : numbers) add(metadata_, number);
  }
  void set(const std::string& key, const std::vector<float>& numbers) {
    begin_array(key, 6, numbers.size());
    for (const float number : numbers) add(metadata_, number);
  }

  // Values row by row, quantized as ggml does.
  void add_tensor(const std::string& name, TensorType type, std::size_t columns, std::size_t rows,
                  std::span<const float> values) {
    add(infos_, name);
    add(infos_, std::uint32_t{rows == 1 ? 1u : 2u});
    add(infos_, std::uint64_t{columns});
    if (rows != 1) add(infos_, std::uint64_t{rows});
    add(infos_, std::uint32_t{type});
    add(infos_, std::uint64_t{data_.size()});
    quantize(type, values);
    data_.resize((data_.size() + kAlignment - 1) / kAlignment * kAlignment);
    ++tensors_;
  }

  void write(const std::string& path) const {
    std::string head = "GGUF";
    add(head, std::uint32_t{3});
    add(head, std::uint64_t{tensors_});
    add(head, std::uint64_t{entries_});
    head += metadata_ + infos_;
    head.resize((head.size() + kAlignment - 1) / kAlignment * kAlignment);
    std::ofstream file(path, std::ios::binary);
    if (!(file << head << data_)) throw std::runtime_error(path + " cannot be written");
  }

 private:
  static constexpr std::size_t kAlignment = 32;
  static constexpr std::size_t kBlock = 32;

  template <typename T>
  static void add(std::string& to, T value) {
    to.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  static void add(std::string& to, const std::string& text) {
    add(to, std::uint64_t{text.size()});
    to += text;
  }
  void begin(const std::string& key, std::uint32_t type) {
    add(metadata_, key);
    add(metadata_, type);
    ++entries_;
  }
  void begin_array(const std::string& key, std::uint32_t type, std::size_t size) {
    begin(key, 9);
    add(metadata_, type);
    add(metadata_, std::uint64_t{size});
  }
  template <typename T>
  void set_plain(const std::string& key, std::uint32_t type, T value) {
    begin(key, type);
    add(metadata_, value);
  }

  void quantize(TensorType type, std::span<const float> values) {
    if (type == kF32) {
      for (const float value : values) add(data_, value);
      return;
    }
    for (std::size_t at = 0; at < values.size(); at += kBlock) {
      const std::span<const float> block = values.subspan(at, kBlock);
      if (type == kQ4_0) {
        q4_0(block);
      } else if (type == kQ4_1) {
        q4_1(block);
      } else if (type == kQ8_0) {
        q8_0(block);
      } else {
        throw std::runtime_error("no quantizer");
      }
    }
  }
  void add_half(float value) { add(data_, exact::float_to_half(value)); }
  template <typename Quant>
  void add_nibbles(std::span<const float> block, const Quant& quant) {
    for (std::size_t i = 0; i < kBlock / 2; ++i) {
      add(data_, static_cast<std::uint8_t>(quant(block[i]) | quant(block[i + kBlock / 2]) << 4));
    }
  }
  void q4_0(std::span<const float> block) {
    float largest = 0.0f;  // with its sign
    for (const float value : block) {
      if (std::abs(value) > std::abs(largest)) largest = value;
    }
    const float scale = largest / -8.0f;
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    add_half(scale);
    add_nibbles(
        block, [&](float value) { return std::min(15, static_cast<int>(value * inverse + 8.5f)); });
  }
  void q4_1(std::span<const float> block) {
    const auto [low, high] = std::minmax_element(block.begin(), block.end());
    const float scale = (*high - *low) / 15.0f;
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    add_half(scale);
    add_half(*low);
    add_nibbles(block, [&, least = *low](float value) {
      // As ggml rounds. NOLINTNEXTLINE(bugprone-incorrect-roundings)
      return std::min(15, static_cast<int>((value - least) * inverse + 0.5f));
    });
  }
  void q8_0(std::span<const float> block) {
    float largest = 0.0f;
    for (const float value : block) largest = std::max(largest, std::abs(value));
    const float scale = largest / 127.0f;
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    add_half(scale);
    for (const float value : block) {
      add(data_, static_cast<std::int8_t>(std::round(value * inverse)));
    }
  }

  std::string metadata_, infos_, data_;
  std::uint64_t entries_ = 0, tensors_ = 0;
};

}  // namespace smll::weights
