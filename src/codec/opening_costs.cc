#include "codec/opening_costs.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "lm/token_walk.h"

namespace smll::codec {
namespace {

// A byte that no token spells: itself, and that it is one.
constexpr double kEscapedBits = 9;
// Records that are measured at once.
constexpr std::size_t kLanes = 16;

// Bits of an outcome of probability p/65536, in 1/65536: integers, so that sums and comparisons are
// the same on every machine.
std::vector<std::uint32_t> make_bits_table() {
  std::vector<std::uint32_t> table(lm::kCertainly + 1);
  for (std::uint32_t p = 1; p <= lm::kCertainly; ++p) {
    // log2 a binary digit at a time: squaring doubles it.
    const int whole = std::bit_width(p) - 1;
    std::uint64_t mantissa = std::uint64_t{p} << (31 - whole);
    std::uint32_t log = static_cast<std::uint32_t>(whole) << 16;
    for (int digit = 15; digit >= 0; --digit) {
      mantissa = mantissa * mantissa >> 31;
      if (mantissa >> 32 == 0) continue;
      mantissa >>= 1;
      log += 1U << digit;
    }
    table[p] = (std::uint32_t{16} << 16) - log;
  }
  return table;
}

double bits_of(std::uint32_t p1, bool bit) {
  static const std::vector<std::uint32_t> table = make_bits_table();
  if (lm::is_certain(p1)) return 0;
  return table[bit ? p1 : lm::kCertainly - p1] / 65536.0;
}

// Along the decisions of a token, as lm::RecordedPath has them.
double bits_of(const lm::RecordedPath& path, std::string_view bytes) {
  double bits = 0;
  auto next = path.probabilities().begin();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i != 0) bits += bits_of(*next++, false);
    for (int shift = 7; shift >= 0; --shift) {
      bits += bits_of(*next++, (static_cast<unsigned char>(bytes[i]) >> shift & 1) != 0);
    }
  }
  return bits + bits_of(*next, true);
}

}  // namespace

struct OpeningCosts::Feed {
  const TokenizedRecord* record = nullptr;
  std::vector<double>* bits = nullptr;
  std::vector<Token> inputs;
  std::vector<std::uint32_t> rows;
  std::vector<lm::RecordedPath> paths;
  int lane = -1;
};

OpeningCosts::OpeningCosts(const LoadedModel& model, Work work)
    : model_(model), work_(std::move(work)), predictor_(model.make_predictor(false)) {}

TokenizedRecord OpeningCosts::tokenize(std::string_view text, std::size_t most_units) const {
  // A unit has a byte or more; what follows much later does not change the first ones.
  TokenizedRecord record;
  record.units =
      model_.tokenizer().tokenize(text.substr(0, most_units * model_.vocabulary().longest()));
  if (record.units.size() > most_units) record.units.resize(most_units);
  record.tokens = static_cast<std::size_t>(
      std::ranges::count_if(record.units, [](const text::Unit& unit) { return !unit.escaped(); }));
  return record;
}

std::size_t OpeningCosts::size_of(const text::Unit& unit) const {
  return unit.escaped() ? 1 : model_.vocabulary().bytes(unit.row).size();
}

std::size_t OpeningCosts::work_of(std::size_t opening_tokens,
                                  std::span<const TokenizedRecord> records) {
  std::size_t tokens = opening_tokens;
  for (const TokenizedRecord& record : records) tokens += record.tokens;
  return tokens;
}

void OpeningCosts::begin_with(std::string_view opening) {
  context_ = nullptr;
  last_ = predictor_->start_token();
  std::vector<Token> tokens;
  for (const text::Unit& unit : model_.tokenizer().tokenize(opening)) {
    if (unit.escaped()) continue;
    tokens.push_back(std::exchange(last_, model_.vocabulary().token(unit.row)));
  }
  if (tokens.empty()) return;
  const int lane = predictor_->open_lane();
  for (std::size_t done = 0; done < tokens.size();) {
    const std::size_t size = std::min(predictor_->preferred_batch(), tokens.size() - done);
    std::vector<std::uint32_t> rows(size);
    std::vector<lm::RecordedPath> paths(size);
    const lm::LaneInput input = {lane, std::span(tokens).subspan(done, size), rows, paths, {}};
    predictor_->feed({&input, 1});
    done += size;
    count(size);
  }
  context_ = predictor_->keep_lane(lane);
}

void OpeningCosts::measure(std::span<Feed> feeds) {
  std::vector<lm::LaneInput> batch;
  std::size_t tokens = 0;
  for (Feed& feed : feeds) {
    Token before = last_;
    for (const text::Unit& unit : feed.record->units) {
      if (unit.escaped()) continue;
      feed.inputs.push_back(std::exchange(before, model_.vocabulary().token(unit.row)));
      feed.rows.push_back(unit.row);
    }
    if (feed.rows.empty()) continue;
    feed.paths.resize(feed.rows.size());
    feed.lane = predictor_->open_lane(context_);
    batch.push_back({feed.lane, feed.inputs, feed.rows, feed.paths, {}});
    tokens += feed.rows.size();
  }
  if (!batch.empty()) predictor_->feed(batch);
  for (Feed& feed : feeds) {
    if (feed.lane >= 0) predictor_->close_lane(feed.lane);
    std::size_t token = 0;
    for (const text::Unit& unit : feed.record->units) {
      feed.bits->push_back(unit.escaped()
                               ? kEscapedBits
                               : bits_of(feed.paths[token++], model_.vocabulary().bytes(unit.row)));
    }
  }
  count(tokens);
}

void OpeningCosts::count(std::size_t tokens) {
  fed_ += tokens;
  if (work_) work_(tokens);
}

std::vector<std::vector<double>> OpeningCosts::bits(std::string_view opening,
                                                    std::span<const TokenizedRecord> records) {
  begin_with(opening);
  std::vector<std::vector<double>> bits(records.size());
  for (std::size_t first = 0; first < records.size(); first += kLanes) {
    std::vector<Feed> feeds(std::min(kLanes, records.size() - first));
    for (std::size_t i = 0; i < feeds.size(); ++i) {
      feeds[i].record = &records[first + i];
      feeds[i].bits = &bits[first + i];
    }
    measure(feeds);
  }
  return bits;
}

double OpeningCosts::total(std::string_view opening, std::span<const TokenizedRecord> records) {
  double sum = 0;
  for (const std::vector<double>& record : bits(opening, records)) {
    for (const double each : record) sum += each;
  }
  return sum;
}

}  // namespace smll::codec
