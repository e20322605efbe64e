#include "codec/dictionary_training.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "codec/coverage.h"
#include "codec/dictionary_gain.h"
#include "codec/opening.h"
#include "codec/opening_costs.h"
#include "codec/opening_search.h"
#include "lm/exact/adapter_training.h"
#include "lm/weights/lora.h"
#include "smll/error.h"
#include "text/utf8.h"

namespace smll::codec {
namespace {

// Records stand in so many blocks, of which every fourth is held back: neighbours are often alike,
// and what comes later is seldom a neighbour of what was there.
constexpr std::size_t kBlocks = 80;
// Held-back records that are measured at a time, and tokens of each and of all.
constexpr std::size_t kMeasured = 64, kMeasuredUnits = 256, kMeasuredTokens = 3000;
// An opening has several pieces.
constexpr std::size_t kPiecesOfOpening = 4;
constexpr std::size_t kMaxPieces = std::size_t{1} << 15, kMaxPieceBytes = std::size_t{4} << 20;
// Records of a kind that a sample has at most.
constexpr int kSampleRounds = 16;
// Smallest opening that is worth looking for.
constexpr std::size_t kMinOpening = 64;
// What two cores feed a model of so many weights in a minute, nearly.
constexpr double kTokensAMinute = 50000, kWeights = 135e6;
// Where they learn.
constexpr double kLearnedAMinute = 14000;
constexpr int kMostPasses = 3;

std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Parts {
  std::vector<std::string_view> read;       // what the dictionary may have
  std::vector<std::string_view> held_back;  // what openings are compared on
  std::vector<std::string_view> unseen;     // what the result is measured on
};

Parts split(std::span<const ByteView> records) {
  std::vector<std::string_view> all;
  for (const ByteView record : records) {
    if (!record.empty()) all.push_back(text_of(record));
  }
  if (all.size() < kFewestRecords) {
    throw Error(ErrorKind::kData, "training takes " + std::to_string(kFewestRecords) +
                                      " records or more, and these are " +
                                      std::to_string(all.size()) +
                                      "; a text itself serves as well (-D FILE)");
  }
  const std::size_t blocks = std::min(kBlocks, all.size());
  Parts parts;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t block = i * blocks / all.size();
    if (block % 4 != 3) {
      parts.read.push_back(all[i]);
    } else {
      (block / 4 % 2 == 0 ? parts.held_back : parts.unseen).push_back(all[i]);
    }
  }
  return parts;
}

// `count` of them or all, evenly.
std::vector<std::string_view> spread(std::span<const std::string_view> all, std::size_t count) {
  count = std::min(count, all.size());
  std::vector<std::string_view> some;
  for (std::size_t i = 0; i < count; ++i) some.push_back(all[i * all.size() / count]);
  return some;
}

struct Measured {
  std::vector<TokenizedRecord> records;
  std::uint64_t bytes = 0;
};

Measured to_measure(std::span<const std::string_view> all, const OpeningCosts& costs) {
  for (std::size_t count = std::min(kMeasured, all.size());; count = (count + 1) / 2) {
    Measured measured;
    for (const std::string_view record : spread(all, count)) {
      measured.records.push_back(costs.tokenize(record, kMeasuredUnits));
      for (const text::Unit& unit : measured.records.back().units) {
        measured.bytes += costs.size_of(unit);
      }
    }
    if (count <= 1 || OpeningCosts::work_of(0, measured.records) <= kMeasuredTokens) {
      return measured;
    }
  }
}

// Bytes of `text` that a piece of at most `most` has: up to a line's end where one is near,
// otherwise whole characters.
std::size_t piece_size(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text.size();
  const std::string_view piece = text.substr(0, most);
  const std::size_t line = piece.rfind('\n');
  if (line != std::string_view::npos && line >= most / 2) return line + 1;
  const std::size_t whole = text::utf8_prefix(piece);
  return whole != 0 && whole + 4 > most ? whole : most;
}

// Records, or parts of long ones, each once and with a line end behind it.
std::vector<std::string> pieces_of(std::span<const std::string_view> records, std::size_t most) {
  std::vector<std::string_view> pieces;
  std::unordered_set<std::string_view> seen;
  for (std::string_view record : records) {
    while (!record.empty()) {
      const std::string_view piece = record.substr(0, piece_size(record, most));
      if (seen.insert(piece).second) pieces.push_back(piece);
      record.remove_prefix(piece.size());
    }
  }
  std::size_t bytes = 0;
  for (const std::string_view piece : pieces) bytes += piece.size() + 1;
  std::size_t count = std::min(pieces.size(), kMaxPieces);
  if (bytes > kMaxPieceBytes) {
    count = std::min(count, std::max<std::size_t>(1, pieces.size() * kMaxPieceBytes / bytes));
  }
  std::vector<std::string> kept;
  for (const std::string_view piece : spread(pieces, count)) {
    kept.emplace_back(piece);
    if (kept.back().back() != '\n') kept.back() += '\n';
  }
  return kept;
}

OpeningLimits limits_of(const TrainingOptions& options, const LoadedModel& model,
                        std::span<const std::string_view> records, const OpeningCosts& costs) {
  const std::size_t most = static_cast<std::size_t>(model.options().window) / 2 - 1;
  if (options.opening_bytes != 0) return {options.opening_bytes, most};
  std::size_t bytes = 1, units = 1;
  for (const std::string_view record : spread(records, kMeasured)) {
    for (const text::Unit& unit : costs.tokenize(record, kMeasuredUnits).units) {
      bytes += costs.size_of(unit);
      ++units;
    }
  }
  const std::size_t tokens = std::min(kOpeningTokens, most);
  return {std::min(kMaxOpening, tokens * bytes / units), tokens};
}

void check(const TrainingOptions& options, const LoadedModel& model) {
  if (options.opening_bytes != 0 &&
      (options.opening_bytes < kMinOpening || options.opening_bytes > kMaxOpening)) {
    throw Error(ErrorKind::kUsage, "an opening has " + std::to_string(kMinOpening) + " to " +
                                       std::to_string(kMaxOpening) + " bytes");
  }
  if (options.sample_bytes > kMaxSample) {
    throw Error(ErrorKind::kUsage, "a sample has at most " + std::to_string(kMaxSample) + " bytes");
  }
  if (!(options.minutes > 0) || options.minutes > 10000) {
    throw Error(ErrorKind::kUsage, "the minutes must be more than 0 and at most 10000");
  }
  if (options.adapter && !options.lora.empty()) {
    throw Error(ErrorKind::kUsage, "an adapter is either learned or read from a LoRA file");
  }
  if (!std::isfinite(options.lora_scale)) {
    throw Error(ErrorKind::kUsage, "the scale of a LoRA file must be a number");
  }
  if (model.options().backend != Backend::kExact) {
    throw Error(ErrorKind::kUsage, "dictionaries are trained with the backend exact");
  }
}

std::uint64_t work_of(const TrainingOptions& options, const LoadedModel& model) {
  const double weights = std::max(1.0, static_cast<double>(model.facts().parameters));
  // The smallest models take no time worth counting.
  return static_cast<std::uint64_t>(
      options.minutes * std::min(kTokensAMinute * kWeights / weights, 4 * kTokensAMinute));
}

std::uint64_t learned_tokens(const TrainingOptions& options, const LoadedModel& model) {
  return static_cast<std::uint64_t>(static_cast<double>(work_of(options, model)) * kLearnedAMinute /
                                    kTokensAMinute);
}

// What the opening does not have, in the order of the records.
Bytes sample_of(std::span<const std::string_view> pieces, const Coverage& coverage,
                const std::vector<std::size_t>& opening, std::size_t most) {
  std::vector<std::size_t> sizes;
  for (const std::string_view piece : pieces) sizes.push_back(piece.size());
  for (const std::size_t piece : opening) sizes[piece] = 0;
  std::vector<std::size_t> chosen;
  // Another of each kind, and so on, while there is room.
  for (int round = 0; round < kSampleRounds; ++round) {
    const std::vector<std::size_t> more = coverage.choose(coverage.shared(), sizes, most);
    if (more.empty()) break;
    for (const std::size_t piece : more) most -= std::exchange(sizes[piece], 0);
    chosen.insert(chosen.end(), more.begin(), more.end());
  }
  std::ranges::sort(chosen);
  Bytes sample;
  for (const std::size_t piece : chosen) {
    sample.insert(sample.end(), pieces[piece].begin(), pieces[piece].end());
  }
  return sample;
}

// What the weights learn from the pieces; its tokens count as done.
Bytes adapter_of(std::span<const std::string> pieces, const LoadedModel& model,
                 std::uint64_t most_tokens, const OpeningCosts::Work& work) {
  std::vector<std::vector<Token>> texts;
  std::uint64_t tokens = 0;
  for (const std::string& piece : pieces) {
    std::vector<Token>& text = texts.emplace_back();
    for (const text::Unit& unit : model.tokenizer().tokenize(piece)) {
      if (!unit.escaped()) text.push_back(model.vocabulary().token(unit.row));
    }
    tokens += text.size();
  }
  exact::AdapterTraining training;
  training.threads = model.options().threads;
  training.isa = model.instruction_set();
  training.passes = static_cast<int>(
      std::clamp<std::uint64_t>(most_tokens / std::max<std::uint64_t>(tokens, 1), 1, kMostPasses));
  training.most_tokens = most_tokens;
  std::uint64_t before = 0;
  return exact::train_adapter(model.weights(), texts, training,
                              [&](const exact::TrainingProgress& progress) {
                                work(progress.tokens - std::exchange(before, progress.tokens));
                                return true;
                              })
      .serialize();
}

std::shared_ptr<const LoadedModel> with_dictionary(const LoadedModel& model,
                                                   std::shared_ptr<const Dictionary> dictionary) {
  LoadOptions options = model.options();
  options.dictionary = std::move(dictionary);
  return LoadedModel::load(model.path(), options);
}

}  // namespace

