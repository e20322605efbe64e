#include "lm/weights/tensor_type.h"

namespace smll::weights {
namespace {

constexpr TensorLayout kLayouts[] = {
    {kF32, "f32", 1, 4},       {kF16, "f16", 1, 2},       {kQ4_0, "q4_0", 32, 18},
    {kQ4_1, "q4_1", 32, 20},   {kQ5_0, "q5_0", 32, 22},   {kQ5_1, "q5_1", 32, 24},
    {kQ8_0, "q8_0", 32, 34},   {9, "q8_1", 32, 36},       {kQ2_K, "q2_K", 256, 84},
    {kQ3_K, "q3_K", 256, 110}, {kQ4_K, "q4_K", 256, 144}, {kQ5_K, "q5_K", 256, 176},
    {kQ6_K, "q6_K", 256, 210}, {15, "q8_K", 256, 292},    {16, "iq2_xxs", 256, 66},
    {17, "iq2_xs", 256, 74},   {18, "iq3_xxs", 256, 98},  {19, "iq1_s", 256, 50},
    {20, "iq4_nl", 32, 18},    {21, "iq3_s", 256, 110},   {22, "iq2_s", 256, 82},
    {23, "iq4_xs", 256, 136},  {24, "i8", 1, 1},          {25, "i16", 1, 2},
    {26, "i32", 1, 4},         {27, "i64", 1, 8},         {28, "f64", 1, 8},
    {29, "iq1_m", 256, 56},    {kBF16, "bf16", 1, 2},     {34, "tq1_0", 256, 54},
    {35, "tq2_0", 256, 66},    {39, "mxfp4", 32, 17},     {40, "nvfp4", 64, 36},
    {41, "q1_0", 128, 18},     {42, "q2_0", 64, 18},
};

}  // namespace

const TensorLayout* layout_of(std::uint32_t type) {
  for (const TensorLayout& layout : kLayouts) {
    if (layout.type == type) return &layout;
  }
  return nullptr;
}

const char* type_name(std::uint32_t type) {
  const TensorLayout* layout = layout_of(type);
  return layout ? layout->name : "unknown";
}

}  // namespace smll::weights
