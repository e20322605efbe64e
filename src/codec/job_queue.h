// Jobs of a caller on their way through the threads of a pool; their results come in order.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include "base/thread_pool.h"
#include "codec/progress.h"
#include "smll/error.h"

namespace smll::codec {

// For one calling thread, which works on jobs itself while it waits for the first of them: so all
// are done, in whatever order, even where the pool has no thread to spare. What comes of them does
// not depend on the number of threads.
template <class Result>
class JobQueue {
 public:
  // Called in the caller's thread or one of the pool's; ends in the caller's. Calls the Progress
  // now and then, which throws to cancel it.
  using Work = std::function<Result(const Progress&)>;

  // `threads`: as ThreadPool's.
  explicit JobQueue(int threads)
      : threads_(static_cast<std::size_t>(thread_count(threads))), most_at_once_(threads_) {}
  // What runs is told to stop, and is waited for.
  ~JobQueue() {
    cancelled_ = true;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return helpers_ == 0; });
  }
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  // From now on so many jobs are worked on at once, at most.
  void limit(std::size_t at_once) { most_at_once_ = std::clamp<std::size_t>(at_once, 1, threads_); }

  bool empty() const { return jobs_.empty(); }
  // No more should be started before finish(): that would only take memory. More than there are
  // threads, so that none waits for the caller.
  bool full() const {
    const std::size_t ahead = most_at_once_ == 1 ? 1 : 2 * most_at_once_;
    return jobs_.size() >= std::min(ahead, kMostJobs) || bytes_ >= kMostBytes;
  }
  // True when finish() would not wait.
  bool ready() {
    const std::lock_guard lock(mutex_);
    return !jobs_.empty() && jobs_.front()->state == State::kDone;
  }

  // `work` is on so many bytes, with the model or without.
  void start(std::size_t bytes, bool with_model, Work work) {
    auto job = std::make_unique<Job>();
    job->bytes = bytes;
    job->work = std::move(work);
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    bytes_ += bytes;
    if (with_model || bytes >= kWorthAThread) call_helper();
  }

  // The result of what was started first, or its exception. `progress` is told what is done of all
  // that was started and not finished; where it throws, all jobs are cancelled.
  Result finish(const Progress& progress) {
    const Progress sum =
        progress ? Progress([&](std::size_t, std::uint64_t) { tell(progress); }) : Progress();
    Job& first = *jobs_.front();
    for (std::unique_lock lock(mutex_); first.state != State::kDone;) {
      if (Job* job = next()) {
        lock.unlock();
        work_here(*job, sum);
        lock.lock();
      } else if (changed_.wait_for(lock, kTick) == std::cv_status::timeout && progress) {
        lock.unlock();
        tell(progress);
        lock.lock();
      }
    }
    const std::unique_ptr<Job> job = take_first();
    bytes_ -= job->bytes;
    if (job->error) std::rethrow_exception(job->error);
    return std::move(*job->result);
  }

 private:
  static constexpr std::size_t kMostJobs = 64;
  static constexpr std::size_t kMostBytes = std::size_t{48} << 20;
  // Smaller jobs without the model take about as long as a thread takes to wake up.
  static constexpr std::size_t kWorthAThread = std::size_t{16} << 10;
  static constexpr std::chrono::milliseconds kTick{100};

  enum class State : std::uint8_t { kWaiting, kRunning, kDone };
  struct Job {
    std::size_t bytes = 0;
    Work work;
    State state = State::kWaiting;  // guarded by the mutex
    std::atomic<std::size_t> bytes_done = 0;
    std::atomic<std::uint64_t> tokens_done = 0;
    std::optional<Result> result;
    std::exception_ptr error;
  };

  std::unique_ptr<Job> take_first() {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Job> job = std::move(jobs_.front());
    jobs_.pop_front();
    return job;
  }

  // Takes the first job that waits, if there is one; the lock is held.
  Job* next() {
    const auto waiting =
        std::ranges::find(jobs_, State::kWaiting, [](const auto& job) { return job->state; });
    if (waiting == jobs_.end()) return nullptr;
    (*waiting)->state = State::kRunning;
    return waiting->get();
  }

  // Has another thread of the pool take jobs until none waits, if one is free.
  void call_helper() {
    if (most_at_once_ == 1) return;
    std::unique_lock lock(mutex_);
    if (helpers_ + 1 >= most_at_once_) return;
    ++helpers_;
    lock.unlock();
    bool accepted = false;
    try {
      if (!pool_) pool_ = shared_pool(static_cast<int>(threads_));
      accepted = pool_->offer([this] { help(); });
    } catch (const std::bad_alloc&) {
      // The caller does it all.
    }
    if (accepted) return;
    lock.lock();
    --helpers_;
  }

  void help() {
    const Progress check = [this](std::size_t, std::uint64_t) {
      if (cancelled_) throw Error(ErrorKind::kIo, "cancelled");
    };
    std::unique_lock lock(mutex_);
    for (Job* job = nullptr; !cancelled_ && (job = next()) != nullptr;) {
      lock.unlock();
      run(*job, check);
      lock.lock();
      job->state = State::kDone;
      changed_.notify_all();
    }
    --helpers_;
    changed_.notify_all();
  }

  // Throws what `progress` throws, and nothing else.
  void work_here(Job& job, const Progress& progress) {
    std::optional<ThreadPool::Lead> lead;
    if (pool_) lead.emplace(*pool_);
    std::exception_ptr thrown;
    run(job, [&](std::size_t, std::uint64_t) {
      if (!progress) return;
      try {
        progress(0, 0);
      } catch (...) {
        thrown = std::current_exception();
        throw;
      }
    });
    {
      const std::lock_guard lock(mutex_);
      job.state = State::kDone;
    }
    if (thrown) std::rethrow_exception(thrown);
  }

  void run(Job& job, const Progress& progress) {
    try {
      job.result = job.work([&](std::size_t bytes, std::uint64_t tokens) {
        job.bytes_done = bytes;
        job.tokens_done = tokens;
        progress(bytes, tokens);
      });
    } catch (...) {
      job.error = std::current_exception();
    }
  }

  void tell(const Progress& progress) {
    std::size_t bytes = 0;
    std::uint64_t tokens = 0;
    for (const auto& job : jobs_) {
      bytes += job->bytes_done;
      tokens += job->tokens_done;
    }
    try {
      progress(bytes, tokens);
    } catch (...) {
      cancelled_ = true;
      throw;
    }
  }

  const std::size_t threads_;
  std::size_t most_at_once_;
  std::size_t bytes_ = 0;
  std::shared_ptr<ThreadPool> pool_;  // null before it is needed
  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_;  // of what follows, which only the caller changes but for jobs' states
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Job>> jobs_;
  std::size_t helpers_ = 0;
};

}  // namespace smll::codec
