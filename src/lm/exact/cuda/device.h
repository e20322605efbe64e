// A GPU, as libsmll_cuda offers it: memory, copies, and kernels that are started.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "lm/exact/cuda/abi.h"

namespace smll::exact::cuda {

// Of the device or, where the name says so, of the host. Freed with the last copy.
using Memory = std::shared_ptr<std::uint8_t>;

// May be used from several threads. All members but the simple ones throw Error(kIo) where the
// device fails and Error(kMemory) where it has no memory left. Nothing of it may be used in a
// forked process.
class Device : public std::enable_shared_from_this<Device> {
 public:
  // The process's handle on device `number`. Throws Error(kUsage) where there is no library, no
  // driver, no such device or one that is too old, and Error(kModel) where it computes wrong.
  static std::shared_ptr<Device> open(int number);

  int number() const { return number_; }
  const DeviceInfo& info() const { return info_; }
  std::string name() const { return info_.name; }

  // Not cleared.
  Memory allocate(std::size_t bytes);
  Memory allocate_host(std::size_t bytes);

 private:
  friend class Queue;

  Device(const Library& library, int number);

  void check_arithmetic();
  void expect(int failed, const Message& message) const;

  const Library& library_;
  const int number_;
  DeviceInfo info_{};
};

// What a device is to do, one after another. Used by one thread at a time; throws what Device does.
class Queue {
 public:
  explicit Queue(std::shared_ptr<Device> device);

  Device& device() const { return *device_; }

  // `from` must stay as it is until finish().
  void upload(void* to, const void* from, std::size_t bytes);
  void copy(void* to, const void* from, std::size_t bytes);
  // What is at `to` counts after finish().
  void download(void* to, const void* from, std::size_t bytes);
  template <class Args>
  void start(Kernel kernel, const Grid& grid, const Args& args) {
    start({kernel, sizeof args, grid, &args});
  }
  void start(const Start& start);
  // Waits until all is done.
  void finish();

  // Starts that are run together.
  using Graph = std::shared_ptr<void>;
  Graph record(const Start* starts, std::size_t count);
  void run(const Graph& graph);

 private:
  const std::shared_ptr<Device> device_;
  std::shared_ptr<void> queue_;
};

}  // namespace smll::exact::cuda
