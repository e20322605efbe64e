// What happens to each row by itself: norms, residual sums, activations, logits.
#pragma once

#include "lm/exact/cuda/abi.h"
#include "lm/exact/cuda/arithmetic.h"

namespace smll::exact::cuda {

// A block a row.
SMLL_DEVICE void norm(const Block& block, const NormArgs& args) {
  auto* const x = reinterpret_cast<float*>(block.shared);
  float* const lanes = x + args.width;
  const uint64_t row = block.x;
  const float* const stream = args.stream + row * args.width;
  block.each([&](int t) {
    for (int i = t; i < args.width; i += block.threads) x[i] = stream[i];
  });
  find_rms_factor(block, x, args.width, args.epsilon, lanes);
  block.each([&](int t) {
    for (int i = t; i < args.width; i += block.threads) {
      x[i] = mul(mul(x[i], lanes[kLanes]), args.weight[i]);
    }
  });
  const uint64_t at = row * args.out.blocks;
  quantize(block, x, args.width, args.out.q8 + at * kBlock, args.out.scales + at);
}

// A block a row.
SMLL_DEVICE void add_branch(const Block& block, const AddArgs& args) {
  auto* const lanes = reinterpret_cast<float*>(block.shared);
  const uint64_t row = block.x;
  float* const x = args.branch + row * args.width;
  float* const stream = args.stream + row * args.width;
  if (args.bias) {
    block.each([&](int t) {
      for (int i = t; i < args.width; i += block.threads) x[i] = add(x[i], args.bias[i]);
    });
  }
  if (args.post_norm) {
    find_rms_factor(block, x, args.width, args.epsilon, lanes);
    block.each([&](int t) {
      for (int i = t; i < args.width; i += block.threads) {
        x[i] = mul(mul(x[i], lanes[kLanes]), args.post_norm[i]);
      }
    });
  }
  block.each([&](int t) {
    for (int i = t; i < args.width; i += block.threads) {
      const float value = args.scale != 1.0f ? mul(x[i], args.scale) : x[i];
      stream[i] = add(stream[i], value);
    }
  });
}

// Block x: as many elements of a row as it has threads, a multiple of 32; block y: the row.
SMLL_DEVICE void activate(const Block& block, const ActivateArgs& args) {
  auto* const x = reinterpret_cast<float*>(block.shared);
  const uint64_t row = block.y;
  const int first = static_cast<int>(block.x) * block.threads;
  const int rest = args.width - first;
  const int count = rest < block.threads ? rest : block.threads;
  const float* const gate = args.gate_up + row * 2 * args.width + first;
  const float* const up = gate + args.width;
  block.each([&](int t) {
    if (t < count) x[t] = mul(args.gelu ? gelu(gate[t]) : silu(gate[t]), up[t]);
  });
  const uint64_t at = row * args.out.blocks + first / kBlock;
  quantize(block, x, count, args.out.q8 + at * kBlock, args.out.scales + at);
}

SMLL_DEVICE void finish_logits(const Block& block, const LogitsArgs& args) {
  block.each([&](int t) {
    const uint64_t i = static_cast<uint64_t>(block.x) * block.threads + t;
    if (i >= args.count) return;
    float x = args.logits[i];
    if (args.scale != 1.0f) x = mul(x, args.scale);
    if (args.cap != 0.0f) x = cap(x, args.cap);
    args.logits[i] = x;
  });
}

}  // namespace smll::exact::cuda
