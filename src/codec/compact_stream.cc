#include "codec/compact_stream.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "codec/choice.h"
#include "codec/plain_coder.h"
#include "codec/size_code.h"
#include "coder/cost.h"
#include "format/compact.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

// A long text leaves room for others.
constexpr std::size_t kMostRows = 64;

std::uint64_t cost_of_token(const lm::RecordedPath& path, std::uint32_t row,
                            const text::Vocabulary& vocabulary) {
  const std::string_view bytes = vocabulary.bytes(row);
  lm::ReplayedWalk walk(path, bytes, row);
  std::uint64_t cost = 0;
  const auto add = [&cost](std::uint32_t p, int outcome) {
    if (lm::is_certain(p)) return;
    cost += coder::cost_of(outcome != 0 ? p : lm::kCertainly - p);
  };
  for (std::size_t depth = 0; depth < bytes.size(); ++depth) {
    if (depth > 0) add(walk.end(), 0);
    for (int i = 0; i < 8; ++i) {
      const int bit = walk.known_bit();
      add(walk.bit(), bit);
      walk.set_bit(bit);
    }
  }
  add(walk.end(), 1);
  return cost;
}

std::uint64_t cost_of_head(const ShortHead& head, const ShortHeadOdds& odds) {
  coder::CostCounter counter;
  code_short_head(counter, head, odds);
  return counter.cost();
}

std::vector<std::uint64_t> costs_of_choices() {
  std::vector<std::uint64_t> costs;
  for (std::size_t i = 0; i < openings().size(); ++i) costs.push_back(opening_cost(i));
  return costs;
}

}  // namespace

CompactEncoder::CompactEncoder(std::span<const std::uint8_t> data, Experts experts,
                               std::shared_ptr<const LoadedModel> model)
    : data_(data),
      experts_(experts),
      model_(FrameCodec::wants_model(data, {experts, 1}) ? std::move(model) : nullptr) {
  if (races()) lanes_ = OpeningRace::kMostRunners;
  if (data.size() > kMaxCompact) throw Error(ErrorKind::kData, "a compact text is too large");
}

CompactEncoder::~CompactEncoder() = default;

bool CompactEncoder::races() const {
  return model_ && model_->has_openings() && model_->max_lanes() > 1;
}

std::size_t CompactEncoder::rows() const {
  return std::clamp<std::size_t>(rows_.size(), 1, kMostRows);
}

// A token has hardly less than two bytes.
std::uint64_t CompactEncoder::memory() const {
  return model_ ? lanes() * model_->context_memory(data_.size() / 2) : 0;
}

bool CompactEncoder::begin(const Progress& progress) {
  format::Frame& best = result_.frame;
  best = {format::Method::kStored, data_.size(), {data_.begin(), data_.end()}};
  if (data_.empty()) return false;
  if (experts_ != Experts::kLlm) {
    const Progress first = standing_still(progress);
    keep_smaller(best, format::Method::kZstd, encode_zstd(data_, kZstdLevel));
    keep_smaller(best, format::Method::kCm, encode_cm(data_, format::Method::kCm, true, first));
    // Reading English takes longer than the model takes for a sentence, and helps less.
    if (!model_) {
      keep_smaller(best, format::Method::kCmEnglish,
                   encode_cm(data_, format::Method::kCmEnglish, true, first));
    }
  }
  if (!model_) return false;
  cut();
  line_up();
  return !is_done(0);
}

void CompactEncoder::cut() {
  const text::Vocabulary& vocabulary = model_->vocabulary();
  const std::string_view text(reinterpret_cast<const char*>(data_.data()), data_.size());
  text_.bytes = data_.size();
  text_.units = model_->tokenizer().tokenize(text);
  const std::uint32_t line_break = vocabulary.longest_prefix("\n");
  text_.has_break =
      line_break != text::Vocabulary::kNoRow && text.find('\n') == std::string_view::npos;
  if (text_.has_break) text_.units.push_back({line_break, 0});
  for (const text::Unit& unit : text_.units) {
    text_.escapes = text_.escapes || unit.escaped();
    if (unit.escaped()) continue;
    // What the first one comes after is known where a lane opens.
    inputs_.push_back(rows_.empty() ? 0 : vocabulary.token(rows_.back()));
    rows_.push_back(unit.row);
  }
}

void CompactEncoder::line_up() {
  std::vector<std::size_t> indices = {kNoOpening};
  std::vector<lm::RecordedPath> firsts;  // by opening
  if (races() && !rows_.empty()) {
    static const std::vector<std::uint64_t> choices = costs_of_choices();
    std::vector<std::uint64_t> costs;
    for (const Opening* opening : model_->openings_with_firsts()) {
      lm::RecordedPath& path = firsts.emplace_back();
      path.record(model_->vocabulary(), opening->first(), rows_[0]);
      costs.push_back(cost_of_token(path, rows_[0], model_->vocabulary()));
    }
    race_.emplace(choices, costs, rows_.size());
    indices.assign(race_->runners().begin(), race_->runners().end());
    if (race_->over()) indices.resize(1);
  }
  for (const std::size_t index : indices) {
    Runner& runner = runners_.emplace_back();
    runner.index = index;
    runner.opening = model_->opening_of_short(index);
    runner.paths.resize(rows_.size());
    if (rows_.empty() || !runner.opening || !runner.opening->has_first()) continue;
    if (race_) {
      runner.paths[0] = firsts[index];
    } else {
      runner.paths[0].record(model_->vocabulary(), runner.opening->first(), rows_[0]);
    }
    runner.done = 1;
  }
  lanes_ = runners_.size();
}

