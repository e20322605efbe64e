// libsmll_cuda of tests: the same kernels compiled for the CPU, behind the same interface. Not for
// use: it is much slower than the CPU's own kernels.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "lm/exact/cuda/kernels.h"

namespace smll::exact::cuda {
namespace {

// As tests set them.
Order order = Order::kForward;
enum class Fault { kNone, kProduct, kCheck, kSomeDecisions } fault = Fault::kNone;
// Bytes that came back to the host.
size_t downloaded = 0;

// What a device would compute whose first results are wrong.
void spoil_first(void* result) {
  uint32_t bits;
  std::memcpy(&bits, result, 4);
  bits ^= 0x400000;
  std::memcpy(result, &bits, 4);
}

void spoil(Kernel kernel, const void* args) {
  if (fault == Fault::kProduct && kernel <= kProduct8) {
    spoil_first(static_cast<const ProductArgs*>(args)->out);
  }
  if (fault == Fault::kCheck && kernel == kCheck) {
    spoil_first(static_cast<const CheckArgs*>(args)->results);
  }
  if (fault == Fault::kSomeDecisions && kernel == kSomeDecisions) {
    *static_cast<const SomeDecisionsArgs*>(args)->results ^= 0x4000;
  }
}

int fail(const char* what, Message* message) {
  std::snprintf(message->text, sizeof message->text, "%s", what);
  return 1;
}

int count(int* devices, Message* /*message*/) {
  *devices = 1;
  return 0;
}

int info(int device, DeviceInfo* info, Message* message) {
  if (device != 0) return fail("there is no such device", message);
  std::snprintf(info->name, sizeof info->name, "emulated");
  info->major = 9;
  info->minor = 0;
  info->memory = uint64_t{1} << 32;
  info->max_shared = 16 << 10;  // little, so that windows of tests are too long for it
  return 0;
}

// Of exactly this size, so that sanitizers see what is read beyond it, and filled with what shows
// where it is used unwritten: a NaN as a float.
int allocate(int /*device*/, size_t bytes, void** memory, Message* message) {
  *memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (!*memory) return fail("out of memory", message), kNoMemory;
  std::memset(*memory, 0xff, bytes);
  return 0;
}

void release(int /*device*/, void* memory) { std::free(memory); }

int copy(int /*device*/, void* to, const void* from, size_t bytes, Message* /*message*/) {
  std::memcpy(to, from, bytes);
  return 0;
}

int download(int device, void* to, const void* from, size_t bytes, Message* message) {
  downloaded += bytes;
  return copy(device, to, from, bytes, message);
}

template <class Args, class Body>
void run(const Grid& grid, const void* args, Body body) {
  for (uint32_t y = 0; y < grid.y; ++y) {
    for (uint32_t x = 0; x < grid.x; ++x) {
      // Of each block anew: nothing is left from another.
      std::vector<unsigned char> shared(grid.shared, 0xff);
      const Block block{x, y, static_cast<int>(grid.threads), shared.data(), order};
      body(block, *static_cast<const Args*>(args));
    }
  }
}

int start(int /*device*/, Kernel kernel, const Grid* grid, const void* args, Message* message) {
  switch (kernel) {
#define SMLL_START(number, Args, body)                                                 \
  case number:                                                                         \
    run<Args>(*grid, args, [](const Block& block, const Args& a) { body(block, a); }); \
    spoil(number, args);                                                               \
    return 0;
    SMLL_EACH_KERNEL(SMLL_START)
#undef SMLL_START
    default:
      return fail("no such kernel", message);
  }
}

int finish(int /*device*/, Message* /*message*/) { return 0; }

}  // namespace
}  // namespace smll::exact::cuda

// What the program and tests look up by name.
#define SMLL_LOOKED_UP extern "C" __attribute__((visibility("default")))

SMLL_LOOKED_UP const smll::exact::cuda::Library* smll_cuda_library() {
  using namespace smll::exact::cuda;
  static constexpr Library kLibrary = {kAbiVersion, 0,       count,   info, allocate,
                                       allocate,    release, release, copy, copy,
                                       download,    start,   finish};
  return &kLibrary;
}

// 1: a device that computes products wrong; 2: one that fails the known-answer test; 3: one that
// answers an encoder's questions wrong; 0: none.
SMLL_LOOKED_UP void smll_emulated_fault(int number) {
  smll::exact::cuda::fault = static_cast<smll::exact::cuda::Fault>(number);
}

// So far, of all that use the library.
SMLL_LOOKED_UP size_t smll_emulated_downloaded() { return smll::exact::cuda::downloaded; }

// 0, 1, 2: in which order the threads of a block run.
SMLL_LOOKED_UP void smll_emulated_order(int number) {
  smll::exact::cuda::order = static_cast<smll::exact::cuda::Order>(number);
}
