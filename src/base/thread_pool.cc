#include "base/thread_pool.h"

#include <unistd.h>

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>
#include <utility>

#include "base/fp_env.h"
#include "base/start_threads.h"

namespace smll {
namespace {

// About 20 microseconds: longer than the gap between two loops of a step, shorter than a time
// slice.
constexpr int kSpins = 4000;

constexpr int kCountShift = 32;
constexpr std::uint64_t kNextMask = 0xffffffff;

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

std::shared_ptr<ThreadPool> shared_pool(int threads) {
  static std::mutex mutex;
  static std::map<std::pair<pid_t, int>, std::weak_ptr<ThreadPool>> pools;
  const std::lock_guard lock(mutex);
  std::weak_ptr<ThreadPool>& kept = pools[{::getpid(), thread_count(threads)}];
  std::shared_ptr<ThreadPool> pool = kept.lock();
  if (!pool) kept = pool = std::make_shared<ThreadPool>(threads);
  return pool;
}

thread_local const ThreadPool* ThreadPool::led_ = nullptr;

ThreadPool::ThreadPool(int threads) : most_(static_cast<std::uint64_t>(thread_count(threads))) {
  const std::size_t wanted = std::min<std::size_t>(most_ - 1, kMaxHelpers);
  jobs_.reserve(wanted);
  free_slots_.reserve(kSlots);
  for (std::size_t i = kSlots; i > 0; --i) free_slots_.push_back(&slots_[i - 1]);
  start_threads(
      wanted, [this](std::size_t index) { help(static_cast<int>(index)); }, helpers_);
  // Helpers touch no count before they are woken for the first time.
  state_.fetch_add(kAsleep * helpers_.size());
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

ThreadPool::State ThreadPool::unpack(std::uint64_t word) {
  constexpr std::uint64_t kField = (1u << kFieldBits) - 1;
  return {word & (kActive - 1), word / kActive & kField, word / kAsleep & kField, word / kPending};
}

bool ThreadPool::offer(std::function<void()> job) {
  std::uint64_t asleep = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::uint64_t word = state_.load();
    do {
      const State state = unpack(word);
      asleep = state.asleep;
      if (state.leaders >= most_ || state.active + asleep <= state.pending) return false;
    } while (!state_.compare_exchange_weak(word, word + kPending + kLeader));
    jobs_.push_back(std::move(job));  // has the room: jobs that wait are no more than helpers
  }
  wake(1, asleep);
  return true;
}

void ThreadPool::wake(std::uint64_t count, std::uint64_t asleep) {
  count = std::min(count, asleep);
  if (count == 0) return;
  epoch_.fetch_add(1);
  if (count == asleep) {
    epoch_.notify_all();
  } else {
    for (; count > 0; --count) epoch_.notify_one();
  }
}

// A helper's life. No wake-up is lost: who brings work makes it visible first and then reads who is
// asleep; a helper counts itself as asleep first and then looks for work.
void ThreadPool::help(int thread) {
  const FpEnv environment;
  std::uint32_t seen = 0;
  for (;;) {
    epoch_.wait(seen);
    seen = epoch_.load();
    for (bool awake = true; awake;) {
      if (begin_job()) {
        run_job();
      } else if (activate()) {
        serve(thread);
      } else {
        break;
      }
      awake = unpack(state_.load()).pending > 0 || find_tasks(thread) != nullptr;
    }
    if (stop_.load()) return;
  }
}

// Where more threads compute than should, leaves the job to a helper that takes tasks: it is about
// to stop doing so.
bool ThreadPool::begin_job() {
  std::uint64_t word = state_.load();
  State state;
  do {
    state = unpack(word);
    if (state.pending == 0 || (state.active > 0 && state.leaders + state.active > most_)) {
      return false;
    }
  } while (!state_.compare_exchange_weak(word, word - kPending - kAsleep));
  return true;
}

void ThreadPool::run_job() {
  std::function<void()> job;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    job = std::move(jobs_.back());
    jobs_.pop_back();
  }
  led_ = this;
  [&]() noexcept { job(); }();
  job = nullptr;  // what it holds ends before the helper is free
  led_ = nullptr;
  state_.fetch_add(kAsleep - kLeader);
}

// Lets a helper that counts as asleep take tasks, if there is room.
bool ThreadPool::activate() {
  std::uint64_t word = state_.load();
  State state;
  do {
    state = unpack(word);
    if (state.leaders + state.active >= most_) return false;
  } while (!state_.compare_exchange_weak(word, word + kActive - kAsleep));
  return true;
}

bool ThreadPool::may_serve() const {
  const State state = unpack(state_.load(std::memory_order_acquire));
  return state.pending == 0 && state.leaders + state.active <= most_;
}

// Takes tasks until there have been none for a while or it has to stop; then counts as asleep.
void ThreadPool::serve(int thread) {
  for (int spins = 0; spins < kSpins && may_serve(); ++spins) {
    if (Slot* slot = find_tasks(thread)) {
      while (may_serve() && slot->take_task(thread)) {
      }
      spins = 0;
    } else {
      relax();
    }
  }
  state_.fetch_add(kAsleep - kActive);
}

// Each helper starts to look at another place, so that they spread over the loops.
ThreadPool::Slot* ThreadPool::find_tasks(int thread) {
  const std::size_t count = used_slots_.load();
  std::size_t at = count > 1 ? static_cast<std::size_t>(thread) % count : 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (slots_[at].has_tasks()) return &slots_[at];
    if (++at == count) at = 0;
  }
  return nullptr;
}

