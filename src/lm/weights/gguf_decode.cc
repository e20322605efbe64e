#include "lm/weights/gguf_decode.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/exact_float.h"
#include "lm/exact/cpu/half.h"
#include "lm/quantize.h"
#include "lm/weights/tensor_type.h"
#include "smll/error.h"

namespace smll::weights {
namespace {

using exact::half_to_float;

std::uint16_t read_u16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>(p[0] | (p[1] << 8));
}
std::uint32_t read_u32(const std::uint8_t* p) {
  return read_u16(p) | (static_cast<std::uint32_t>(read_u16(p + 2)) << 16);
}
float read_half(const std::uint8_t* p) { return half_to_float(read_u16(p)); }

float bits_to_float(std::uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, 4);
  return f;
}

// The fifth bit of value i of a 5-bit block.
int fifth(std::uint32_t high, int i) { return static_cast<int>((high >> i) & 1) << 4; }

void decode_q4_0(const std::uint8_t* p, float* y) {
  const float d = read_half(p);
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>((p[2 + i] & 15) - 8);
    y[16 + i] = d * static_cast<float>((p[2 + i] >> 4) - 8);
  }
}

void decode_q4_1(const std::uint8_t* p, float* y) {
  const float d = read_half(p);
  const float m = read_half(p + 2);
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>(p[4 + i] & 15) + m;
    y[16 + i] = d * static_cast<float>(p[4 + i] >> 4) + m;
  }
}

void decode_q5_0(const std::uint8_t* p, float* y) {
  const float d = read_half(p);
  const std::uint32_t high = read_u32(p + 2);
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>(((p[6 + i] & 15) | fifth(high, i)) - 16);
    y[16 + i] = d * static_cast<float>(((p[6 + i] >> 4) | fifth(high, 16 + i)) - 16);
  }
}

void decode_q5_1(const std::uint8_t* p, float* y) {
  const float d = read_half(p);
  const float m = read_half(p + 2);
  const std::uint32_t high = read_u32(p + 4);
  for (int i = 0; i < 16; ++i) {
    y[i] = d * static_cast<float>((p[8 + i] & 15) | fifth(high, i)) + m;
    y[16 + i] = d * static_cast<float>((p[8 + i] >> 4) | fifth(high, 16 + i)) + m;
  }
}

void decode_q8_0(const std::uint8_t* p, float* y) {
  const float d = read_half(p);
  for (int i = 0; i < 32; ++i) y[i] = d * static_cast<float>(static_cast<std::int8_t>(p[2 + i]));
}

// Super-blocks of 256 values.

void decode_q2_k(const std::uint8_t* p, float* y) {
  const std::uint8_t* scales = p;
  const std::uint8_t* quants = p + 16;
  const float d = read_half(p + 80);
  const float dmin = read_half(p + 82);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;
    const int shift = 2 * ((i / 32) % 4);
    const int q = (quants[32 * half + i % 32] >> shift) & 3;
    const int s = scales[i / 16];
    y[i] =
        d * static_cast<float>(s & 15) * static_cast<float>(q) - dmin * static_cast<float>(s >> 4);
  }
}

void decode_q3_k(const std::uint8_t* p, float* y) {
  const std::uint8_t* high = p;
  const std::uint8_t* quants = p + 32;
  const std::uint8_t* packed = p + 96;
  const float d = read_half(p + 108);
  for (int i = 0; i < 256; ++i) {
    const int g = i / 16;
    const int low4 = g < 8 ? packed[g] & 15 : packed[g - 8] >> 4;
    const int high2 = (packed[8 + g % 4] >> (2 * (g / 4))) & 3;
    const int scale = (low4 | (high2 << 4)) - 32;
    const int shift = 2 * ((i / 32) % 4);
    const int q = (quants[32 * (i / 128) + i % 32] >> shift) & 3;
    const int bit = (high[i % 32] >> (i / 32)) & 1;
    y[i] = d * static_cast<float>(scale) * static_cast<float>(q - (bit ? 0 : 4));
  }
}

// The 6-bit scale and minimum of sub-block j of Q4_K and Q5_K.
void scale_and_min(const std::uint8_t* packed, int j, float* scale, float* minimum) {
  int s, m;
  if (j < 4) {
    s = packed[j] & 63;
    m = packed[j + 4] & 63;
  } else {
    s = (packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4);
    m = (packed[j + 4] >> 4) | ((packed[j] >> 6) << 4);
  }
  *scale = static_cast<float>(s);
  *minimum = static_cast<float>(m);
}

