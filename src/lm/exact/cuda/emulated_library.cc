// libsmll_cuda of tests: the same kernels compiled for the CPU, behind the same interface. Not for
// use: it is much slower than the CPU's own kernels.
#include <atomic>
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
// Of all that use the library: bytes that came back to the host, rows of the largest batch, and how
// often a graph was run. Several queues count.
std::atomic<size_t> downloaded = 0, most_rows = 0, graph_runs = 0;

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

// What is asked for is done at once, so a queue has nothing in it.
int open_queue(int /*device*/, void** queue, Message* /*message*/) {
  *queue = new char;
  return 0;
}

void close_queue(int /*device*/, void* queue) { delete static_cast<char*>(queue); }

int copy(int /*device*/, void* /*queue*/, void* to, const void* from, size_t bytes,
         Message* /*message*/) {
  std::memcpy(to, from, bytes);
  return 0;
}

int download(int device, void* queue, void* to, const void* from, size_t bytes, Message* message) {
  downloaded += bytes;
  return copy(device, queue, to, from, bytes, message);
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

int start(int /*device*/, void* /*queue*/, const Start* start, Message* message) {
  if (start->kernel == kNorm && start->grid.x > most_rows) most_rows = start->grid.x;
  switch (start->kernel) {
#define SMLL_START(number, Args, body)                                    \
  case number:                                                            \
    run<Args>(start->grid, start->args,                                   \
              [](const Block& block, const Args& a) { body(block, a); }); \
    spoil(number, start->args);                                           \
    return 0;
    SMLL_EACH_KERNEL(SMLL_START)
#undef SMLL_START
    default:
      return fail("no such kernel", message);
  }
}

// Starts and their arguments.
struct Graph {
  std::vector<Start> starts;
  std::vector<std::vector<char>> args;
};

int record(int /*device*/, void* /*queue*/, const Start* starts, size_t count, void** graph,
           Message* /*message*/) {
  auto* const made = new Graph;
  for (size_t i = 0; i < count; ++i) {
    const auto* const args = static_cast<const char*>(starts[i].args);
    made->args.emplace_back(args, args + starts[i].arg_bytes);
    made->starts.push_back(starts[i]);
    made->starts.back().args = made->args.back().data();
  }
  *graph = made;
  return 0;
}

int run_graph(int device, void* queue, void* graph, Message* message) {
  ++graph_runs;
  for (const Start& one : static_cast<Graph*>(graph)->starts) {
    if (const int failed = start(device, queue, &one, message)) return failed;
  }
  return 0;
}

void forget(int /*device*/, void* graph) { delete static_cast<Graph*>(graph); }

int finish(int /*device*/, void* /*queue*/, Message* /*message*/) { return 0; }

}  // namespace
}  // namespace smll::exact::cuda

// What the program and tests look up by name.
#define SMLL_LOOKED_UP extern "C" __attribute__((visibility("default")))

SMLL_LOOKED_UP const smll::exact::cuda::Library* smll_cuda_library() {
  using namespace smll::exact::cuda;
  static constexpr Library kLibrary = {
      kAbiVersion, 0,    count, info,     allocate, allocate, release,   release, open_queue,
      close_queue, copy, copy,  download, start,    record,   run_graph, forget,  finish};
  return &kLibrary;
}

// 1: a device that computes products wrong; 2: one that fails the known-answer test; 3: one that
// answers an encoder's questions wrong; 0: none.
SMLL_LOOKED_UP void smll_emulated_fault(int number) {
  smll::exact::cuda::fault = static_cast<smll::exact::cuda::Fault>(number);
}

SMLL_LOOKED_UP size_t smll_emulated_downloaded() { return smll::exact::cuda::downloaded; }
SMLL_LOOKED_UP size_t smll_emulated_most_rows() { return smll::exact::cuda::most_rows.exchange(0); }
SMLL_LOOKED_UP size_t smll_emulated_graph_runs() { return smll::exact::cuda::graph_runs; }

// 0, 1, 2: in which order the threads of a block run.
SMLL_LOOKED_UP void smll_emulated_order(int number) {
  smll::exact::cuda::order = static_cast<smll::exact::cuda::Order>(number);
}
