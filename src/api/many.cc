#include "api/many.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "api/compact_checks.h"
#include "api/internals.h"
#include "codec/compact_stream.h"
#include "codec/frame_codec.h"
#include "codec/frame_decoding.h"
#include "codec/scheduler.h"
#include "codec/size_code.h"
#include "format/compact.h"
#include "format/limits.h"

namespace smll::api {
namespace {

// The progress of all items. What it throws ends the whole; what work on an item throws does not.
class Overall {
 public:
  explicit Overall(const Progress& progress) : progress_(progress) {}

  void report() {
    if (!progress_) return;
    try {
      progress_(stats_);
    } catch (...) {
      cancelled_ = true;
      throw;
    }
  }
  void count(std::size_t raw_bytes, std::size_t archive_bytes) {
    stats_.items += 1;
    stats_.raw_bytes += raw_bytes;
    stats_.archive_bytes += archive_bytes;
    report();
  }
  bool cancelled() const { return cancelled_; }

 private:
  const Progress& progress_;
  Stats stats_;
  bool cancelled_ = false;
};

// The options with a progress that reports `overall`, which must outlive them.
WriteOptions with_progress(WriteOptions options, Overall& overall) {
  options.progress = [&overall](const Stats& /*of one item*/) { overall.report(); };
  return options;
}

Error out_of_memory() { return {ErrorKind::kMemory, "not enough memory"}; }

// What `work` gives, or the Error that it throws.
template <class Work>
Result result_of(const Overall& overall, const Work& work) {
  try {
    return {work(), {}};
  } catch (const Error& error) {
    if (overall.cancelled()) throw;
    return {{}, error};
  } catch (const std::bad_alloc&) {
    if (overall.cancelled()) throw;
    return {{}, out_of_memory()};
  }
}

// An item that was started: work that is on its way, or nothing where it is done at its turn.
struct Started {
  std::size_t bytes = 0;  // of text
  std::function<void(const void* caller)> start;
  std::function<void()> cancel;
  std::function<Bytes(const codec::Progress&)> finish;
  std::optional<Error> error;  // it could not be started
};

// A stream that is on its way. What was not finished is cancelled and waited for.
class Run {
 public:
  Run(codec::Scheduler& scheduler, std::shared_ptr<codec::Stream> stream)
      : scheduler_(scheduler), stream_(std::move(stream)) {}
  ~Run() {
    cancel();
    try {
      finish({});
    } catch (...) {  // cancelled
    }
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void start(const void* caller) { ticket_ = scheduler_.submit(stream_, caller); }
  void cancel() {
    if (ticket_) codec::Scheduler::cancel(ticket_);
  }
  void finish(const codec::Progress& progress) {
    if (ticket_) scheduler_.wait(std::exchange(ticket_, nullptr), progress);
  }

 private:
  codec::Scheduler& scheduler_;
  const std::shared_ptr<codec::Stream> stream_;
  std::shared_ptr<codec::Scheduler::Ticket> ticket_;
};

// `work` has start(), cancel() and a destructor that waits; `finish` gives the item's bytes.
template <class Work, class Finish>
Started started(std::size_t bytes, std::shared_ptr<Work> work, Finish finish) {
  return {bytes,
          [work](const void* caller) { work->start(caller); },
          [work] { work->cancel(); },
          [work, finish](const codec::Progress& progress) { return finish(*work, progress); },
          {}};
}

// Items on their way: enough to keep all lanes busy while the first of them is waited for.
constexpr std::size_t kItemsAhead = 512;
constexpr std::size_t kBytesAhead = std::size_t{8} << 20;

// Starts items before their turn and gives their results in order.
class Items {
 public:
  // `start` may throw what is the item's error. `single` does at its turn what has no stream.
  using Start = std::function<Started(std::size_t item)>;
  using Single = std::function<Bytes(std::size_t item)>;

  Items(std::size_t count, Overall& overall, Start start, Single single)
      : count_(count), overall_(overall), start_(std::move(start)), single_(std::move(single)) {}
  // What is on its way is told to stop, and is waited for: it works on the caller's data.
  ~Items() {
    for (const Started& item : ahead_) {
      if (item.cancel) item.cancel();
    }
  }
  Items(const Items&) = delete;
  Items& operator=(const Items&) = delete;

  Result next() {
    while (started_ < count_ && ahead_.size() < kItemsAhead && bytes_ < kBytesAhead) start_one();
    const Started& item = ahead_.front();
    Result result = result_of(overall_, [&] { return finish(item); });
    bytes_ -= item.bytes;
    ahead_.pop_front();
    ++done_;
    return result;
  }

 private:
  void start_one() {
    const std::size_t number = started_++;
    Started item;
    try {
      item = start_(number);
    } catch (const Error& error) {
      item.error = error;
    } catch (const std::bad_alloc&) {
      item.error = out_of_memory();
    }
    ahead_.push_back(std::move(item));
    Started& kept = ahead_.back();
    bytes_ += kept.bytes;
    if (kept.start) kept.start(this);
  }

