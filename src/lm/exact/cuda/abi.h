// What the engine asks of libsmll_cuda: a device's memory, and kernels that are started on it.
// Plain C types, one version number for all of this file: the program loads the library at run
// time, and takes one of its own version only. All the engine's logic is in the program; the
// library knows arrays and kernels (kernels.h).
//
// Every function of Library returns 0, kNoMemory, or another number, after writing what went wrong
// to `message`. Work in one queue happens in the order in which it was asked for; queues of a
// device know nothing of each other.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace smll::exact::cuda {

// Changes with anything in this file.
inline constexpr uint32_t kAbiVersion = 3;
// What a function returns that has no memory left.
inline constexpr int kNoMemory = 2;
inline constexpr char kEntryName[] = "smll_cuda_library";

// Rows of int8 activations, value = scale * q8, as in cpu/kernels.h.
struct Scales {
  float scale;
  float scaled_sum;  // scale * float(sum of the block's q8)
};
struct Activations {
  int8_t* q8;
  Scales* scales;  // one for each 32
  int32_t blocks;  // of a row
  int32_t unused;
};

// A token fed to a lane.
struct RowPlace {
  uint64_t position;  // in its lane
  uint32_t table;     // the lane's, among the batch's
  uint32_t unused;
};

// Keys and values of the batch's lanes. A lane's table has `ring` + 1 pointers: to what is kept of
// position 0, then to its segments; position p is in the segment of entry 1 + p / 256 % ring. Both
// hold one part after another for each layer and key head, laid out as kv_cache.h says.
struct Pages {
  uint8_t* const* tables;
  const RowPlace* rows;
  int32_t ring;
  int32_t part;  // of the layer's first key head
  int32_t dim;   // of a head
  uint32_t tile_bytes, scales_offset, values_offset, part_bytes, first_bytes;
};

// out[row][column + output] (+)= dot(input row, output) for each of the parts' matrices.
struct Matrix {
  const uint8_t* tiles;  // cpu/layout.h
  uint64_t tile_bytes;
  int32_t u4;
  int32_t tile_count;
  int32_t column;
  int32_t first_group;  // of the product's groups of kProductTiles tiles
};
struct ProductArgs {
  Matrix parts[3];
  int32_t part_count;
  int32_t rows;
  Activations input;
  float* out;
  uint64_t out_stride;
  int32_t add;
  int32_t unused;
};

// input = quantized norm(stream).
struct NormArgs {
  const float* stream;  // [rows][width]
  const float* weight;
  Activations out;
  float epsilon;
  int32_t width;
};

// stream += branch, after what a family does to it.
struct AddArgs {
  float* branch;           // [rows][width], overwritten
  const float* bias;       // or null
  const float* post_norm;  // or null
  float* stream;
  float epsilon, scale;
  int32_t width;
  int32_t unused;
};

// Queries and keys are normed, scaled, turned and quantized; keys and values are kept.
struct StoreArgs {
  float* qkv;  // [rows][stride]: queries, keys, values
  uint64_t stride;
  const float* bias;                   // or null
  const float *query_norm, *key_norm;  // or null
  const float *cos, *sin;              // [rows][dim], or null: they are not turned
  const float *first_cos, *first_sin;  // for the distance to position 0
  Activations query, first_query;      // the second where looks_back
  Pages pages;
  float epsilon, attention_scale;
  int32_t heads, kv_heads;
  int32_t looks_back;
  int32_t unused;
};

// Each query's mean of values.
struct AttendArgs {
  Activations query, first_query, out;
  Pages pages;
  uint8_t* room;  // room_bytes for each block, where shared memory is too small; else null
  uint64_t room_bytes;
  int32_t first_row;  // of this start
  int32_t kv_heads, group;
  int32_t window;  // positions that a query sees
  int32_t keeps_first;
  int32_t span;  // most scores of a row, a multiple of 16
};

// ffn = quantized activation(gate) * up.
struct ActivateArgs {
  const float* gate_up;  // [rows][2 * width]
  Activations out;
  int32_t width;
  int32_t gelu;
};

// logits *= scale, then capped where cap is not 0.
struct LogitsArgs {
  float* logits;
  uint64_t count;
  float scale, cap;
};

// Rows of logits, which become integer frequencies in place: as the bits of floats, which are only
// moved. sums[b] of a row is the sum of its values before b * kSumEntries.
struct Frequencies {
  float* values;   // [rows][stride]
  uint64_t* sums;  // [rows][sum_stride]
  uint64_t stride;
  uint32_t sum_stride;
  uint32_t count;  // of a row's values
};