// Q4_K and Q5_K differ in the fifth bits only.
void decode_q45_k(const std::uint8_t* p, bool five, float* y) {
  const float d = read_half(p);
  const float dmin = read_half(p + 2);
  const std::uint8_t* high = p + 16;
  const std::uint8_t* quants = p + (five ? 48 : 16);
  for (int j = 0; j < 8; ++j) {
    float scale, minimum;
    scale_and_min(p + 4, j, &scale, &minimum);
    for (int i = 0; i < 32; ++i) {
      const int byte = quants[32 * (j / 2) + i];
      int q = j % 2 ? byte >> 4 : byte & 15;
      if (five) q |= ((high[i] >> j) & 1) << 4;
      y[32 * j + i] = d * scale * static_cast<float>(q) - dmin * minimum;
    }
  }
}
void decode_q4_k(const std::uint8_t* p, float* y) { decode_q45_k(p, false, y); }
void decode_q5_k(const std::uint8_t* p, float* y) { decode_q45_k(p, true, y); }

void decode_q6_k(const std::uint8_t* p, float* y) {
  const float d = read_half(p + 208);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;
    const int part = (i / 32) % 4;
    const int byte = p[64 * half + 32 * (part % 2) + i % 32];
    const int low = part < 2 ? byte & 15 : byte >> 4;
    const int high = (p[128 + 32 * half + i % 32] >> (2 * part)) & 3;
    // The scale has a sign. NOLINTNEXTLINE(bugprone-signed-char-misuse)
    const int scale = static_cast<std::int8_t>(p[192 + i / 16]);
    y[i] = d * static_cast<float>(scale) * static_cast<float>((low | (high << 4)) - 32);
  }
}

void decode_f32(const std::uint8_t* p, float* y) { std::memcpy(y, p, 4 * 32); }
void decode_f16(const std::uint8_t* p, float* y) {
  for (int i = 0; i < 32; ++i) y[i] = read_half(p + 2 * i);
}
void decode_bf16(const std::uint8_t* p, float* y) {
  for (int i = 0; i < 32; ++i)
    y[i] = bits_to_float(static_cast<std::uint32_t>(read_u16(p + 2 * i)) << 16);
}

struct Decoder {
  TensorType type;
  int values;  // a block
  int bytes;
  void (*decode)(const std::uint8_t* block, float* out);
};

// F32, F16 and BF16 have no blocks; groups of 32 suit the rest of the engine.
constexpr Decoder kDecoders[] = {
    {kF32, 32, 128, decode_f32},    {kF16, 32, 64, decode_f16},     {kBF16, 32, 64, decode_bf16},
    {kQ4_0, 32, 18, decode_q4_0},   {kQ4_1, 32, 20, decode_q4_1},   {kQ5_0, 32, 22, decode_q5_0},
    {kQ5_1, 32, 24, decode_q5_1},   {kQ8_0, 32, 34, decode_q8_0},   {kQ2_K, 256, 84, decode_q2_k},
    {kQ3_K, 256, 110, decode_q3_k}, {kQ4_K, 256, 144, decode_q4_k}, {kQ5_K, 256, 176, decode_q5_k},
    {kQ6_K, 256, 210, decode_q6_k},
};

const Decoder& decoder_of(const TensorInfo& tensor) {
  for (const Decoder& decoder : kDecoders) {
    if (decoder.type != tensor.type) continue;
    if (tensor.columns % decoder.values != 0) {
      throw Error(ErrorKind::kModel,
                  "tensor '" + tensor.name + "' has " + std::to_string(tensor.columns) +
                      " columns, not a multiple of " + std::to_string(decoder.values));
    }
    return decoder;
  }
  throw Error(ErrorKind::kModel, "tensor '" + tensor.name + "' has type " + type_name(tensor.type) +
                                     ", which the exact engine does not read; try --backend llama");
}

bool finite_half(std::uint16_t h) { return (h & 0x7c00) != 0x7c00; }

void require_finite(bool finite, const TensorInfo& tensor) {
  if (!finite) {
    throw Error(ErrorKind::kModel, "tensor '" + tensor.name + "' holds values that are not finite");
  }
}

