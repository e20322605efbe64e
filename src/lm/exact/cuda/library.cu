// libsmll_cuda: the kernels, compiled for GPUs, and what they need of the CUDA runtime. Compiled by
// nvcc alone; the program loads it where there is one (device.cc).
#include <cuda_runtime.h>

#include <cstdio>

#include "lm/exact/cuda/kernels.h"

namespace smll::exact::cuda {
namespace {

extern __shared__ __align__(16) unsigned char shared_memory[];

template <class Args, void (*kBody)(const Block&, const Args&)>
__global__ void __launch_bounds__(256) run(const Args args) {
  kBody({blockIdx.x, blockIdx.y, static_cast<int>(blockDim.x), shared_memory}, args);
}

int report(cudaError_t error, const char* doing, Message* message) {
  if (error == cudaSuccess) return 0;
  std::snprintf(message->text, sizeof message->text, "%s: %s", doing, cudaGetErrorString(error));
  return error == cudaErrorMemoryAllocation ? kNoMemory : 1;
}

// Selects the device for the calling thread.
int select(int device, Message* message) {
  return report(cudaSetDevice(device), "cudaSetDevice", message);
}

int count(int* devices, Message* message) {
  return report(cudaGetDeviceCount(devices), "cudaGetDeviceCount", message);
}

int info(int device, DeviceInfo* info, Message* message) {
  cudaDeviceProp properties;
  const cudaError_t error = cudaGetDeviceProperties(&properties, device);
  if (error != cudaSuccess) return report(error, "cudaGetDeviceProperties", message);
  std::snprintf(info->name, sizeof info->name, "%.127s", properties.name);
  info->major = properties.major;
  info->minor = properties.minor;
  info->memory = properties.totalGlobalMem;
  info->max_shared = properties.sharedMemPerBlockOptin;
  return 0;
}

int allocate(int device, size_t bytes, void** memory, Message* message) {
  if (const int failed = select(device, message)) return failed;
  return report(cudaMalloc(memory, bytes), "cudaMalloc", message);
}

int allocate_host(int device, size_t bytes, void** memory, Message* message) {
  if (const int failed = select(device, message)) return failed;
  return report(cudaMallocHost(memory, bytes), "cudaMallocHost", message);
}

void release(int device, void* memory) {
  if (cudaSetDevice(device) == cudaSuccess) cudaFree(memory);
}

void release_host(int device, void* memory) {
  if (cudaSetDevice(device) == cudaSuccess) cudaFreeHost(memory);
}

cudaStream_t stream_of(void* queue) { return static_cast<cudaStream_t>(queue); }

// One that waits for no other stream, not even the default one.
int open_queue(int device, void** queue, Message* message) {
  if (const int failed = select(device, message)) return failed;
  cudaStream_t stream = nullptr;
  const cudaError_t error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  *queue = stream;
  return report(error, "cudaStreamCreateWithFlags", message);
}

void close_queue(int device, void* queue) {
  if (cudaSetDevice(device) == cudaSuccess) cudaStreamDestroy(stream_of(queue));
}

int transfer(int device, void* queue, void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
             Message* message) {
  if (const int failed = select(device, message)) return failed;
  return report(cudaMemcpyAsync(to, from, bytes, kind, stream_of(queue)), "cudaMemcpyAsync",
                message);
}

int upload(int device, void* queue, void* to, const void* from, size_t bytes, Message* message) {
  return transfer(device, queue, to, from, bytes, cudaMemcpyHostToDevice, message);
}

int copy(int device, void* queue, void* to, const void* from, size_t bytes, Message* message) {
  return transfer(device, queue, to, from, bytes, cudaMemcpyDeviceToDevice, message);
}

int download(int device, void* queue, void* to, const void* from, size_t bytes, Message* message) {
  return transfer(device, queue, to, from, bytes, cudaMemcpyDeviceToHost, message);
}

template <class Args, void (*kBody)(const Block&, const Args&)>
cudaError_t start_kernel(cudaStream_t stream, const Grid& grid, const void* args) {
  // What a block may have without being asked for.
  constexpr uint32_t kUsualShared = 48 << 10;
  if (grid.shared > kUsualShared) {
    const cudaError_t error =
        cudaFuncSetAttribute(run<Args, kBody>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(grid.shared));
    if (error != cudaSuccess) return error;
  }
  run<Args, kBody><<<dim3(grid.x, grid.y), grid.threads, grid.shared, stream>>>(
      *static_cast<const Args*>(args));
  return cudaGetLastError();
}

int start_on(cudaStream_t stream, const Start& start, Message* message) {
  switch (start.kernel) {
#define SMLL_START(number, Args, body) \
  case number:                         \
    return report(start_kernel<Args, body>(stream, start.grid, start.args), #number, message);
    SMLL_EACH_KERNEL(SMLL_START)
#undef SMLL_START
    default:
      return report(cudaErrorInvalidValue, "no such kernel", message);
  }
}

int start(int device, void* queue, const Start* start, Message* message) {
  if (const int failed = select(device, message)) return failed;
  return start_on(stream_of(queue), *start, message);
}

// The graph of a capture that `failed` or not, which ends here in either case.
int end_capture(cudaStream_t stream, int failed, void** graph, Message* message) {
  cudaGraph_t captured = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(stream, &captured);
  if (!failed) failed = report(ended, "cudaStreamEndCapture", message);
  if (!failed) {
    cudaGraphExec_t made = nullptr;
    failed = report(cudaGraphInstantiate(&made, captured, 0), "cudaGraphInstantiate", message);
    *graph = made;
  }
  if (captured) cudaGraphDestroy(captured);
  return failed;
}

int record(int device, void* queue, const Start* starts, size_t count, void** graph,
           Message* message) {
  if (const int failed = select(device, message)) return failed;
  cudaStream_t stream = stream_of(queue);
  int failed = report(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
                      "cudaStreamBeginCapture", message);
  if (failed) return failed;
  for (size_t i = 0; i < count && !failed; ++i) failed = start_on(stream, starts[i], message);
  return end_capture(stream, failed, graph, message);
}

int run_graph(int device, void* queue, void* graph, Message* message) {
  if (const int failed = select(device, message)) return failed;
  return report(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(queue)),
                "cudaGraphLaunch", message);
}

void forget(int device, void* graph) {
  if (cudaSetDevice(device) == cudaSuccess) {
    cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
  }
}

int finish(int device, void* queue, Message* message) {
  if (const int failed = select(device, message)) return failed;
  return report(cudaStreamSynchronize(stream_of(queue)), "the kernels", message);
}

}  // namespace
}  // namespace smll::exact::cuda

extern "C" __attribute__((visibility("default"))) const smll::exact::cuda::Library*
smll_cuda_library() {
  using namespace smll::exact::cuda;
  static const Library kLibrary = {
      kAbiVersion, 0,           count,  info, allocate, allocate_host, release, release_host,
      open_queue,  close_queue, upload, copy, download, start,         record,  run_graph,
      forget,      finish};
  return &kLibrary;
}
