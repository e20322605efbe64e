#include "api/many.h"

#include <new>
#include <utility>

#include "codec/frame_codec.h"

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
    return {{}, Error(ErrorKind::kMemory, "not enough memory")};
  }
}

// Whether compressing the text fails without the model. Longer ones decide it frame by frame.
bool needs_model(ByteView text, const WriteOptions& options) {
  return text.size() <= kCompactLimit &&
         codec::FrameCodec::wants_model(
             text, {static_cast<codec::Experts>(options.experts), options.lanes});
}

}  // namespace

std::vector<Result> compress_many(const Model& model, const WriteOptions& options,
                                  std::span<const ByteView> texts, const Progress& progress) {
  Overall overall(progress ? progress : options.progress);
  const Compressor single(model, with_progress(options, overall));
  std::optional<Error> no_model;
  std::vector<Result> results;
  results.reserve(texts.size());
  for (const ByteView text : texts) {
    if (no_model && needs_model(text, options)) {
      results.push_back({{}, no_model});
    } else {
      results.push_back(result_of(overall, [&] { return single.compress(text); }));
    }
    const Result& result = results.back();
    if (result.error && result.error->kind() == ErrorKind::kModel) no_model = result.error;
    overall.count(text.size(), result.bytes.size());
  }
  return results;
}

std::vector<Result> decompress_many(const Model& model, const WriteOptions& options,
                                    std::span<const ByteView> archives, const Limits& limits,
                                    const Progress& progress) {
  Overall overall(progress ? progress : options.progress);
  const Compressor single(model, with_progress(options, overall));
  std::vector<Result> results;
  results.reserve(archives.size());
  for (const ByteView archive : archives) {
    results.push_back(result_of(overall, [&] { return single.decompress(archive, limits); }));
    overall.count(results.back().bytes.size(), archive.size());
  }
  return results;
}

}  // namespace smll::api