  Bytes finish(const Started& item) {
    if (item.error) throw *item.error;
    if (!item.start) return single_(done_);
    return item.finish([&](std::size_t, std::uint64_t) { overall_.report(); });
  }

  const std::size_t count_;
  Overall& overall_;
  const Start start_;
  const Single single_;
  std::deque<Started> ahead_;
  std::size_t started_ = 0, done_ = 0, bytes_ = 0;
};

// Makes schedulers where they are needed.
class Schedulers {
 public:
  explicit Schedulers(int threads) : threads_(threads) {}

  codec::Scheduler& of(const LoadedModelPtr& model) {
    if (model) return model->scheduler();
    if (!plain_) plain_ = codec::Scheduler::without_model(threads_);
    return *plain_;
  }

 private:
  int threads_;
  std::unique_ptr<codec::Scheduler> plain_;
};

}  // namespace

std::vector<Result> compress_many(const Model& model, const WriteOptions& options,
                                  std::span<const ByteView> texts, const Progress& progress) {
  Overall overall(progress ? progress : options.progress);
  const Compressor single(model, with_progress(options, overall));
  Schedulers schedulers(model.options().threads);
  const auto experts = options.experts;
  LoadedModelPtr loaded;
  std::optional<Error> no_model;
  const auto find_model = [&] {
    if (no_model) throw *no_model;
    try {
      if (!loaded) loaded = Internals::source(model).for_writing();
    } catch (const Error& error) {
      // Finding it out may take long, and once is enough.
      if (error.kind() == ErrorKind::kModel) no_model = error;
      throw;
    }
  };
  const auto start = [&](std::size_t i) -> Started {
    const ByteView text = texts[i];
    if (text.size() > kCompactLimit) return {};
    const bool with_model = codec::FrameCodec::wants_model(text, {experts, options.lanes});
    if (with_model) find_model();
    const LoadedModelPtr needed = with_model ? loaded : nullptr;
    const auto encoder = std::make_shared<codec::CompactEncoder>(text, experts, needed);
    return started(text.size(), std::make_shared<Run>(schedulers.of(needed), encoder),
                   [encoder, text, needed](Run& run, const codec::Progress& progress) {
                     run.finish(progress);
                     return pack(encoder->take(), text, needed);
                   });
  };
  Items items(texts.size(), overall, start,
              [&](std::size_t i) { return single.compress(texts[i]); });
  std::vector<Result> results;
  results.reserve(texts.size());
  for (const ByteView text : texts) {
    results.push_back(items.next());
    overall.count(text.size(), results.back().bytes.size());
  }
  return results;
}

std::vector<Result> decompress_many(const Model& model, const WriteOptions& options,
                                    std::span<const ByteView> archives, const Limits& limits,
                                    const Progress& progress) {
  Overall overall(progress ? progress : options.progress);
  const Compressor single(model, with_progress(options, overall));
  Schedulers schedulers(model.options().threads);
  const std::size_t limit = limits.max_bytes == 0 ? kCompactLimit : limits.max_bytes;
  LoadedModelPtr loaded;
  const auto start = [&](std::size_t i) -> Started {
    const ByteView archive = archives[i];
    // Time that one item takes is only known where it does not share the threads.
    const bool is_short = format::is_short(archive);
    if (limits.max_seconds > 0 || !(is_short || format::is_compact(archive))) return {};
    if (!is_short) {
      const auto decoder = std::make_shared<codec::CompactPlainDecoder>(
          format::compact_method(archive), archive.subspan(format::kCompactOverhead), limit,
          limits.max_memory);
      return started(archive.size(), std::make_shared<Run>(schedulers.of(nullptr), decoder),
                     [decoder, archive](Run& run, const codec::Progress& progress) {
                       run.finish(progress);
                       return checked(archive, decoder->take_data(), nullptr);
                     });
    }
    if (!loaded) loaded = Internals::source(model).for_reading_compact();
    const codec::FrameDecoding::Payload coded{
        format::Method::kMixed, std::min(limit, codec::kMaxCompact),
        archive.subspan(format::kShortOverhead), nullptr, true};
    const auto decoding =
        decoded(archive, [&] { return std::make_shared<codec::FrameDecoding>(loaded, coded); });
    format::check_memory(decoding->memory(), limits.max_memory);
    return started(decoding->lanes()[0], decoding,
                   [archive, loaded](codec::FrameDecoding& work, const codec::Progress& progress) {
                     return decoded(archive, [&] {
                       return checked(archive, work.finish(nullptr, progress), loaded);
                     });
                   });
  };
  Items items(archives.size(), overall, start,
              [&](std::size_t i) { return single.decompress(archives[i], limits); });
  std::vector<Result> results;
  results.reserve(archives.size());
  for (const ByteView archive : archives) {
    results.push_back(items.next());
    overall.count(results.back().bytes.size(), archive.size());
  }
  return results;
}

}  // namespace smll::api