void CompactEncoder::share_lanes(std::size_t parts) { divide(runners_.size(), parts); }

void CompactEncoder::open(std::size_t part, lm::Predictor& predictor) {
  for (const std::size_t lane : lanes_of(part)) {
    Runner& runner = runners_[lane];
    if (const std::optional<Token> first = open_lane(lane, runner.opening, predictor)) {
      inputs_[0] = *first;
    }
  }
}

// How many of a runner's tokens are to be known before the race goes on.
std::size_t CompactEncoder::goal() const {
  return race_ && !race_->over() ? race_->goal() : rows_.size();
}

void CompactEncoder::collect(std::size_t part, lm::Predictor& /*predictor*/, const Room& room,
                             std::vector<lm::LaneInput>& batch) {
  const std::size_t most = std::max<std::size_t>(1, room.rows);
  for (const std::size_t lane : lanes_of(part)) {
    Runner& runner = runners_[lane];
    if (is_done(lane)) continue;
    runner.asked = std::min(most, goal() - runner.done);
    if (runner.asked == 0) continue;
    batch.push_back({number(lane),
                     std::span(inputs_).subspan(runner.done, runner.asked),
                     std::span(rows_).subspan(runner.done, runner.asked),
                     std::span(runner.paths).subspan(runner.done, runner.asked),
                     {}});
  }
}

void CompactEncoder::advance(std::size_t part) {
  std::size_t least = rows_.size();
  for (const std::size_t lane : lanes_of(part)) {
    Runner& runner = runners_[lane];
    const std::size_t fed = std::exchange(runner.asked, 0);
    runner.done += fed;
    tokens_ += fed;
    if (!runner.out) least = std::min(least, runner.done);
  }
  bytes_ = data_.size() * least / rows_.size();
  while (race_ && !race_->over() && least >= race_->goal()) finish_heat();
}

void CompactEncoder::finish_heat() {
  std::vector<std::uint64_t> costs;
  for (const std::size_t index : race_->runners()) {
    const auto runner = std::ranges::find(runners_, index, &Runner::index);
    std::uint64_t sum = 0;
    for (std::size_t i = race_->known(); i < race_->goal(); ++i) {
      sum += cost_of_token(runner->paths[i], rows_[i], model_->vocabulary());
    }
    costs.push_back(sum);
  }
  race_->finish_heat(costs);
  const auto stay = race_->over() ? race_->runners().first(1) : race_->runners();
  for (Runner& runner : runners_) runner.out = std::ranges::find(stay, runner.index) == stay.end();
  lanes_ = stay.size();
}

bool CompactEncoder::is_done(std::size_t lane) const {
  const Runner& runner = runners_[lane];
  return runner.out || runner.done == rows_.size();
}

void CompactEncoder::end(const Progress& progress) {
  if (!model_) return;
  const Progress at_the_end = standing_still(progress, data_.size(), rows_.size());
  const auto winner = std::ranges::find(runners_, false, &Runner::out);
  text_.paths = winner->paths;
  ShortHead head = cheapest_head(*winner);
  std::vector<std::uint8_t> payload = encode(head, *winner, at_the_end);
  std::size_t price = 0;
  if (experts_ != Experts::kLlm) {
    head.mixed = true;
    std::vector<std::uint8_t> mixed = encode(head, *winner, at_the_end);
    if (mixed.size() < payload.size()) payload = std::move(mixed);
    price = rows_.size() / kTokensPerByte;
  }
  if (payload.size() + format::kShortOverhead + price >=
      result_.frame.payload.size() + format::kCompactOverhead) {
    return;
  }
  result_.frame.payload = std::move(payload);
  result_.is_short = true;
}

// Whether its size stands in front or a line break behind the text, as the model alone has it.
ShortHead CompactEncoder::cheapest_head(const Runner& runner) const {
  ShortHead sized;
  sized.opening = runner.index;
  sized.escapes = text_.escapes;
  sized.size = text_.bytes;
  if (!text_.has_break || text_.bytes >= kMaxCompact) return sized;
  ShortHead line = sized;
  line.line = true;
  line.size = text_.bytes + 1;
  const ShortHeadOdds odds = model_->short_odds();
  const std::uint64_t break_cost =
      cost_of_token(runner.paths.back(), rows_.back(), model_->vocabulary());
  return cost_of_head(line, odds) + break_cost < cost_of_head(sized, odds) ? line : sized;
}

std::vector<std::uint8_t> CompactEncoder::encode(const ShortHead& head, const Runner& runner,
                                                 const Progress& progress) const {
  return encode_short(text_, model_->short_odds(), head, runner.opening, model_->vocabulary(),
                      progress);
}

CompactPlainDecoder::CompactPlainDecoder(format::Method method,
                                         std::span<const std::uint8_t> payload, std::size_t limit,
                                         std::uint64_t max_memory)
    : method_(method), payload_(payload), limit_(limit), max_memory_(max_memory) {}

bool CompactPlainDecoder::begin(const Progress& progress) {
  FrameCodec codec(nullptr);
  codec.limit_memory(max_memory_);
  data_ = codec.decode_compact(method_, payload_, limit_, progress);
  return false;
}

}  // namespace smll::codec
