// Starts of kernels that are the same batch after batch, as those of all layers: they are gathered,
// and where all of them are what they were before, run at once as a graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <vector>

#include "lm/exact/cuda/device.h"

namespace smll::exact::cuda {

class Steps {
 public:
  explicit Steps(Queue& queue) : queue_(queue) {}

  template <class Args>
  void add(Kernel kernel, const Grid& grid, const Args& args) {
    static_assert(alignof(Args) <= alignof(std::max_align_t));
    add(kernel, grid, &args, sizeof args);
  }
  // Forgets what was added.
  void clear();
  // Starts all that was added, and forgets it. Nothing that these kernels read or write may be
  // freed before.
  void run();

 private:
  // What a start is made of, as bytes: two lists of starts are the same where these are.
  using Words = std::vector<std::uint64_t>;
  struct Known {
    Words words;
    Queue::Graph graph;  // null until it is met again
  };

  void add(Kernel kernel, const Grid& grid, const void* args, std::size_t bytes);
  std::vector<Start> starts() const;

  Queue& queue_;
  Words words_;
  std::vector<std::size_t> places_;  // of starts in `words_`
  std::list<Known> known_;           // the last used in front
};

}  // namespace smll::exact::cuda
