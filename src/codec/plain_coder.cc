#include "codec/plain_coder.h"

#include <zstd.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "codec/plain_mixer.h"
#include "codec/size_code.h"
#include "coder/range_coder.h"
#include "smll/error.h"
#include "text/utf8.h"

namespace smll::codec {
namespace {

constexpr std::size_t kProgressBytes = 1024;
// Far repeats are looked for with zstd's fastest level, and worth a try where they save more than a
// header takes.
constexpr int kLookLevel = 1;
constexpr std::size_t kWorthATry = 64;
// So much is compressed between two calls of progress.
constexpr std::size_t kLongPiece = std::size_t{256} << 10;

[[noreturn]] void damaged(const char* what) {
  throw Error(ErrorKind::kData, std::string("the archive is damaged: ") + what);
}

template <class Coder>
void code_bytes(Coder& coder, mix::FrameMixer& mixer, const std::uint8_t* known, std::size_t size,
                const Progress& progress) {
  for (std::size_t i = 0; i < size; ++i) {
    const unsigned byte = known ? known[i] : 0;
    for (int shift = 7; shift >= 0; --shift) {
      mixer.update_bit(0, coder.code(mixer.predict_bit_cm(0), byte >> shift & 1));
    }
    // A few bytes that are no code are not to cost the time of the size that they claim.
    if constexpr (std::is_same_v<Coder, coder::Decoder>) {
      if (coder.overrun()) damaged("a frame's code ends too early");
    }
    if (progress && i % kProgressBytes == 0) progress(i, 0);
  }
}

void check_zstd(std::size_t result) {
  if (ZSTD_isError(result))
    throw Error(ErrorKind::kMemory, std::string("zstd: ") + ZSTD_getErrorName(result));
}

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

}  // namespace

std::vector<std::uint8_t> encode_zstd_long(std::span<const std::uint8_t> data, int level,
                                           const Progress& progress) {
  const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    check_zstd(ZSTD_CCtx_setParameter(context.get(), parameter, value));
  };
  const ZSTD_bounds bounds = ZSTD_cParam_getBounds(ZSTD_c_windowLog);
  const int window = static_cast<int>(std::bit_width(data.size()));
  set(ZSTD_c_compressionLevel, level);
  set(ZSTD_c_windowLog, std::clamp(window, bounds.lowerBound, bounds.upperBound));
  set(ZSTD_c_enableLongDistanceMatching, 1);
  check_zstd(ZSTD_CCtx_setPledgedSrcSize(context.get(), data.size()));
  std::vector<std::uint8_t> out(ZSTD_compressBound(data.size()));
  ZSTD_outBuffer to = {out.data(), out.size(), 0};
  bool last = false;
  for (std::size_t begin = 0; !last; begin += kLongPiece) {
    if (progress) progress(0, 0);
    const auto piece = data.subspan(begin, std::min(kLongPiece, data.size() - begin));
    last = begin + piece.size() == data.size();
    // There is room for all that comes, so each call takes all of its piece.
    ZSTD_inBuffer from = {piece.data(), piece.size(), 0};
    check_zstd(
        ZSTD_compressStream2(context.get(), &to, &from, last ? ZSTD_e_end : ZSTD_e_continue));
  }
  out.resize(to.pos);
  return out;
}

std::optional<std::size_t> look_for_far_repeats(std::span<const std::uint8_t> data,
                                                std::size_t frame, const Progress& progress) {
  if (data.size() <= frame) return std::nullopt;
  const std::size_t whole = encode_zstd_long(data, kLookLevel, progress).size();
  std::size_t frames = 0;
  for (auto left = data; !left.empty(); left = left.subspan(std::min(frame, left.size()))) {
    frames +=
        encode_zstd_long(left.first(std::min(frame, left.size())), kLookLevel, progress).size();
  }
  if (frames < whole + kWorthATry) return std::nullopt;
  return whole;
}

std::vector<std::uint8_t> encode_zstd(std::span<const std::uint8_t> data, int level) {
  std::vector<std::uint8_t> out(ZSTD_compressBound(data.size()));
  const std::size_t size = ZSTD_compress(out.data(), out.size(), data.data(), data.size(), level);
  check_zstd(size);
  out.resize(size);
  return out;
}

std::vector<std::uint8_t> decode_zstd(std::span<const std::uint8_t> payload, std::size_t raw_size) {
  if (zstd_size(payload, raw_size) != raw_size) damaged("a zstd frame is not valid");
  std::vector<std::uint8_t> out(raw_size);
  if (ZSTD_findFrameCompressedSize(payload.data(), payload.size()) != payload.size() ||
      ZSTD_decompress(out.data(), out.size(), payload.data(), payload.size()) != raw_size) {
    damaged("a zstd frame is not valid");
  }
  return out;
}

std::size_t zstd_size(std::span<const std::uint8_t> payload, std::size_t limit) {
  const unsigned long long size = ZSTD_getFrameContentSize(payload.data(), payload.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR || size > limit) {
    damaged("a zstd frame's size is not valid");
  }
  return static_cast<std::size_t>(size);
}

std::vector<std::uint8_t> encode_cm(std::span<const std::uint8_t> data, format::Method method,
                                    bool compact, const Progress& progress) {
  PlainMixer models(method, data.size());
  coder::Encoder coder;
  if (compact) code_size(coder, data.size());
  code_bytes(coder, models.mixer(), data.data(), data.size(), progress);
  return coder.finish();
}

std::vector<std::uint8_t> decode_cm(std::span<const std::uint8_t> payload, std::size_t raw_size,
                                    format::Method method, bool compact, const Progress& progress,
                                    std::uint64_t max_memory) {
  coder::Decoder coder(payload);
  if (compact) raw_size = take_size(coder, raw_size);
  format::check_memory(PlainMixer::memory(method, raw_size), max_memory);
  PlainMixer models(method, raw_size);
  code_bytes(coder, models.mixer(), nullptr, raw_size, progress);
  if (!coder.used_all()) damaged("bytes are left behind a frame's code");
  return models.bytes();
}

bool looks_like_text(std::span<const std::uint8_t> data) {
  constexpr std::size_t kPieces = 16, kPiece = 1024;
  std::size_t seen = 0, controls = 0, invalid = 0;
  const std::size_t step = std::max(data.size() / kPieces, kPiece);
  for (std::size_t begin = 0; begin < data.size(); begin += step) {
    auto piece = data.subspan(begin, std::min(kPiece, data.size() - begin));
    seen += piece.size();
    // A piece may begin or end inside a sequence; that is no sign of anything.
    for (int i = 0; i < 3 && begin > 0 && !piece.empty() && (piece[0] & 0xc0) == 0x80; ++i)
      piece = piece.subspan(1);
    while (!piece.empty()) {
      const std::uint8_t byte = piece[0];
      controls +=
          byte < 32 && byte != '\t' && byte != '\n' && byte != '\r' && byte != '\f' && byte != 27;
      const std::size_t length =
          text::utf8_length({reinterpret_cast<const char*>(piece.data()), piece.size()});
      invalid += length == 0 && piece.size() > 3;
      piece = piece.subspan(std::max<std::size_t>(length, 1));
    }
  }
  return controls * 50 <= seen && invalid * 20 <= seen;
}

}  // namespace smll::codec
