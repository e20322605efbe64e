// All kernels, for the libraries that run them: of CUDA (library.cu) and of tests
// (emulated_library.cc).
#pragma once

#include "lm/exact/cuda/attend.h"
#include "lm/exact/cuda/check.h"
#include "lm/exact/cuda/decisions.h"
#include "lm/exact/cuda/decode.h"
#include "lm/exact/cuda/product.h"
#include "lm/exact/cuda/rows.h"
#include "lm/exact/cuda/store.h"

// KERNEL(its number, its arguments, its body)
#define SMLL_EACH_KERNEL(KERNEL)                            \
  KERNEL(kProduct1, ProductArgs, product<1>)                \
  KERNEL(kProduct4, ProductArgs, product<4>)                \
  KERNEL(kProduct8, ProductArgs, product<8>)                \
  KERNEL(kNorm, NormArgs, norm)                             \
  KERNEL(kAddBranch, AddArgs, add_branch)                   \
  KERNEL(kStore, StoreArgs, store)                          \
  KERNEL(kAttend, AttendArgs, attend)                       \
  KERNEL(kActivate, ActivateArgs, activate)                 \
  KERNEL(kLogits, LogitsArgs, finish_logits)                \
  KERNEL(kFrequencies, Frequencies, frequencies)            \
  KERNEL(kSomeDecisions, SomeDecisionsArgs, some_decisions) \
  KERNEL(kAllDecisions, AllDecisionsArgs, all_decisions)    \
  KERNEL(kDecode, DecodeArgs, decode)                       \
  KERNEL(kCheck, CheckArgs, check)
