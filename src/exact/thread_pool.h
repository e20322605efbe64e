// A persistent pool that runs one loop at a time over all its threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace smll::exact {

// `threads`, or one per processor where that is below 1.
int thread_count(int threads);

class ThreadPool {
 public:
  // thread_count(threads) counts the calling thread, so 1 starts none. Fewer where the machine
  // starts no more.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(task, thread) once for each task below `count` and returns when all are done. Tasks
  // are taken in ascending order by whichever thread is free. The first exception is rethrown here.
  void run(std::size_t count, const std::function<void(std::size_t task, int thread)>& body);

 private:
  void work(int thread);
  void take_tasks(std::uint64_t generation, int thread);

  std::vector<std::thread> workers_;
  const std::function<void(std::size_t, int)>* body_ = nullptr;
  std::exception_ptr error_;
  std::mutex error_mutex_;
  // The loop's number, its task count and its next task in one word: a thread that wakes late can
  // never take a task of another loop, so nobody has to wait for threads that are asleep.
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  alignas(64) std::atomic<std::uint32_t> done_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace smll::exact
