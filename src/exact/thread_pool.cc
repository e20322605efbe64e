#include "exact/thread_pool.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "exact/fp_env.h"
#include "exact/start_threads.h"

namespace smll::exact {
namespace {

// About 20 microseconds: longer than the gap between two loops of a step, shorter than a time
// slice.
constexpr int kSpins = 4000;

// Fields of a ticket: next task, task count, and the low bits of the loop's number.
constexpr int kFieldBits = 22;
constexpr std::uint64_t kFieldMask = (1u << kFieldBits) - 1;
constexpr std::uint32_t kGenerationMask = (1u << (64 - 2 * kFieldBits)) - 1;

std::uint64_t make_ticket(std::uint32_t generation, std::size_t count) {
  return (static_cast<std::uint64_t>(generation & kGenerationMask) << (2 * kFieldBits)) |
         (static_cast<std::uint64_t>(count) << kFieldBits);
}

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Waits until `word` differs from `old`: spins first, then sleeps.
void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (word.load(std::memory_order_acquire) != old) return;
    relax();
  }
  word.wait(old, std::memory_order_acquire);
}

}  // namespace

int thread_count(int threads) {
  return threads > 0 ? threads
                     : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

ThreadPool::ThreadPool(int threads) {
  start_threads(
      static_cast<std::size_t>(thread_count(threads)) - 1,
      [this](std::size_t index) { work(static_cast<int>(index)); }, workers_);
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(std::size_t count,
                     const std::function<void(std::size_t task, int thread)>& body) {
  if (workers_.empty() || count <= 1) {
    for (std::size_t i = 0; i < count; ++i) body(i, 0);
    return;
  }
  if (count > kFieldMask) throw std::length_error("too many tasks in one loop");
  body_ = &body;
  done_.store(0, std::memory_order_relaxed);
  const std::uint32_t generation = generation_.load(std::memory_order_relaxed) + 1;
  ticket_.store(make_ticket(generation, count), std::memory_order_release);
  generation_.store(generation, std::memory_order_release);
  generation_.notify_all();
  take_tasks(generation & kGenerationMask, 0);
  for (std::uint32_t done; (done = done_.load(std::memory_order_acquire)) != count;) {
    wait_while(done_, done);
  }
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::work(int thread) {
  const FpEnv environment;
  std::uint32_t seen = 0;
  for (;;) {
    wait_while(generation_, seen);
    seen = generation_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    take_tasks(seen & kGenerationMask, thread);
  }
}

void ThreadPool::take_tasks(std::uint64_t generation, int thread) {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  for (;;) {
    const std::uint64_t count = (ticket >> kFieldBits) & kFieldMask;
    const std::uint64_t task = ticket & kFieldMask;
    if (ticket >> (2 * kFieldBits) != generation || task >= count) return;
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
      continue;
    }
    // From here to the count of done_ the loop cannot end, so body_ stays valid.
    try {
      (*body_)(task, thread);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
    }
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == count) done_.notify_one();
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

}  // namespace smll::exact
