#include "codec/short_encoder.h"

#include <algorithm>

#include "codec/unit_coder.h"
#include "coder/range_coder.h"

namespace smll::codec {
namespace {

constexpr std::size_t kProgressUnits = 64;

}  // namespace

std::vector<std::uint8_t> encode_short(const ShortText& text, const ShortHeadOdds& odds,
                                       const ShortHead& head, const Opening* opening,
                                       const text::Vocabulary& vocabulary,
                                       const Progress& progress) {
  coder::Encoder coder;
  std::size_t room = code_short_head(coder, head, odds).size;
  const mix::LaneExtent lane{0, room};
  mix::FrameMixer mixer = make_mixer(opening, head.mixed ? mix::Sources::kAll : mix::Sources::kLlm,
                                     room, std::span(&lane, 1));
  UnitCoder<coder::Encoder> units(coder, mixer, head.escapes);
  auto path = text.paths.begin();
  const std::size_t count = text.units.size() - (text.has_break && !head.line ? 1 : 0);
  for (std::size_t i = 0; i < count; ++i) {
    const text::Unit& unit = text.units[i];
    if (units.code_escape(unit.escaped())) {
      units.code_escaped_byte(0, unit.byte);
      --room;
    } else {
      const std::string_view bytes = vocabulary.bytes(unit.row);
      lm::ReplayedWalk walk(*path++, bytes, unit.row);
      units.code_token(0, walk, room);
      room -= bytes.size();
    }
    if (progress && i % kProgressUnits == 0) progress(text.bytes, 0);
  }
  return coder.finish();
}

}  // namespace smll::codec
