// The threads of a process that computes with several engines: helpers that take tasks of whichever
// loop has some, or a whole job each.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace smll {

// `threads`, or one per processor where that is below 1.
int thread_count(int threads);

class ThreadPool;
// One for each thread_count(threads), which all who ask for it share. A forked process has none of
// its parent's threads, and gets another. Throws std::bad_alloc.
std::shared_ptr<ThreadPool> shared_pool(int threads);

// Any thread may call any member at any time, unless it says otherwise. All clients, leads and jobs
// end before the pool; its last owner is neither a task nor a job of its own.
class ThreadPool {
 public:
  class Client;
  class Lead;

  // thread_count(threads) counts one caller, so 1 starts no helper; kMaxHelpers at most, and fewer
  // where the machine starts no more. Throws std::bad_alloc. Helpers compute in the floating-point
  // environment of the exact arithmetic.
  explicit ThreadPool(int threads);
  // Waits for the jobs that were accepted.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // One caller and the helpers that were started. Never changes.
  int threads() const { return static_cast<int>(helpers_.size()) + 1; }

  // Has a helper call `job`, at once or as soon as it is done with the task it is at, and returns
  // true; or returns false where every helper has a job or where thread_count(threads) threads lead
  // already. Until the job is done its helper counts as one that leads and takes no tasks. A job
  // may run loops and offer jobs. It must not throw: std::terminate is called then.
  bool offer(std::function<void()> job);

  static constexpr int kMaxHelpers = (1 << 14) - 1;

 private:
  struct Slot;

  // Counts in one word, so that each is true of the others: threads that lead (jobs accepted among
  // them); helpers that take tasks; helpers that sleep or are about to; jobs accepted that no
  // helper has begun. Each helper takes tasks, sleeps or has a job.
  struct State {
    std::uint64_t leaders, active, asleep, pending;
  };
  static constexpr int kFieldBits = 14, kLeaderBits = 22;
  static constexpr std::uint64_t kActive = std::uint64_t{1} << kLeaderBits;
  static constexpr std::uint64_t kAsleep = kActive << kFieldBits;
  static constexpr std::uint64_t kPending = kAsleep << kFieldBits;
  static constexpr std::uint64_t kLeader = 1;
  static State unpack(std::uint64_t word);

  void help(int thread);
  bool begin_job();
  void run_job();
  bool activate();
  void serve(int thread);
  bool may_serve() const;
  Slot* find_tasks(int thread);
  void wake(std::uint64_t count, std::uint64_t asleep);

  static constexpr std::size_t kSlots = 64;
  struct alignas(64) Slot {
    // The loop's task count (high half) and its next task (low half) in one word: who takes a task
    // learns from the same word that the loop has it. The loop cannot end before that task is done,
    // so `body` is read after it; a thread that comes late takes a task of the loop that runs now
    // or none, and nobody has to wait for threads that are asleep.
    std::atomic<std::uint64_t> ticket{0};
    const std::function<void(std::size_t, int)>* body = nullptr;
    alignas(64) std::atomic<std::uint32_t> done{0};
    std::mutex error_mutex;
    std::exception_ptr error;

    // False where the loop has none left.
    bool take_task(int thread);
    bool has_tasks() const;
  };

  static thread_local const ThreadPool* led_;  // by this thread

  std::vector<std::thread> helpers_;
  std::uint64_t most_;  // threads that lead and helpers that take tasks, together
  alignas(64) std::atomic<std::uint64_t> state_{0};
  alignas(64) std::atomic<std::uint32_t> epoch_{0};  // changes when sleepers are woken
  std::atomic<bool> stop_{false};
  std::mutex mutex_;  // of jobs_ and free_slots_
  std::vector<std::function<void()>> jobs_;
  std::vector<Slot*> free_slots_;
  alignas(64) std::atomic<std::size_t> used_slots_{0};  // the first ones; only grows
  std::array<Slot, kSlots> slots_;
};

// A caller of loops. Used by one thread at a time. A pool helps kSlots clients; the loops of those
// beyond them run in their callers alone.
class ThreadPool::Client {
 public:
  explicit Client(std::shared_ptr<ThreadPool> pool);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The pool's: above every `thread` that a body sees.
  int threads() const { return pool_->threads(); }
  // How many threads a loop that starts now can have: the caller, and the helpers that neither have
  // a job nor make room for threads that lead. Other clients' loops may want the same helpers.
  int free_threads() const;

  // Calls body(task, thread) once for each task below `count` and returns when all are done. Tasks
  // are taken in ascending order by whichever thread is free: the caller, whose `thread` is 0, or a
  // helper, whose `thread` is its own from 1 to threads() - 1. The first exception is rethrown
  // here; tasks after it may have run or not. Throws std::length_error for 2^31 tasks or more. A
  // body may run loops of other clients.
  void run(std::size_t count, const std::function<void(std::size_t task, int thread)>& body);

 private:
  std::shared_ptr<ThreadPool> pool_;
  Slot* slot_ = nullptr;  // null where nobody can help
};

// Held by a thread as long as it has loops to run: helpers make room for it, so that no more than
// thread_count(threads) threads compute at once, from the helpers' next tasks on. One within
// another, or within a job of the same pool, changes nothing. Where nobody leads, whoever runs
// loops counts as one that does. More threads may lead than the pool has; then nobody helps them.
class ThreadPool::Lead {
 public:
  explicit Lead(ThreadPool& pool) : pool_(pool), outer_(std::exchange(led_, &pool)) {
    if (outer_ != &pool_) pool_.state_.fetch_add(kLeader);
  }
  // Leads end in the reverse order of their beginnings.
  ~Lead() {
    led_ = outer_;
    if (outer_ != &pool_) pool_.state_.fetch_sub(kLeader);
  }
  Lead(const Lead&) = delete;
  Lead& operator=(const Lead&) = delete;

 private:
  ThreadPool& pool_;
  const ThreadPool* const outer_;  // what this thread leads anyway
};

}  // namespace smll
