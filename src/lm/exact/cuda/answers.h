// What becomes of logits that a device holds: they are handed out or, where there are questions,
// the answers, which are much less to copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "lm/decisions.h"
#include "lm/exact/cuda/device_code.h"
#include "lm/exact/ops.h"

namespace smll::exact::cuda {

class Answers {
 public:
  // Where the device has up to `rows` rows of logits at once: `count` each, `stride` from row to
  // row.
  struct Logits {
    float* values;
    std::size_t rows, count, stride;
  };

  // `pool`'s threads ask and hand out. `decisions`: of the logits' rows, or empty: then logits are
  // the answer to all questions.
  // `queue`, in which the logits are computed, must outlive it.
  Answers(Queue& queue, ThreadPool::Client& pool, const Logits& logits,
          std::span<const lm::Decision> decisions);

  // Whether tokens can be asked for.
  bool decodes() const { return decisions_ != nullptr; }

  // What is wanted of the logits that follow `rows`, the first ones of those that the device has:
  // logits where `questions` is null. Logits do not outlast questions.
  void give(std::span<const Row> rows, const RowSink& sink, Questions* questions);

 private:
  using Wanted = Questions::Wanted;

  // The same array in the host's and in the device's memory.
  struct Array {
    Memory host, device;
    std::size_t bytes = 0;

    void reserve(Device& gpu, std::size_t bytes_wanted);
    template <class T>
    T* on_host() const {
      return reinterpret_cast<T*>(host.get());
    }
    template <class T>
    T* on_device() const {
      return reinterpret_cast<T*>(device.get());
    }
  };

  // What is asked about a row, and which answer is its first.
  struct Asked {
    Wanted wanted = Wanted::kLogits;
    std::vector<std::uint32_t> middles;
    std::size_t first = 0;
    lm::CodedToken coded;  // of kToken
  };

  void fetch_logits(std::span<const Asked> asked);
  Frequencies make_frequencies(std::size_t rows);
  void fetch_some(const Frequencies& from, std::span<Asked> asked);
  void fetch_all(const Frequencies& from, std::span<Asked> asked);
  void fetch_tokens(const Frequencies& from, std::span<Asked> asked);
  void give_tokens(std::span<const Asked> asked);
  const Decision* table() const;
  std::span<const float> logits_of(std::size_t r) const;
  std::span<const std::uint16_t> answers_to(const Asked& asked) const;

  Queue& queue_;
  ThreadPool::Client& pool_;
  const Logits logits_;
  Memory decisions_, sums_;         // null where logits answer all
  Memory host_logits_;              // null until they are wanted
  std::vector<Asked> asked_;        // by row
  Array questions_, some_;          // of single decisions, and the answers
  Array rows_, all_;                // whose decisions are all wanted, and these
  std::uint32_t root_ = 0;          // of the decisions
  Array runs_, coded_;              // of codes, and their tokens
  Array tokens_, states_;           // these, and where the codes stand behind them
  std::vector<DeviceCode*> codes_;  // by run
};

}  // namespace smll::exact::cuda
