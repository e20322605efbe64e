#include "codec/lane_header.h"

#include "base/varint.h"
#include "codec/frame_codec.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

// First byte: lanes - 1 in the low five bits.
constexpr std::uint8_t kEscapesFlag = 0x20;

}  // namespace

void put_lanes(const LaneHeader& header, std::vector<std::uint8_t>& out) {
  out.push_back(
      static_cast<std::uint8_t>((header.extents.size() - 1) | (header.escapes ? kEscapesFlag : 0)));
  for (std::size_t i = 0; i + 1 < header.extents.size(); ++i) {
    put_varint(out, header.extents[i].size);
  }
}

LaneHeader take_lanes(std::span<const std::uint8_t>& in, std::size_t raw_size) {
  if (in.empty() || in[0] >> 6) {
    throw Error(ErrorKind::kData, "the archive is damaged: a frame's lanes are not valid");
  }
  LaneHeader header;
  header.escapes = (in[0] & kEscapesFlag) != 0;
  const int lanes = (in[0] & (format::kMaxLanes - 1)) + 1;
  in = in.subspan(1);
  std::size_t begin = 0;
  for (int i = 0; i < lanes; ++i) {
    const std::uint64_t size = i + 1 < lanes ? take_varint(in) : raw_size - begin;
    if (size > raw_size - begin || (size == 0 && raw_size > 0)) {
      throw Error(ErrorKind::kData, "the archive is damaged: a lane's size is not valid");
    }
    header.extents.push_back({begin, size});
    begin += size;
  }
  return header;
}

}  // namespace smll::codec
