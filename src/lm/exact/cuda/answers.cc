#include "lm/exact/cuda/answers.h"

#include <algorithm>
#include <utility>

#include "lm/exact/cuda/rooms.h"

namespace smll::exact::cuda {
namespace {

constexpr std::uint32_t kAnswerThreads = 256;

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

Answers::Answers(std::shared_ptr<Device> device, ThreadPool::Client& pool, const Logits& logits,
                 std::span<const lm::Decision> decisions)
    : device_(std::move(device)), pool_(pool), logits_(logits), asked_(logits.rows) {
  if (decisions.empty()) return;
  std::vector<Decision> table;
  table.reserve(decisions.size());
  for (const lm::Decision& d : decisions) table.push_back({d.lo, d.hi, d.first_part ? 1u : 0u});
  decisions_ = device_->allocate(table.size() * sizeof(Decision));
  sums_ = device_->allocate(logits_.rows * sum_count(logits_.count) * sizeof(std::uint64_t));
  device_->upload(decisions_.get(), table.data(), table.size() * sizeof(Decision));
  device_->finish();
}

void Answers::give(std::span<const Row> rows, const RowSink& sink, Questions* questions) {
  if (!decisions_) questions = nullptr;
  // While the device still computes the logits.
  pool_.run(rows.size(), [&](std::size_t r, int) {
    Asked& asked = asked_[r];
    asked.middles.clear();
    asked.wanted =
        questions ? questions->ask(rows[r].input, rows[r].index, asked.middles) : Wanted::kLogits;
  });
  const std::span<Asked> asked = std::span(asked_).first(rows.size());
  fetch_logits(asked);
  const bool all_logits =
      std::ranges::all_of(asked, [](const Asked& row) { return row.wanted == Wanted::kLogits; });
  if (!all_logits) {
    const Frequencies from = make_frequencies(rows.size());
    fetch_some(from, asked);
    fetch_all(from, asked);
  }
  device_->finish();
  pool_.run(rows.size(), [&](std::size_t r, int thread) {
    const Row& row = rows[r];
    if (asked[r].wanted == Wanted::kLogits) {
      sink(row.input, row.index, logits_of(r), thread);
    } else {
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
    if (!host_logits_) host_logits_ = device_->allocate_host(logits_.rows * row_bytes);
    device_->download(host_logits_.get() + first * row_bytes,
                      logits_.values + first * logits_.stride, (end - first) * row_bytes);
  }
}

Frequencies Answers::make_frequencies(std::size_t rows) {
  const Frequencies to = {logits_.values, reinterpret_cast<std::uint64_t*>(sums_.get()),
                          logits_.stride, static_cast<std::uint32_t>(sum_count(logits_.count)),
                          static_cast<std::uint32_t>(logits_.count)};
  device_->start(
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
  questions_.reserve(*device_, count * sizeof(Question));
  some_.reserve(*device_, count * sizeof(std::uint16_t));
  auto* next = questions_.on_host<Question>();
  for (std::size_t r = 0; r < asked.size(); ++r) {
    if (asked[r].wanted != Wanted::kSomeDecisions) continue;
    for (const std::uint32_t middle : asked[r].middles) {
      *next++ = {static_cast<std::uint32_t>(r), middle};
    }
  }
  device_->upload(questions_.device.get(), questions_.host.get(), count * sizeof(Question));
  device_->start(kSomeDecisions, {blocks_of(count), 1, kAnswerThreads, 0},
                 SomeDecisionsArgs{from, table(), questions_.on_device<Question>(),
                                   some_.on_device<std::uint16_t>(), count});
  device_->download(some_.host.get(), some_.device.get(), count * sizeof(std::uint16_t));
}

void Answers::fetch_all(const Frequencies& from, std::span<Asked> asked) {
  std::size_t count = 0;
  rows_.reserve(*device_, asked.size() * sizeof(std::uint32_t));
  for (std::size_t r = 0; r < asked.size(); ++r) {
    if (asked[r].wanted != Wanted::kAllDecisions) continue;
    asked[r].first = count * logits_.count;
    rows_.on_host<std::uint32_t>()[count++] = static_cast<std::uint32_t>(r);
  }
  if (count == 0) return;
  const std::size_t bytes = count * logits_.count * sizeof(std::uint16_t);
  all_.reserve(*device_, bytes);
  device_->upload(rows_.device.get(), rows_.host.get(), count * sizeof(std::uint32_t));
  device_->start(kAllDecisions,
                 {blocks_of(logits_.count), static_cast<std::uint32_t>(count), kAnswerThreads, 0},
                 AllDecisionsArgs{from, table(), rows_.on_device<std::uint32_t>(),
                                  all_.on_device<std::uint16_t>()});
  device_->download(all_.host.get(), all_.device.get(), bytes);
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
