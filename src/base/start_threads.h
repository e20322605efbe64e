// Threads where the machine gives them. A limit of processes or of memory is no error: what some
// threads were to do, fewer can do.
#pragma once

#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace smll {

// Starts threads that call body(1), body(2), ... body(count) and appends them to `threads`; fewer
// of them, the first ones, where no more can be started. `body` must not throw. Throws
// std::bad_alloc only before it starts any.
void start_threads(std::size_t count, const std::function<void(std::size_t index)>& body,
                   std::vector<std::thread>& threads);

// Calls body(0) here and body(1), ... body(count - 1) in threads of their own, all at the same
// time, and returns when they are done. `count` is `wanted` or, where no more threads can be
// started, less; prepare(count) is called before any of them. Rethrows what `prepare` throws;
// `body` must not throw.
void run_together(std::size_t wanted, const std::function<void(std::size_t count)>& prepare,
                  const std::function<void(std::size_t index)>& body);

}  // namespace smll