TrainingResult train_dictionary(std::span<const ByteView> records, const LoadedModel& model,
                                const TrainingOptions& options, const TrainingProgress& progress) {
  check(options, model);
  const Parts parts = split(records);
  std::uint64_t most = work_of(options, model);
  std::uint64_t done = 0, total = most;
  const OpeningCosts::Work work = [&](std::size_t tokens) {
    done += tokens;
    if (progress) progress(std::min(done, total), total);
  };
  OpeningCosts plain_costs(model, work);
  const OpeningLimits limits = limits_of(options, model, parts.read, plain_costs);
  const std::vector<std::string> kept =
      pieces_of(parts.read, std::max<std::size_t>(limits.bytes / kPiecesOfOpening, 1));
  DictionaryParts made;
  made.name = options.name;
  made.model = model.identity();
  if (!options.lora.empty()) {
    made.adapter = weights::adapter_from_lora(options.lora, *model.weights(), options.lora_scale,
                                              model.options().threads)
                       .serialize();
  }
  if (options.adapter) {
    const std::uint64_t learned = learned_tokens(options, model);
    most += learned;
    total = most;
    made.adapter = adapter_of(kept, model, learned, work);
    done = learned;
  }
  std::shared_ptr<const LoadedModel> adapted;
  if (!made.adapter.empty()) {
    adapted = with_dictionary(model, std::make_shared<const Dictionary>(made));
  }
  OpeningCosts costs(adapted ? *adapted : model, work);
  const std::vector<std::string_view> pieces(kept.begin(), kept.end());
  const Coverage coverage(pieces);
  const Measured held_back = to_measure(parts.held_back, costs);
  const Measured unseen = to_measure(parts.unseen, costs);
  // Measuring the result without the dictionary and with it, and at least one opening.
  const std::uint64_t last = OpeningCosts::work_of(0, unseen.records) * 2;
  total = std::max(most, last + OpeningCosts::work_of(limits.tokens, held_back.records));

  OpeningSearch search(costs, pieces, coverage, held_back.records, limits);
  search.run(most - done > last ? most - done - last : 0);
  TrainingResult result;
  result.records = parts.read.size() + parts.held_back.size() + parts.unseen.size();
  result.measured = unseen.records.size();
  result.raw_bytes = unseen.bytes;
  made.opening.assign(search.text().begin(), search.text().end());
  made.sample = sample_of(pieces, coverage, search.chosen(), options.sample_bytes);
  result.dictionary = std::make_shared<const Dictionary>(std::move(made));
  const Opening none(model, {}, Opening::Readers::kModel);
  result.bytes_without = coded_bytes(model, none, unseen.records, work);
  const auto with = with_dictionary(model, result.dictionary);
  result.bytes_with = coded_bytes(*with, *with->opening(), unseen.records, work);
  return result;
}

}  // namespace smll::codec