// A decision of lm/decisions.h, of rows lo .. hi - 1.
struct Decision {
  uint32_t lo, hi;
  uint32_t first_part;  // 1: its probability is that of the rows before its middle
  uint32_t depth;
  uint32_t next_first, next_last;
};

// results[i] = the probability, of 65536, of a decision about a row's distribution.
struct Question {
  uint32_t row, middle;
};
struct SomeDecisionsArgs {
  Frequencies from;
  const Decision* decisions;  // by middle
  const Question* questions;  // [count]
  uint16_t* results;          // [count]
  uint64_t count;
};

// results[i][middle] = the same of all decisions about row rows[i]; of middle 0, which is none's,
// 0.
struct AllDecisionsArgs {
  Frequencies from;
  const Decision* decisions;
  const uint32_t* rows;
  uint16_t* results;  // [rows][from.count]
};

// A code of coder/range_coder.h, and where its decoder stands.
struct Code {
  const uint8_t* bytes;
  uint64_t size;
  uint64_t position, value, range;
};
// The next token of a lane, whose distribution is row `row`; `room` bytes are left in the lane.
struct Coded {
  uint32_t row, room;
};
// Tokens that one code has one after another.
struct CodedRun {
  Code* code;  // goes on
  uint32_t first, count;
};

// results[i] = the row of the vocabulary that tokens[i] is, or kNoRow where none fits the room.
// states[r] = *runs[r].code behind the run.
struct DecodeArgs {
  Frequencies from;
  const Decision* decisions;
  const CodedRun* runs;
  const Coded* tokens;
  uint32_t* results;
  Code* states;
  uint32_t root;  // the first decision of each token
  uint32_t unused;
};
inline constexpr uint32_t kNoRow = UINT32_MAX;

// results[i] = what known_answers.h says of cases[i].
struct CheckArgs {
  const uint32_t* cases;  // [count][4]: operation and operands
  uint32_t* results;      // [count]
  int32_t count;
  int32_t unused;
};

enum Kernel : uint32_t {
  kProduct1,  // rows that a thread computes
  kProduct4,
  kProduct8,
  kNorm,
  kAddBranch,
  kStore,
  kAttend,
  kActivate,
  kLogits,
  kFrequencies,
  kSomeDecisions,
  kAllDecisions,
  kDecode,
  kCheck,
  kKernels
};

// Outputs are computed in groups of so many tiles, a thread an output.
inline constexpr int kProductTiles = 8;

struct Grid {
  uint32_t x, y;     // blocks
  uint32_t threads;  // of a block, at most 256
  uint32_t shared;   // bytes of a block
};

struct DeviceInfo {
  char name[128];
  int32_t major, minor;  // compute capability
  uint64_t memory;
  uint64_t max_shared;  // bytes that a block can have
};

struct Message {
  char text[256];
};

// A kernel to be started.
struct Start {
  Kernel kernel;
  uint32_t arg_bytes;
  Grid grid;
  const void* args;  // the kernel's, above
};

struct Library {
  uint32_t version;
  uint32_t unused;
  int (*count)(int* devices, Message* message);
  int (*info)(int device, DeviceInfo* info, Message* message);
  int (*allocate)(int device, size_t bytes, void** memory, Message* message);
  // Memory of the host that is copied to and from quickly.
  int (*allocate_host)(int device, size_t bytes, void** memory, Message* message);
  void (*release)(int device, void* memory);
  void (*release_host)(int device, void* memory);
  int (*open_queue)(int device, void** queue, Message* message);
  void (*close_queue)(int device, void* queue);
  // `from` must stay as it is until finish().
  int (*upload)(int device, void* queue, void* to, const void* from, size_t bytes,
                Message* message);
  int (*copy)(int device, void* queue, void* to, const void* from, size_t bytes, Message* message);
  // What is at `to` counts after finish().
  int (*download)(int device, void* queue, void* to, const void* from, size_t bytes,
                  Message* message);
  int (*start)(int device, void* queue, const Start* start, Message* message);
  // Keeps starts to run all of them at once later, as often as wanted, which takes less time than
  // starting each.
  int (*record)(int device, void* queue, const Start* starts, size_t count, void** graph,
                Message* message);
  int (*run)(int device, void* queue, void* graph, Message* message);
  void (*forget)(int device, void* graph);
  // Waits until all is done.
  int (*finish)(int device, void* queue, Message* message);
};

// extern "C" const Library* smll_cuda_library(): what a library exports.
using Entry = const Library* (*)();

}  // namespace smll::exact::cuda
