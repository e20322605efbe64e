#include "codec/lane_layout.h"

#include <algorithm>

#include "codec/frame_codec.h"

namespace smll::codec {
namespace {

enum class Boundary { kNone, kWord, kSentence, kLine };

Boundary boundary_behind(const text::Unit& unit, const text::Vocabulary& vocabulary) {
  if (unit.escaped()) return unit.byte == '\n' ? Boundary::kLine : Boundary::kNone;
  switch (vocabulary.bytes(unit.row).back()) {
    case '\n':
      return Boundary::kLine;
    case '.':
    case '!':
    case '?':
      return Boundary::kSentence;
    case ' ':
      return Boundary::kWord;
    default:
      return Boundary::kNone;
  }
}

// The best place to cut near unit `ideal`: within `reach` units, the strongest boundary, then the
// nearest.
std::size_t cut_near(std::span<const text::Unit> units, const text::Vocabulary& vocabulary,
                     std::size_t ideal, std::size_t reach) {
  std::size_t best = ideal;
  Boundary strongest = Boundary::kNone;
  for (std::size_t distance = 0; distance <= reach; ++distance) {
    for (const std::size_t cut : {ideal - distance, ideal + distance}) {
      const Boundary boundary = boundary_behind(units[cut - 1], vocabulary);
      if (boundary > strongest) {
        strongest = boundary;
        best = cut;
      }
    }
    if (strongest == Boundary::kLine) break;
  }
  return best;
}

std::size_t spelled_bytes(std::span<const text::Unit> units, const text::Vocabulary& vocabulary) {
  std::size_t bytes = 0;
  for (const text::Unit& unit : units) {
    bytes += unit.escaped() ? 1 : vocabulary.bytes(unit.row).size();
  }
  return bytes;
}

}  // namespace

int lanes_for(std::size_t bytes) {
  return static_cast<int>(std::clamp<std::size_t>(bytes / kMinLaneBytes, 1, format::kMaxLanes));
}

std::vector<LaneText> cut_lanes(std::span<const text::Unit> units,
                                const text::Vocabulary& vocabulary, int lanes) {
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(lanes),
                                           std::max<std::size_t>(units.size(), 1));
  // An eighth of a lane either way: cuts cannot meet, and lock-step wastes little.
  const std::size_t reach = units.size() / count / 8;
  std::vector<LaneText> result(count);
  std::size_t begin = 0, first_byte = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t ideal = units.size() * (i + 1) / count;
    const std::size_t end =
        i + 1 == count ? units.size() : cut_near(units, vocabulary, ideal, reach);
    const auto part = units.subspan(begin, end - begin);
    result[i].units.assign(part.begin(), part.end());
    result[i].extent = {first_byte, spelled_bytes(part, vocabulary)};
    first_byte += result[i].extent.size;
    begin = end;
  }
  return result;
}

std::vector<mix::LaneExtent> extents(std::span<const LaneText> lanes) {
  std::vector<mix::LaneExtent> result;
  for (const LaneText& lane : lanes) result.push_back(lane.extent);
  return result;
}

}  // namespace smll::codec
