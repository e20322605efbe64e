#include "lm/exact/engine.h"

#include <algorithm>
#include <utility>

#include "base/fp_env.h"
#include "lm/exact/arithmetic_check.h"
#include "lm/exact/cpu_ops.h"
#include "lm/exact/cuda/cuda_ops.h"
#include "lm/exact/forward.h"
#include "smll/error.h"

namespace smll::exact {

namespace {

constexpr int kMaxLanes = 4096;

}  // namespace

Engine::Engine(std::shared_ptr<const weights::Weights> model, const EngineOptions& options)
    : model_(std::move(model)),
      kernels_(kernels_for(options.isa)),
      pool_(options.pool ? options.pool : std::make_shared<ThreadPool>(options.threads)),
      learns_(options.learns),
      window_(options.window) {
  if (options.window < kMinWindow || options.window > kMaxWindow) {
    throw Error(ErrorKind::kUsage, "the window must be between 2 and 65536 tokens");
  }
  const FpEnv environment;
  check_processor(kernels_);
  if (options.device) {
    if (learns_) throw Error(ErrorKind::kUsage, "a GPU does not learn; use --device cpu");
    ops_ = std::make_unique<cuda::CudaOps>(model_, options.device, pool_, options.window,
                                           options.decisions);
    return;
  }
  ops_ = std::make_unique<CpuOps>(model_,
                                  CpuOps::Options{kernels_, pool_, options.window, options.learns});
}

Engine::~Engine() = default;

std::size_t Engine::device_lanes(const weights::Weights& model, const EngineOptions& options) {
  return cuda::CudaOps::lanes(model, *options.device, options.window);
}

std::uint64_t Engine::context_memory(const weights::Weights& model, const EngineOptions& options,
                                     std::size_t tokens) {
  return CpuOps::context_memory(model, options.window, tokens);
}

std::uint64_t Engine::memory(const weights::Weights& model, const EngineOptions& options,
                             std::span<const std::size_t> lane_tokens, int engines) {
  const int threads = options.pool ? options.pool->threads() : thread_count(options.threads);
  std::uint64_t bytes = CpuOps::memory(model, options.window, options.learns, threads, engines);
  for (const std::size_t tokens : lane_tokens) bytes += context_memory(model, options, tokens);
  return bytes;
}

std::size_t Engine::rows() const { return static_cast<std::size_t>(model_->head().outputs); }
int Engine::max_lanes() const { return learns_ ? 1 : kMaxLanes; }
Token Engine::start_token() const { return model_->start_token(); }

int Engine::open_lane(std::shared_ptr<const lm::KeptContext> begin) {
  const auto closed = std::ranges::find_if(lanes_, [](const Lane& lane) { return !lane.open; });
  const auto number = static_cast<int>(closed - lanes_.begin());
  if (number == max_lanes()) throw Error(ErrorKind::kUsage, "no more lanes can be opened");
  const std::uint64_t position = begin ? begin->positions() : 0;
  ops_->open_lane(number, std::move(begin));
  if (closed == lanes_.end()) lanes_.emplace_back();
  lanes_[number] = {true, position, position > 0};
  return number;
}

void Engine::close_lane(int lane) {
  open(lane) = {};
  ops_->close_lane(lane);
}

std::shared_ptr<const lm::KeptContext> Engine::keep_lane(int lane) {
  const Lane& kept = open(lane);
  if (kept.kept || learns_ || kept.position > static_cast<std::uint64_t>(window_)) {
    throw Error(ErrorKind::kUsage, "this lane's context cannot be kept");
  }
  std::shared_ptr<const lm::KeptContext> context = ops_->keep_lane(lane);
  lanes_[lane] = {};
  return context;
}

void Engine::reset(int lanes) {
  if (lanes < 1 || lanes > max_lanes()) {
    throw Error(ErrorKind::kUsage, "the number of lanes must be between 1 and 4096, 1 to learn");
  }
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (lanes_[lane].open) close_lane(static_cast<int>(lane));
  }
  lanes_.clear();
  for (int lane = 0; lane < lanes; ++lane) open_lane();
}

Engine::Lane& Engine::open(int lane) {
  if (lane < 0 || lane >= static_cast<int>(lanes_.size()) || !lanes_[lane].open) {
    throw Error(ErrorKind::kUsage, "there is no such lane");
  }
  return lanes_[lane];
}

std::size_t Engine::max_guesses(int lane) const {
  if (!learns_) return kMaxRows / 2;
  return Learner::kStep - 1 - lanes_[lane].position % Learner::kStep;
}

void Engine::take_back(int lane, std::size_t count) {
  Lane& taken = open(lane);
  taken.position -= count;
  ops_->forget(lane, taken.position, count);
}

void Engine::feed(std::span<const LaneTokens> batch, const RowSink& sink, Questions* questions) {
  const FpEnv environment;
  const KernelScope scope(kernels_);
  flatten(batch);
  const auto layers = static_cast<int>(model_->layers().size());
  while (take_batch()) forward(*ops_, layers, batch_, sink, questions, times_);
}

// The next rows to be computed at once: of the first inputs that have some left, as many as go into
// a batch; where the engine learns, none beyond a step. False when there are none.
bool Engine::take_batch() {
  batch_.clear();
  for (std::span<const Row>& left : left_) {
    const std::size_t room = ops_->max_rows() - batch_.size();
    if (room == 0) break;
    if (left.empty()) continue;
    const std::size_t step =
        learns_ ? Learner::kStep - left[0].position % Learner::kStep : kMaxRows;
    const auto taken = left.first(std::min({left.size(), room, step}));
    batch_.insert(batch_.end(), taken.begin(), taken.end());
    left = left.subspan(taken.size());
  }
  return !batch_.empty();
}

void Engine::flatten(std::span<const LaneTokens> batch) {
  rows_.clear();
  std::vector<bool> seen(lanes_.size());
  for (std::size_t input = 0; input < batch.size(); ++input) {
    const LaneTokens& in = batch[input];
    Lane& lane = open(in.lane);
    if (seen[in.lane]) throw Error(ErrorKind::kUsage, "a batch names a lane twice");
    seen[in.lane] = true;
    for (std::size_t i = 0; i < in.tokens.size(); ++i) {
      rows_.push_back({input, i, in.lane, in.tokens[i], lane.position++});
    }
  }
  left_.clear();
  std::size_t first = 0;
  for (const LaneTokens& in : batch) {
    left_.push_back(std::span<const Row>(rows_).subspan(first, in.tokens.size()));
    first += in.tokens.size();
  }
}

std::unique_ptr<Engine> make_engine(const std::string& gguf_path, const EngineOptions& options) {
  return std::make_unique<Engine>(
      weights::Weights::load(gguf_path, weights::Coding{options.row_order}, options.threads),
      options);
}

}  // namespace smll::exact