bool ThreadPool::Slot::has_tasks() const {
  const std::uint64_t word = ticket.load();
  return (word & kNextMask) < word >> kCountShift;
}

// Each thread takes one ticket too many at most, so the next task never reaches the count's half.
bool ThreadPool::Slot::take_task(int thread) {
  const std::uint64_t word = ticket.fetch_add(1, std::memory_order_acq_rel);
  const std::uint64_t count = word >> kCountShift, task = word & kNextMask;
  if (task >= count) return false;
  try {
    (*body)(task, thread);
  } catch (...) {
    const std::lock_guard<std::mutex> lock(error_mutex);
    if (!error) error = std::current_exception();
  }
  if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == count) done.notify_one();
  return true;
}

ThreadPool::Client::Client(std::shared_ptr<ThreadPool> pool) : pool_(std::move(pool)) {
  if (pool_->helpers_.empty()) return;
  const std::lock_guard<std::mutex> lock(pool_->mutex_);
  std::vector<Slot*>& free = pool_->free_slots_;
  if (free.empty()) return;
  slot_ = free.back();
  free.pop_back();
  const std::size_t used = static_cast<std::size_t>(slot_ - pool_->slots_.data()) + 1;
  if (used > pool_->used_slots_.load()) pool_->used_slots_.store(used);
}

ThreadPool::Client::~Client() {
  if (!slot_) return;
  const std::lock_guard<std::mutex> lock(pool_->mutex_);
  pool_->free_slots_.push_back(slot_);
}

int ThreadPool::Client::free_threads() const {
  if (!slot_) return 1;
  const State state = unpack(pool_->state_.load(std::memory_order_acquire));
  const std::uint64_t leaders = std::max<std::uint64_t>(state.leaders, 1);
  if (leaders >= pool_->most_) return 1;
  return 1 + static_cast<int>(std::min(state.active + state.asleep, pool_->most_ - leaders));
}

void ThreadPool::Client::run(std::size_t count,
                             const std::function<void(std::size_t task, int thread)>& body) {
  if (count <= 1 || free_threads() == 1) {
    for (std::size_t i = 0; i < count; ++i) body(i, 0);
    return;
  }
  if (count > std::numeric_limits<std::int32_t>::max()) {
    throw std::length_error("too many tasks in one loop");
  }
  Slot& slot = *slot_;
  slot.body = &body;
  slot.done.store(0, std::memory_order_relaxed);
  slot.ticket.store(static_cast<std::uint64_t>(count) << kCountShift);
  const State state = unpack(pool_->state_.load());
  const std::uint64_t busy = std::max<std::uint64_t>(state.leaders, 1) + state.active;
  if (busy < pool_->most_) {
    pool_->wake(std::min<std::uint64_t>(count - 1, pool_->most_ - busy), state.asleep);
  }
  while (slot.take_task(0)) {
  }
  for (std::uint32_t done; (done = slot.done.load(std::memory_order_acquire)) != count;) {
    wait_while(slot.done, done);
  }
  if (slot.error) std::rethrow_exception(std::exchange(slot.error, nullptr));
}

}  // namespace smll
