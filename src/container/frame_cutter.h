// Cuts a stream into frames where its nature changes and before they grow too large.
#pragma once

#include <cstddef>
#include <functional>

#include "smll/io.h"

namespace smll::container {

class FrameCutter {
 public:
  // Looked at to find where text and other data meet.
  static constexpr std::size_t kBlock = std::size_t{64} << 10;

  struct Limits {
    std::size_t with_model;
    std::size_t without_model;
  };
  // True when the model may help with this block.
  using Classify = std::function<bool(ByteView block)>;
  using Emit = std::function<void(ByteView frame)>;

  FrameCutter(Limits limits, Classify classify, Emit emit);

  void write(ByteView data);
  // Emits what is held back, unless there is nothing.
  void flush();

 private:
  std::size_t limit() const {
    return run_wants_model_ ? limits_.with_model : limits_.without_model;
  }
  void end_block();
  void emit_front(std::size_t size);
  std::size_t good_cut(std::size_t limit) const;

  Limits limits_;
  Classify classify_;
  Emit emit_;
  Bytes buffer_;         // a run of blocks of one nature, then the unfinished block
  std::size_t run_ = 0;  // bytes of whole blocks
  bool run_wants_model_ = false;
};

}  // namespace smll::container
