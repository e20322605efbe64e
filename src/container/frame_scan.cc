#include "container/frame_scan.h"

#include <algorithm>

#include "format/records.h"
#include "smll/error.h"

namespace smll::container {
namespace {

// More than any header has, with those of the file and the model in front of it.
constexpr std::size_t kMaxHeader = 1400;
// Frames that may be missing in a row. A header's check has 8 bits, so each number that is tried
// makes it more likely that something else is taken for a header.
constexpr std::uint64_t kMaxLost = 64;

struct Candidate {
  std::size_t header_size = 0;
  std::size_t payload_size = 0;
  std::uint8_t check = 0;
  bool starts_archive = false;
  bool single = false;
};

bool starts_with_magic(ByteView bytes) {
  return bytes.size() >= format::kMagic.size() &&
         std::equal(format::kMagic.begin(), format::kMagic.end(), bytes.begin());
}

// Whether a record can start with this byte; most bytes end here.
bool may_start(std::uint8_t tag) {
  return format::is_method(tag) || tag == format::kMagic[0] || (tag & format::kTagModel) != 0;
}

// What the bytes say if they are a frame's header.
std::optional<Candidate> parse(ByteView bytes) {
  if (bytes.empty() || !may_start(bytes[0])) return std::nullopt;
  Candidate found;
  std::size_t next = 0;
  const format::NextByte next_byte = [&] {
    if (next == bytes.size()) throw Error(ErrorKind::kData, "cut");
    return bytes[next++];
  };
  try {
    if (starts_with_magic(bytes)) {
      next = format::kMagic.size();
      const std::uint8_t version = next_byte();
      if ((version & ~format::kFlagSingle) != format::kFormatVersion) return std::nullopt;
      found.starts_archive = true;
      found.single = (version & format::kFlagSingle) != 0;
    }
    std::uint8_t tag = next_byte();
    if ((tag & format::kTagModel) != 0) {
      format::read_model_record(tag, next_byte);
      tag = next_byte();
    }
    const format::FrameHeader frame = format::read_frame_header(tag, next_byte);
    found.payload_size = frame.payload_size;
    found.header_size = next;
    found.check = next_byte();
    return found;
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool check_fits(const Candidate& found, ByteView bytes, std::uint64_t number) {
  return format::header_check(bytes.first(found.header_size), number) == found.check;
}

// Whether `rest` is what may stand behind a frame.
bool may_follow(ByteView rest, const Candidate& frame, std::uint64_t number) {
  if (rest.empty() || starts_with_magic(rest)) return true;
  if (frame.single) return false;
  if (rest[0] == format::kTagEnd) return true;
  const std::optional<Candidate> next = parse(rest);
  return next && !next->starts_archive && check_fits(*next, rest, number + 1);
}

// The number of the frame that starts where `input` stands.
std::optional<std::uint64_t> frame_here(BufferedInput& input, std::uint64_t least) {
  const ByteView bytes = input.window(kMaxHeader);
  const std::optional<Candidate> found = parse(bytes.first(std::min(bytes.size(), kMaxHeader)));
  if (!found) return std::nullopt;
  const std::uint64_t first = found->starts_archive ? 0 : least;
  const std::uint64_t last = found->starts_archive ? 0 : least + kMaxLost;
  for (std::uint64_t number = first; number <= last; ++number) {
    if (!check_fits(*found, input.window(found->header_size), number)) continue;
    const std::size_t size = found->header_size + 1 + found->payload_size;
    const ByteView more = input.window(size + kMaxHeader);
    if (more.size() >= size && may_follow(more.subspan(size), *found, number)) return number;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> find_frame(BufferedInput& input, std::uint64_t least) {
  for (; !input.at_end(); input.skip(1)) {
    if (!may_start(input.peek())) continue;
    if (const auto number = frame_here(input, least)) return number;
  }
  return std::nullopt;
}

}  // namespace smll::container
