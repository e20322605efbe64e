#include "codec/dictionary_gain.h"

#include <utility>
#include <vector>

#include "codec/cost_meter.h"
#include "codec/unit_coder.h"
#include "lm/token_walk.h"

namespace smll::codec {
namespace {

std::vector<lm::RecordedPath> paths_of(const TokenizedRecord& record, const Opening& opening,
                                       const text::Vocabulary& vocabulary,
                                       lm::Predictor& predictor) {
  std::vector<Token> inputs;
  std::vector<std::uint32_t> rows;
  Token before = opening.last_token();
  for (const text::Unit& unit : record.units) {
    if (unit.escaped()) continue;
    inputs.push_back(std::exchange(before, vocabulary.token(unit.row)));
    rows.push_back(unit.row);
  }
  std::vector<lm::RecordedPath> paths(rows.size());
  if (rows.empty()) return paths;
  const int lane = predictor.open_lane(opening.context());
  const lm::LaneInput input = {lane, inputs, rows, paths, {}};
  predictor.feed({&input, 1});
  predictor.close_lane(lane);
  return paths;
}

double bits_of(const TokenizedRecord& record, std::span<const lm::RecordedPath> paths,
               const Opening& opening, const text::Vocabulary& vocabulary) {
  std::size_t left = 0;
  for (const text::Unit& unit : record.units) {
    left += unit.escaped() ? 1 : vocabulary.bytes(unit.row).size();
  }
  const mix::LaneExtent lane{0, left};
  mix::FrameMixer mixer = opening.mixer(mix::Sources::kAll, left, {&lane, 1});
  CostMeter meter;
  UnitCoder<CostMeter> coder(meter, mixer, record.tokens != record.units.size());
  auto path = paths.begin();
  for (const text::Unit& unit : record.units) {
    if (coder.code_escape(unit.escaped())) {
      coder.code_escaped_byte(0, unit.byte);
      --left;
      continue;
    }
    const std::string_view bytes = vocabulary.bytes(unit.row);
    lm::ReplayedWalk walk(*path++, bytes, unit.row);
    coder.code_token(0, walk, left);
    left -= bytes.size();
  }
  return meter.bits();
}

}  // namespace

double coded_bytes(const LoadedModel& model, const Opening& opening,
                   std::span<const TokenizedRecord> records, const OpeningCosts::Work& work) {
  const std::unique_ptr<lm::Predictor> predictor = model.make_predictor(/*may_learn=*/false);
  double bits = 0;
  for (const TokenizedRecord& record : records) {
    const auto paths = paths_of(record, opening, model.vocabulary(), *predictor);
    bits += bits_of(record, paths, opening, model.vocabulary());
    if (work) work(record.tokens);
  }
  return bits / 8;
}

}  // namespace smll::codec
