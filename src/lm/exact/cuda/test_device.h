// The device that tests run kernels on: a real one where SMLL_CUDA_LIBRARY names its library,
// otherwise the CPU by way of the emulated library.
#pragma once

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "lm/exact/cuda/device.h"

namespace smll::exact::cuda {

inline std::shared_ptr<Device> test_device(const char* emulated_library) {
  setenv("SMLL_CUDA_LIBRARY", emulated_library, 0);
  return Device::open(0);
}

// Looks up what only the emulated library has; null where a real device's is used.
template <class Function>
Function* emulated_function(const char* name) {
  void* const library = dlopen(std::getenv("SMLL_CUDA_LIBRARY"), RTLD_NOW | RTLD_NOLOAD);
  if (!library) return nullptr;
  const auto function = reinterpret_cast<Function*>(dlsym(library, name));
  dlclose(library);  // it stays loaded
  return function;
}

// Kernels run with the threads of a block in each of the orders that the emulated library knows; a
// real device has its own.
template <class Body>
void in_each_order(const Body& body) {
  const auto set_order = emulated_function<void(int)>("smll_emulated_order");
  for (int order = 0; order < 3; ++order) {
    if (set_order) set_order(order);
    body();
    if (!set_order) break;
  }
  if (set_order) set_order(0);
}

// An array on the device.
template <class T>
class Array {
 public:
  // Not set.
  Array(Queue& queue, std::size_t count)
      : queue_(queue), count_(count), memory_(queue.device().allocate(count * sizeof(T))) {}
  Array(Queue& queue, const std::vector<T>& values) : Array(queue, values.size()) {
    queue_.upload(memory_.get(), values.data(), count_ * sizeof(T));
    queue_.finish();
  }

  T* get() const { return reinterpret_cast<T*>(memory_.get()); }
  std::vector<T> values() const {
    std::vector<T> values(count_);
    queue_.download(values.data(), memory_.get(), count_ * sizeof(T));
    queue_.finish();
    return values;
  }

 private:
  Queue& queue_;
  std::size_t count_;
  Memory memory_;
};

}  // namespace smll::exact::cuda
