#include "base/start_threads.h"

#include <sys/mman.h>

#include <new>
#include <system_error>
#include <utility>

namespace smll {
namespace {

// Address space that threads' stacks cannot take, for what the threads are to do: where memory is
// limited, starting as many as there is room for would leave none to work with. (glibc ends the
// process where a thread has no memory for its first thread-local object.)
class SpareMemory {
 public:
  SpareMemory() = default;
  ~SpareMemory() {
    for (const auto& [at, bytes] : pieces_) munmap(at, bytes);
  }
  SpareMemory(const SpareMemory&) = delete;
  SpareMemory& operator=(const SpareMemory&) = delete;

  // False where there is no more. Throws std::bad_alloc.
  bool add(std::size_t megabytes) {
    const std::size_t bytes = megabytes << 20;
    pieces_.reserve(pieces_.size() + 1);
    void* at = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return false;
    pieces_.emplace_back(at, bytes);
    return true;
  }

 private:
  std::vector<std::pair<void*, std::size_t>> pieces_;
};

constexpr std::size_t kSpareMegabytes = 64, kSpareMegabytesEach = 2;
// glibc's malloc gives each of the first threads that ask it for memory, up to eight a processor,
// an arena of its own: 64 MiB of address space (HEAP_MAX_SIZE), twice that while it looks for an
// aligned place.
constexpr std::size_t kArenaMegabytes = 64, kArenasPerProcessor = 8;

}  // namespace

void start_threads(std::size_t count, const std::function<void(std::size_t index)>& body,
                   std::vector<std::thread>& threads) {
  threads.reserve(threads.size() + count);
  SpareMemory spare;
  try {
    // What several engines take for each thread, at the default window, comes to some megabytes.
    if (!spare.add(kSpareMegabytes + kArenaMegabytes)) return;
    const std::size_t arenas = kArenasPerProcessor * std::thread::hardware_concurrency();
    for (std::size_t i = 1; i <= count; ++i) {
      if (!spare.add(kSpareMegabytesEach + (i < arenas ? kArenaMegabytes : 0))) return;
      threads.emplace_back(body, i);
    }
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace smll
