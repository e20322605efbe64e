#include "lm/exact/cuda/answers.h"

#include <algorithm>
#include <utility>

#include "lm/exact/cuda/rooms.h"
#include "text/vocabulary.h"

namespace smll::exact::cuda {
namespace {

constexpr std::uint32_t kAnswerThreads = 256;
static_assert(kNoRow == text::Vocabulary::kNoRow);

std::uint32_t blocks_of(std::size_t count) {
  return static_cast<std::uint32_t>((count + kAnswerThreads - 1) / kAnswerThreads);
}

std::size_t sum_count(std::size_t count) { return count / kSumEntries + 1; }

}  // namespace

// What it held is lost.
void Answers::Array::reserve(Device& gpu, std::size_t bytes_wanted) {
  if (bytes_wanted <= bytes) return;
  const std::size_t size = std::max(bytes_wanted, 2 * bytes);
  bytes = 0;
  host = nullptr;
  device = nullptr;
  host = gpu.allocate_host(size);
  device = gpu.allocate(size);
  bytes = size;
}

Answers::Answers(Queue& queue, ThreadPool::Client& pool, const Logits& logits,
                 std::span<const lm::Decision> decisions)
    : queue_(queue), pool_(pool), logits_(logits), asked_(logits.rows) {
  if (decisions.empty()) return;
  root_ = lm::root_of(decisions);
  std::vector<Decision> table;
  table.reserve(decisions.size());
  for (const lm::Decision& d : decisions) {
    table.push_back({d.lo, d.hi, d.first_part ? 1u : 0u, d.depth, d.next_first, d.next_last});
  }
  decisions_ = queue_.device().allocate(table.size() * sizeof(Decision));
  sums_ = queue_.device().allocate(logits_.rows * sum_count(logits_.count) * sizeof(std::uint64_t));
  queue_.upload(decisions_.get(), table.data(), table.size() * sizeof(Decision));
  queue_.finish();
}

void Answers::give(std::span<const Row> rows, const RowSink& sink, Questions* questions) {
  if (!decisions_) questions = nullptr;
  // While the device still computes the logits.
  pool_.run(rows.size(), [&](std::size_t r, int) {
    Asked& asked = asked_[r];
    asked.middles.clear();
    asked.wanted =
        questions ? questions->ask(rows[r].input, rows[r].index, asked.middles) : Wanted::kLogits;
    if (asked.wanted == Wanted::kToken) {
      asked.coded = questions->coded(rows[r].input, rows[r].index);
    }
  });
  const std::span<Asked> asked = std::span(asked_).first(rows.size());
  fetch_logits(asked);
  const bool all_logits =
      std::ranges::all_of(asked, [](const Asked& row) { return row.wanted == Wanted::kLogits; });
  if (!all_logits) {
    const Frequencies from = make_frequencies(rows.size());
    fetch_some(from, asked);
    fetch_all(from, asked);
    fetch_tokens(from, asked);
  }
  queue_.finish();
  give_tokens(asked);
  pool_.run(rows.size(), [&](std::size_t r, int thread) {
    const Row& row = rows[r];
    if (asked[r].wanted == Wanted::kLogits) {
      sink(row.input, row.index, logits_of(r), thread);
    } else if (asked[r].wanted != Wanted::kToken) {
      questions->answer(row.input, row.index, answers_to(asked[r]));
    }
  });
}

// Those that are wanted, before they become frequencies.
void Answers::fetch_logits(std::span<const Asked> asked) {
  for (std::size_t end = 0; end < asked.size(); ++end) {
    const std::size_t first = end;
    while (end < asked.size() && asked[end].wanted == Wanted::kLogits) ++end;
    if (end == first) continue;
    const std::size_t row_bytes = logits_.stride * sizeof(float);
    if (!host_logits_) host_logits_ = queue_.device().allocate_host(logits_.rows * row_bytes);
    queue_.download(host_logits_.get() + first * row_bytes, logits_.values + first * logits_.stride,
                    (end - first) * row_bytes);
  }
}

Frequencies Answers::make_frequencies(std::size_t rows) {
  const Frequencies to = {logits_.values, reinterpret_cast<std::uint64_t*>(sums_.get()),
                          logits_.stride, static_cast<std::uint32_t>(sum_count(logits_.count)),
                          static_cast<std::uint32_t>(logits_.count)};
  queue_.start(
      kFrequencies,
      {static_cast<std::uint32_t>(rows), 1, kAnswerThreads, frequencies_room(kAnswerThreads)}, to);
  return to;
}

void Answers::fetch_some(const Frequencies& from, std::span<Asked> asked) {
  std::size_t count = 0;
  for (Asked& row : asked) {
    if (row.wanted != Wanted::kSomeDecisions) continue;
    row.first = count;
    count += row.middles.size();
  }
  if (count == 0) return;
  questions_.reserve(queue_.device(), count * sizeof(Question));
  some_.reserve(queue_.device(), count * sizeof(std::uint16_t));
  auto* next = questions_.on_host<Question>();
  for (std::size_t r = 0; r < asked.size(); ++r) {
    if (asked[r].wanted != Wanted::kSomeDecisions) continue;
    for (const std::uint32_t middle : asked[r].middles) {
      *next++ = {static_cast<std::uint32_t>(r), middle};
    }
  }
  queue_.upload(questions_.device.get(), questions_.host.get(), count * sizeof(Question));
  queue_.start(kSomeDecisions, {blocks_of(count), 1, kAnswerThreads, 0},
               SomeDecisionsArgs{from, table(), questions_.on_device<Question>(),
                                 some_.on_device<std::uint16_t>(), count});
  queue_.download(some_.host.get(), some_.device.get(), count * sizeof(std::uint16_t));
}

void Answers::fetch_all(const Frequencies& from, std::span<Asked> asked) {
  std::size_t count = 0;
  rows_.reserve(queue_.device(), asked.size() * sizeof(std::uint32_t));
  for (std::size_t r = 0; r < asked.size(); ++r) {
    if (asked[r].wanted != Wanted::kAllDecisions) continue;
    asked[r].first = count * logits_.count;
    rows_.on_host<std::uint32_t>()[count++] = static_cast<std::uint32_t>(r);
  }
  if (count == 0) return;
  const std::size_t bytes = count * logits_.count * sizeof(std::uint16_t);
  all_.reserve(queue_.device(), bytes);
  queue_.upload(rows_.device.get(), rows_.host.get(), count * sizeof(std::uint32_t));
  queue_.start(kAllDecisions,
               {blocks_of(logits_.count), static_cast<std::uint32_t>(count), kAnswerThreads, 0},
               AllDecisionsArgs{from, table(), rows_.on_device<std::uint32_t>(),
                                all_.on_device<std::uint16_t>()});
  queue_.download(all_.host.get(), all_.device.get(), bytes);
}

void Answers::fetch_tokens(const Frequencies& from, std::span<Asked> asked) {
  const auto count =
      static_cast<std::size_t>(std::ranges::count(asked, Wanted::kToken, &Asked::wanted));
  codes_.clear();
  if (count == 0) return;
  Device& gpu = queue_.device();
  runs_.reserve(gpu, count * sizeof(CodedRun));
  states_.reserve(gpu, count * sizeof(Code));
  coded_.reserve(gpu, count * sizeof(Coded));
  tokens_.reserve(gpu, count * sizeof(std::uint32_t));
  std::uint32_t next = 0;
  for (std::size_t r = 0; r < asked.size(); ++r) {
    if (asked[r].wanted != Wanted::kToken) continue;
    auto* const code = static_cast<DeviceCode*>(asked[r].coded.code);
    if (codes_.empty() || codes_.back() != code) {
      runs_.on_host<CodedRun>()[codes_.size()] = {code->on_device(), next, 0};
      codes_.push_back(code);
    }
    ++runs_.on_host<CodedRun>()[codes_.size() - 1].count;
    const std::size_t room = std::min<std::size_t>(asked[r].coded.room, UINT32_MAX);
    coded_.on_host<Coded>()[next++] = {static_cast<std::uint32_t>(r),
                                       static_cast<std::uint32_t>(room)};
  }
  queue_.upload(runs_.device.get(), runs_.host.get(), codes_.size() * sizeof(CodedRun));
  queue_.upload(coded_.device.get(), coded_.host.get(), count * sizeof(Coded));
  queue_.start(kDecode, {static_cast<std::uint32_t>(codes_.size()), 1, 1, 0},
               DecodeArgs{from, table(), runs_.on_device<CodedRun>(), coded_.on_device<Coded>(),
                          tokens_.on_device<std::uint32_t>(), states_.on_device<Code>(), root_, 0});
  queue_.download(tokens_.host.get(), tokens_.device.get(), count * sizeof(std::uint32_t));
  queue_.download(states_.host.get(), states_.device.get(), codes_.size() * sizeof(Code));
}

void Answers::give_tokens(std::span<const Asked> asked) {
  for (std::size_t i = 0; i < codes_.size(); ++i) codes_[i]->go_to(states_.on_host<Code>()[i]);
  const auto* next = tokens_.on_host<std::uint32_t>();
  for (const Asked& row : asked) {
    if (row.wanted == Wanted::kToken) *row.coded.row = *next++;
  }
}

const Decision* Answers::table() const {
  return reinterpret_cast<const Decision*>(decisions_.get());
}

std::span<const float> Answers::logits_of(std::size_t r) const {
  const auto* const logits = reinterpret_cast<const float*>(host_logits_.get());
  return {logits + r * logits_.stride, logits_.count};
}

std::span<const std::uint16_t> Answers::answers_to(const Asked& asked) const {
  if (asked.wanted == Wanted::kAllDecisions) {
    return {all_.on_host<std::uint16_t>() + asked.first, logits_.count};
  }
  return {some_.on_host<std::uint16_t>() + asked.first, asked.middles.size()};
}

}  // namespace smll::exact::cuda
