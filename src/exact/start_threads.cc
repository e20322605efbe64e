#include "exact/start_threads.h"

#include <sys/mman.h>

#include <atomic>
#include <new>
#include <system_error>

namespace smll::exact {
namespace {

// Address space that threads' stacks cannot take, for what the threads are to do: where memory is
// limited, starting as many as there is room for would leave none to work with. (glibc ends the
// process where a thread has no memory for its first thread-local object.)
class SpareMemory {
 public:
  SpareMemory() : at_(mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  ~SpareMemory() {
    if (at_ != MAP_FAILED) munmap(at_, kBytes);
  }
  SpareMemory(const SpareMemory&) = delete;
  SpareMemory& operator=(const SpareMemory&) = delete;

  explicit operator bool() const { return at_ != MAP_FAILED; }

 private:
  static constexpr std::size_t kBytes = std::size_t{64} << 20;
  void* at_;
};

}  // namespace

void start_threads(std::size_t count, const std::function<void(std::size_t index)>& body,
                   std::vector<std::thread>& threads) {
  threads.reserve(threads.size() + count);
  const SpareMemory spare;
  if (!spare) return;
  try {
    for (std::size_t i = 1; i <= count; ++i) threads.emplace_back(body, i);
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  }
}

void run_together(std::size_t wanted, const std::function<void(std::size_t count)>& prepare,
                  const std::function<void(std::size_t index)>& body) {
  enum : int { kWait, kRun, kLeave };
  std::atomic<int> order{kWait};
  std::vector<std::thread> threads;
  const auto tell = [&](int what) {
    order = what;
    order.notify_all();
  };
  start_threads(
      wanted - 1,
      [&](std::size_t index) {
        order.wait(kWait);
        if (order == kRun) body(index);
      },
      threads);
  const auto join = [&] {
    for (std::thread& thread : threads) thread.join();
  };
  try {
    prepare(threads.size() + 1);
  } catch (...) {
    tell(kLeave);
    join();
    throw;
  }
  tell(kRun);
  body(0);
  join();
}

}  // namespace smll::exact
