#include "exact/start_threads.h"

#include <atomic>
#include <new>
#include <system_error>

namespace smll::exact {

void start_threads(std::size_t count, const std::function<void(std::size_t index)>& body,
                   std::vector<std::thread>& threads) {
  threads.reserve(threads.size() + count);
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
