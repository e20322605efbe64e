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

}  // namespace smll