// Minus eight times a half, as a half; only called when that cannot overflow.
std::uint16_t minus_eight_times(std::uint16_t h) {
  const std::uint16_t sign = static_cast<std::uint16_t>(~h & 0x8000);
  std::uint16_t magnitude = h & 0x7fff;
  // Subnormals double by shifting until they are normal, whose exponent then counts up.
  for (int i = 0; i < 3; ++i) {
    magnitude = static_cast<std::uint16_t>(magnitude < 0x400 ? magnitude * 2 : magnitude + 0x400);
  }
  return sign | magnitude;
}

// Q8_0 stays as it is unless it holds -128, which kernels must never see.
bool take_q8_0(const std::uint8_t* p, S8Block* out) {
  std::memcpy(out->q, p + 2, 32);
  out->scale = read_half(p);
  int lowest = 0;
  for (int i = 0; i < 32; ++i) lowest = out->q[i] < lowest ? out->q[i] : lowest;
  return lowest >= -127;
}

void take_q5_0(const std::uint8_t* p, S8Block* out) {
  const std::uint32_t high = read_u32(p + 2);
  out->scale = read_half(p);
  for (int i = 0; i < 16; ++i) {
    out->q[i] = static_cast<std::int8_t>(((p[6 + i] & 15) | fifth(high, i)) - 16);
    out->q[16 + i] = static_cast<std::int8_t>(((p[6 + i] >> 4) | fifth(high, 16 + i)) - 16);
  }
}

}  // namespace

Format format_of(const TensorInfo& tensor) {
  decoder_of(tensor);
  return tensor.type == kQ4_0 || tensor.type == kQ4_1 ? Format::kU4 : Format::kS8;
}

void decode_row(const TensorInfo& tensor, const std::uint8_t* p, U4Block* out) {
  const bool has_minimum = tensor.type == kQ4_1;
  bool finite = true;
  for (std::size_t b = 0; b < tensor.columns / 32; ++b) {
    out[b].d = read_u16(p);
    if (has_minimum) {
      out[b].m = read_u16(p + 2);
    } else {
      finite = finite && (out[b].d & 0x7fff) < 0x7000;  // |d| < 8192, so that -8d is finite
      out[b].m = minus_eight_times(out[b].d);
    }
    finite = finite && finite_half(out[b].d) && finite_half(out[b].m);
    std::memcpy(out[b].nibbles, p + (has_minimum ? 4 : 2), 16);
    p += has_minimum ? 20 : 18;
  }
  require_finite(finite, tensor);
}

void decode_row(const TensorInfo& tensor, const std::uint8_t* p, S8Block* out) {
  const Decoder& decoder = decoder_of(tensor);
  bool finite = true;
  float values[256];
  for (std::size_t i = 0; i < tensor.columns; i += decoder.values, p += decoder.bytes) {
    S8Block* block = out + i / 32;
    if (tensor.type == kQ5_0) {
      take_q5_0(p, block);
    } else if (tensor.type != kQ8_0 || !take_q8_0(p, block)) {
      decoder.decode(p, values);
      for (int v = 0; v < decoder.values; ++v) finite = finite && std::isfinite(values[v]);
      if (!finite) break;
      for (int b = 0; b < decoder.values / 32; ++b) requantize(values + 32 * b, block + b);
    }
    finite = finite && std::isfinite(block->scale);
  }
  require_finite(finite, tensor);
}

void decode_row(const TensorInfo& tensor, const std::uint8_t* p, float* out) {
  const Decoder& decoder = decoder_of(tensor);
  bool finite = true;
  for (std::size_t i = 0; i < tensor.columns; i += decoder.values, p += decoder.bytes) {
    decoder.decode(p, out + i);
    for (int v = 0; v < decoder.values; ++v) finite = finite && std::isfinite(out[i + v]);
  }
  require_finite(finite, tensor);
}

void requantize(const float* x, S8Block* out) { out->scale = quantize(x, sizeof out->q, out->q); }

void expand(const U4Block& block, float* out) {
  const float d = half_to_float(block.d);
  const float m = half_to_float(block.m);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(block.nibbles[i] & 15) + m;
    out[16 + i] = d * static_cast<float>(block.nibbles[i] >> 4) + m;
  }
}

void expand(const S8Block& block, float* out) {
  for (int i = 0; i < 32; ++i) out[i] = block.scale * static_cast<float>(block.q[i]);
}

}  // namespace smll::weights
