#include "codec/explain.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <utility>

#include "codec/cost_meter.h"
#include "codec/model_coder.h"
#include "codec/opening.h"
#include "codec/plain_mixer.h"
#include "codec/unit_coder.h"
#include "lm/token_walk.h"

namespace smll::codec {
namespace {

constexpr std::size_t kAliveUnits = 256;
// Tokens whose distributions are held at once.
constexpr std::size_t kBatch = 32;

struct Opinion {
  lm::RecordedPath path;
  std::uint32_t rank = 0;
  std::vector<Guess> guesses;
};

// A text in one lane, and what the model thought of each of its tokens.
struct Reading {
  std::size_t bytes = 0;
  std::vector<text::Unit> units;
  std::vector<std::uint32_t> rows;  // of the units that are tokens
  std::vector<Opinion> opinions;    // one for each of `rows`
  bool escapes = false;
};

std::vector<std::uint32_t> likeliest(std::span<const std::uint32_t> frequencies,
                                     std::size_t count) {
  std::vector<std::uint32_t> best;
  const auto likelier = [&](std::uint32_t a, std::uint32_t b) {
    return frequencies[a] > frequencies[b];
  };
  for (std::uint32_t row = 0; row < frequencies.size() && count > 0; ++row) {
    if (best.size() == count && !likelier(row, best.back())) continue;
    best.insert(std::upper_bound(best.begin(), best.end(), row, likelier), row);
    if (best.size() > count) best.pop_back();
  }
  return best;
}

Opinion opinion_of(std::uint32_t row, const lm::Distribution& distribution,
                   const text::Vocabulary& vocabulary, std::size_t guesses) {
  const std::span<const std::uint32_t> frequencies = distribution.frequencies();
  Opinion opinion;
  opinion.path.record(vocabulary, distribution, row);
  opinion.rank = 1 + static_cast<std::uint32_t>(std::ranges::count_if(
                         frequencies, [&](std::uint32_t f) { return f > frequencies[row]; }));
  const auto all =
      static_cast<double>(distribution.sum(0, static_cast<std::uint32_t>(vocabulary.rows())));
  for (const std::uint32_t guess : likeliest(frequencies, guesses)) {
    opinion.guesses.push_back({std::string(vocabulary.bytes(guess)), frequencies[guess] / all});
  }
  return opinion;
}

Reading read(std::span<const std::uint8_t> data, const LoadedModel& model, std::size_t guesses,
             const Alive& alive) {
  const text::Vocabulary& vocabulary = model.vocabulary();
  const std::unique_ptr<lm::Predictor> predictor = model.make_predictor();
  Reading reading;
  reading.bytes = data.size();
  reading.units =
      model.tokenizer().tokenize({reinterpret_cast<const char*>(data.data()), data.size()});
  const Opening* const opening = model.opening();
  std::vector<Token> inputs = {opening ? opening->last_token() : predictor->start_token()};
  for (const text::Unit& unit : reading.units) {
    if (unit.escaped()) {
      reading.escapes = true;
      continue;
    }
    reading.rows.push_back(unit.row);
    inputs.push_back(vocabulary.token(unit.row));
  }
  reading.opinions.resize(reading.rows.size());
  const int lane = predictor->open_lane(opening ? opening->context() : nullptr);
  std::vector<lm::Distribution> next(std::min(predictor->preferred_batch(), kBatch));
  for (std::size_t done = 0; done < reading.rows.size();) {
    const std::size_t size = std::min(next.size(), reading.rows.size() - done);
    const lm::LaneInput batch = {
        lane, std::span(inputs).subspan(done, size), {}, {}, std::span(next).first(size)};
    predictor->feed({&batch, 1});
    for (std::size_t i = 0; i < size; ++i) {
      reading.opinions[done + i] = opinion_of(reading.rows[done + i], next[i], vocabulary, guesses);
    }
    done += size;
    alive();
  }
  return reading;
}

// Costs of the units when the language model has a say, in bits.
std::vector<double> costs(const Reading& reading, const text::Vocabulary& vocabulary,
                          mix::FrameMixer mixer, const Alive& alive) {
  CostMeter meter;
  UnitCoder<CostMeter> coder(meter, mixer, reading.escapes);
  std::vector<double> result;
  std::size_t token = 0, room = reading.bytes;
  for (const text::Unit& unit : reading.units) {
    if (result.size() % kAliveUnits == 0) alive();
    if (coder.code_escape(unit.escaped())) {
      coder.code_escaped_byte(0, unit.byte);
      --room;
    } else {
      const std::string_view bytes = vocabulary.bytes(unit.row);
      lm::ReplayedWalk walk(reading.opinions[token++].path, bytes, unit.row);
      coder.code_token(0, walk, room);
      room -= bytes.size();
    }
    result.push_back(meter.take());
  }
  return result;
}

double sum(const std::vector<double>& costs) {
  return std::accumulate(costs.begin(), costs.end(), 0.0);
}

std::string spelling(const text::Unit& unit, const text::Vocabulary& vocabulary) {
  if (unit.escaped()) return std::string(1, static_cast<char>(unit.byte));
  return std::string(vocabulary.bytes(unit.row));
}

// Costs of the same units when only context models have.
std::vector<double> context_costs(const Reading& reading, const text::Vocabulary& vocabulary,
                                  format::Method method, const Alive& alive) {
  PlainMixer models(method, reading.bytes);
  CostMeter meter;
  UnitCoder<CostMeter> coder(meter, models.mixer(), false);
  std::vector<double> result;
  for (const text::Unit& unit : reading.units) {
    if (result.size() % kAliveUnits == 0) alive();
    for (const char c : spelling(unit, vocabulary)) {
      coder.code_escaped_byte(0, static_cast<std::uint8_t>(c));
    }
    result.push_back(meter.take());
  }
  return result;
}

// The same in the cheaper way, which compressing takes as well.
std::vector<double> context_costs(const Reading& reading, const text::Vocabulary& vocabulary,
                                  const Alive& alive) {
  std::vector<double> plain = context_costs(reading, vocabulary, format::Method::kCm, alive);
  std::vector<double> english =
      context_costs(reading, vocabulary, format::Method::kCmEnglish, alive);
  return sum(english) < sum(plain) ? english : plain;
}

}  // namespace

std::vector<TokenCost> explain(std::span<const std::uint8_t> text, const LoadedModel& model,
                               std::size_t guesses, const Alive& alive) {
  const text::Vocabulary& vocabulary = model.vocabulary();
  Reading reading = read(text, model, guesses, alive);
  const mix::LaneExtent lane{0, reading.bytes};
  const auto costs_with = [&](mix::Sources experts) {
    return costs(reading, vocabulary,
                 make_mixer(model.opening(), experts, reading.bytes, {&lane, 1}), alive);
  };
  const std::vector<double> mixed = costs_with(mix::Sources::kAll);
  const std::vector<double> alone = costs_with(mix::Sources::kLlm);
  const std::vector<double> context = context_costs(reading, vocabulary, alive);
  std::vector<TokenCost> result;
  std::size_t token = 0;
  for (std::size_t i = 0; i < reading.units.size(); ++i) {
    const text::Unit& unit = reading.units[i];
    TokenCost cost{spelling(unit, vocabulary), mixed[i], alone[i], context[i], 0, {}};
    if (!unit.escaped()) {
      Opinion& opinion = reading.opinions[token++];
      cost.rank = opinion.rank;
      cost.guesses = std::move(opinion.guesses);
    }
    result.push_back(std::move(cost));
  }
  return result;
}

Ablation ablate(std::span<const std::uint8_t> text, const LoadedModel& model, const Alive& alive) {
  const Reading reading = read(text, model, 0, alive);
  const mix::LaneExtent lane{0, reading.bytes};
  const Opening* const opening = model.opening();
  const std::vector<lm::RecordedPath> before =
      opening ? opening->read_paths() : std::vector<lm::RecordedPath>();
  const auto total = [&](std::uint64_t leave_out) {
    const mix::MixOptions options{leave_out};
    return sum(costs(reading, model.vocabulary(),
                     opening ? opening->mixer_without(options, before, reading.bytes, {&lane, 1})
                             : mix::FrameMixer(mix::Sources::kAll, mix::Strength::kStrong,
                                               reading.bytes, {&lane, 1}, options),
                     alive));
  };
  Ablation result{total(0), {}};
  const std::vector<std::string> names = mix::expert_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    result.without.push_back({names[i], total(std::uint64_t{1} << i)});
  }
  return result;
}

}  // namespace smll::codec
