// Frames that need no language model are coded several at a time.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "codec/frame_codec.h"
#include "smll/error.h"

namespace smll::api {

// Runs work on frames in threads of their own and gives the results in the order of the starts, so
// what comes of it does not depend on the number of threads. For one calling thread. A thread
// shares nothing with the queue or its caller but what `work` owns and the two numbers below.
template <class Result>
class FrameQueue {
 public:
  using Work = std::function<Result(const codec::Progress&)>;

  // `threads`: 0 for one per core.
  explicit FrameQueue(int threads) {
    const unsigned wanted =
        threads > 0 ? static_cast<unsigned>(threads) : std::thread::hardware_concurrency();
    limit_ = std::clamp<std::size_t>(wanted, 1, kMaxJobs);
  }
  // What runs is told to stop; a future of std::async waits for it.
  ~FrameQueue() { *cancelled_ = true; }
  FrameQueue(const FrameQueue&) = delete;
  FrameQueue& operator=(const FrameQueue&) = delete;

  bool empty() const { return jobs_.empty(); }
  // No more should be started before finish(): that would only take memory.
  bool full() const { return jobs_.size() >= limit_ || bytes_ >= kMaxBytes; }
  // True when finish() would not wait.
  bool ready() const {
    return !jobs_.empty() && jobs_.front().future.valid() &&
           jobs_.front().future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  // `work` must own all that it works on: it may still run when its caller has failed.
  void start(std::size_t bytes, Work work) {
    Job& job = jobs_.emplace_back();
    job.bytes = bytes;
    job.work = std::move(work);
    bytes_ += bytes;
    if (limit_ > 1 && bytes >= kWorthAThread) launch(job);
  }

  // The result of what was started first, or its exception. `progress` is called from here only;
  // where it throws, all jobs are cancelled.
  Result finish(const codec::Progress& progress) {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    bytes_ -= job.bytes;
    if (!job.future.valid()) return job.work(progress);
    try {
      while (job.future.wait_for(kTick) != std::future_status::ready) {
        if (progress) progress(*job.done, 0);
      }
    } catch (...) {
      *cancelled_ = true;
      throw;
    }
    return job.future.get();
  }

 private:
  static constexpr std::size_t kMaxJobs = 32;
  static constexpr std::size_t kMaxBytes = std::size_t{48} << 20;
  // Smaller frames take about as long as a thread takes to start.
  static constexpr std::size_t kWorthAThread = std::size_t{16} << 10;
  static constexpr std::chrono::milliseconds kTick{100};

  struct Job {
    std::size_t bytes = 0;
    Work work;
    std::shared_ptr<std::atomic<std::size_t>> done;
    std::future<Result> future;  // not valid: finish() does the work
  };

  void launch(Job& job) {
    job.done = std::make_shared<std::atomic<std::size_t>>(0);
    try {
      job.future = std::async(std::launch::async,
                              [work = job.work, done = job.done, cancelled = cancelled_] {
                                return work([&](std::size_t bytes, std::uint64_t) {
                                  if (*cancelled) throw Error(ErrorKind::kIo, "cancelled");
                                  *done = bytes;
                                });
                              });
    } catch (const std::system_error&) {
      // The machine gives no more threads.
    }
  }

  std::size_t limit_;
  std::size_t bytes_ = 0;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  std::deque<Job> jobs_;
};

}  // namespace smll::api
