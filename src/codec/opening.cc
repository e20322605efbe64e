#include "codec/opening.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "codec/loaded_model.h"
#include "codec/unit_coder.h"

namespace smll::codec {
namespace {

// What was read is coded again by nobody.
struct NoCoder {
  int code(std::uint32_t /*p1*/, int bit) { return bit; }
};

std::size_t size_of(const text::Unit& unit, const text::Vocabulary& vocabulary) {
  return unit.escaped() ? 1 : vocabulary.bytes(unit.row).size();
}

}  // namespace

Opening::Opening(const LoadedModel& model, ByteView text, Readers readers, Bytes sample)
    : model_(model), readers_(readers), sample_(std::move(sample)) {
  units_ = model.tokenizer().tokenize({reinterpret_cast<const char*>(text.data()), text.size()});
  const auto most = static_cast<std::size_t>(model.options().window) / 2;
  if (units_.size() > most) units_.erase(units_.begin(), units_.end() - static_cast<long>(most));
  for (const text::Unit& unit : units_) {
    text_bytes_ += size_of(unit, model.vocabulary());
    if (!unit.escaped()) tokens_.push_back(model.vocabulary().token(unit.row));
  }
}

Token Opening::last_token() const {
  return tokens_.empty() ? model_.start_token() : tokens_.back();
}

std::shared_ptr<const lm::KeptContext> Opening::context() const {
  if (tokens_.empty()) return nullptr;
  const std::lock_guard lock(mutex_);
  if (!context_) context_ = read_text(*model_.make_predictor(/*may_learn=*/false)).context;
  return context_;
}

bool Opening::has_first() const {
  return model_.options().backend == Backend::kExact && !model_.options().learns;
}

const std::shared_ptr<const lm::KeptContext>& Opening::whole_context() const {
  make();
  return whole_context_;
}

const lm::Distribution& Opening::first() const {
  make();
  return first_;
}

mix::FrameMixer Opening::mixer(mix::Sources experts, std::size_t frame_bytes,
                               std::span<const mix::LaneExtent> lanes) const {
  if (experts == mix::Sources::kAll && readers_ == Readers::kModelAndMixer) {
    make();
    return {mixer_, frame_bytes, lanes};
  }
  return {experts, mix::Strength::kStrong, frame_bytes, lanes};
}

void Opening::make() const {
  const std::lock_guard lock(mutex_);
  if (made_) return;
  const std::unique_ptr<lm::Predictor> predictor = model_.make_predictor(/*may_learn=*/false);
  std::vector<lm::RecordedPath> paths;
  if (has_first()) {
    const Opening* const only[] = {this};
    paths = std::move(read_whole(*predictor, only).front().paths);
  } else {
    Reading reading = read_text(*predictor);
    paths = std::move(reading.paths);
    context_ = std::move(reading.context);
  }
  if (readers_ == Readers::kModelAndMixer) mixer_ = read_all(paths, {});
  made_ = true;
}

// All but the last token.
Opening::Reading Opening::read_text(lm::Predictor& predictor) const {
  Reading reading;
  if (tokens_.empty()) return reading;
  const int lane = predictor.open_lane();
  Feed feed = feed_of_text(predictor.start_token());
  const lm::LaneInput input = feed.to(lane);
  predictor.feed({&input, 1});
  reading.paths = std::move(feed.paths);
  reading.context = predictor.keep_lane(lane);
  return reading;
}

Opening::Feed Opening::feed_of_text(Token start) const {
  Feed feed;
  for (const text::Unit& unit : units_) {
    if (!unit.escaped()) feed.rows.push_back(unit.row);
  }
  feed.tokens = tokens_;
  feed.tokens.insert(feed.tokens.begin(), start);
  feed.tokens.pop_back();
  feed.paths.resize(feed.rows.size());
  return feed;
}

std::vector<lm::RecordedPath> Opening::read_paths() const {
  return read_text(*model_.make_predictor(/*may_learn=*/false)).paths;
}

mix::FrameMixer Opening::mixer_without(const mix::MixOptions& options,
                                       std::span<const lm::RecordedPath> paths,
                                       std::size_t frame_bytes,
                                       std::span<const mix::LaneExtent> lanes) const {
  return {read_all(paths, options), frame_bytes, lanes};
}

std::uint64_t Opening::memory() const {
  const std::uint64_t own = model_.context_memory(tokens_.size() + 1) +
                            lm::Distribution::memory(model_.vocabulary().rows());
  if (readers_ == Readers::kModel) return own;
  return own + sample_.size() +
         mix::FrameMixer::memory(mix::Sources::kAll, mix::Strength::kStrong, mixed_bytes());
}

std::uint64_t Opening::mixer_memory(mix::Sources experts, std::size_t frame_bytes) const {
  const std::uint64_t own = mix::FrameMixer::memory(experts, mix::Strength::kStrong, frame_bytes);
  if (experts != mix::Sources::kAll || readers_ == Readers::kModel) return own;
  // A copy of the bytes, and of where tokens begin in them.
  return own + 2 * mixed_bytes();
}

void Opening::make_firsts(const LoadedModel& model, std::span<const Opening* const> openings) {
  std::vector<const Opening*> wanted;
  std::vector<std::unique_lock<std::mutex>> locks;
  for (const Opening* opening : openings) {
    std::unique_lock lock(opening->mutex_);
    if (opening->made_) continue;
    wanted.push_back(opening);
    locks.push_back(std::move(lock));
  }
  read_whole(*model.make_predictor(/*may_learn=*/false), wanted);
  for (const Opening* opening : wanted) opening->made_ = true;
}

// Makes their first() and whole_context(); the paths are those of their tokens.
std::vector<Opening::Feed> Opening::read_whole(lm::Predictor& predictor,
                                               std::span<const Opening* const> openings) {
  std::vector<Feed> texts;
  std::vector<Token> last;
  std::vector<lm::LaneInput> to_last, to_end;
  texts.reserve(openings.size());
  last.reserve(openings.size());
  for (const Opening* opening : openings) {
    const int lane = predictor.open_lane();
    to_last.push_back(texts.emplace_back(opening->feed_of_text(predictor.start_token())).to(lane));
    last.push_back(opening->last_token());
    to_end.push_back({lane, {&last.back(), 1}, {}, {}, {&opening->first_, 1}, /*only_walks=*/true});
  }
  predictor.feed(to_last);
  predictor.feed(to_end);
  for (std::size_t i = 0; i < openings.size(); ++i) {
    openings[i]->whole_context_ = predictor.keep_lane(to_end[i].lane);
  }
  return texts;
}

std::shared_ptr<const mix::FrameMixer> Opening::read_all(std::span<const lm::RecordedPath> paths,
                                                         const mix::MixOptions& options) const {
  const std::size_t size = mixed_bytes();
  const mix::LaneExtent lane{0, size};
  const auto mixer = std::make_shared<mix::FrameMixer>(mix::Sources::kAll, mix::Strength::kStrong,
                                                       size, std::span(&lane, 1), options);
  mixer->read(0, sample_);
  NoCoder coder;
  UnitCoder<NoCoder> units(coder, *mixer, /*escapes=*/false);
  // More than any token: whether the last one ends is a decision, too.
  constexpr std::size_t kRoom = std::size_t{1} << 20;
  auto path = paths.begin();
  for (const text::Unit& unit : units_) {
    if (unit.escaped()) {
      units.code_escaped_byte(0, unit.byte);
    } else {
      lm::ReplayedWalk walk(*path++, model_.vocabulary().bytes(unit.row), unit.row);
      units.code_token(0, walk, kRoom);
    }
  }
  return mixer;
}

}  // namespace smll::codec
