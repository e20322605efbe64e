#include "base/zeroed_table.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace smll {
namespace {

constexpr std::size_t kLine = 64;
// Of memory that lies anywhere, half of so much at least is whole large pages.
constexpr std::size_t kWorthLargePages = std::size_t{4} << 20;

// Memory's beginning shares a page with the allocator's own, which is left alone.
void ask_for_large_pages(void* memory, std::size_t bytes) {
#ifdef MADV_HUGEPAGE
  static const long page = sysconf(_SC_PAGESIZE);
  std::size_t space = bytes;
  if (std::align(static_cast<std::size_t>(page), 1, memory, space) != nullptr)
    madvise(memory, space, MADV_HUGEPAGE);
#else
  (void)memory;
  (void)bytes;
#endif
}

}  // namespace

ZeroedMemory::ZeroedMemory(std::size_t bytes) {
  if (bytes > PTRDIFF_MAX - kLine) throw std::bad_alloc();  // no object is larger
  std::size_t space = bytes + kLine;
  memory_.reset(std::calloc(space, 1));
  if (memory_ == nullptr) throw std::bad_alloc();
  data_ = memory_.get();
  std::align(kLine, bytes, data_, space);
  if (bytes >= kWorthLargePages) ask_for_large_pages(data_, bytes);
}

}  // namespace smll
