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

int transfer(int device, void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
             Message* message) {
  if (const int failed = select(device, message)) return failed;
  return report(cudaMemcpyAsync(to, from, bytes, kind), "cudaMemcpyAsync", message);
}

int upload(int device, void* to, const void* from, size_t bytes, Message* message) {
  return transfer(device, to, from, bytes, cudaMemcpyHostToDevice, message);
}

int copy(int device, void* to, const void* from, size_t bytes, Message* message) {
  return transfer(device, to, from, bytes, cudaMemcpyDeviceToDevice, message);
}

int download(int device, void* to, const void* from, size_t bytes, Message* message) {
  return transfer(device, to, from, bytes, cudaMemcpyDeviceToHost, message);
}

template <class Args, void (*kBody)(const Block&, const Args&)>
cudaError_t start_kernel(const Grid& grid, const void* args) {
  // What a block may have without being asked for.
  constexpr uint32_t kUsualShared = 48 << 10;
  if (grid.shared > kUsualShared) {
    const cudaError_t error =
        cudaFuncSetAttribute(run<Args, kBody>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(grid.shared));
    if (error != cudaSuccess) return error;
  }
  run<Args, kBody>
      <<<dim3(grid.x, grid.y), grid.threads, grid.shared>>>(*static_cast<const Args*>(args));
  return cudaGetLastError();
}

int start(int device, Kernel kernel, const Grid* grid, const void* args, Message* message) {
  if (const int failed = select(device, message)) return failed;
  switch (kernel) {
#define SMLL_START(number, Args, body) \
  case number:                         \
    return report(start_kernel<Args, body>(*grid, args), #number, message);
    SMLL_EACH_KERNEL(SMLL_START)
#undef SMLL_START
    default:
      return report(cudaErrorInvalidValue, "no such kernel", message);
  }
}

int finish(int device, Message* message) {
  if (const int failed = select(device, message)) return failed;
  return report(cudaStreamSynchronize(nullptr), "the kernels", message);
}

}  // namespace
}  // namespace smll::exact::cuda

extern "C" __attribute__((visibility("default"))) const smll::exact::cuda::Library*
smll_cuda_library() {
  using namespace smll::exact::cuda;
  static const Library kLibrary = {kAbiVersion,   0,       count,        info,   allocate,
                                   allocate_host, release, release_host, upload, copy,
                                   download,      start,   finish};
  return &kLibrary;
}
