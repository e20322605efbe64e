#include "lm/exact/rope.h"

#include <cstring>

#include "base/fp_env.h"

namespace smll::exact {
namespace {

constexpr double kTwoPi = 6.283185307179586476925;
constexpr double kLn2 = 0.6931471805599453094172;
constexpr double kTwoTo64 = 18446744073709551616.0;

double bits_to_double(std::uint64_t bits) {
  double x;
  std::memcpy(&x, &bits, 8);
  return x;
}

}  // namespace

double exact_exp2(double x) {
  const int whole = static_cast<int>(x < 0 ? x - 0.5 : x + 0.5);
  const double r = (x - whole) * kLn2;
  // Taylor series, innermost term first; |r| < 0.35 makes 18 terms more than enough.
  double sum = 1.0;
  for (int n = 18; n > 0; --n) sum = 1.0 + r / n * sum;
  return sum * bits_to_double(static_cast<std::uint64_t>(1023 + whole) << 52);
}

double exact_log2(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, 8);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double m = bits_to_double((bits & 0xfffffffffffffull) | (1023ull << 52));
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  // log m = 2 atanh((m-1)/(m+1)), an odd series in t with |t| < 0.172.
  const double t = (m - 1.0) / (m + 1.0);
  const double t2 = t * t;
  double sum = 0.0;
  for (int n = 27; n > 0; n -= 2) sum = sum * t2 + 1.0 / n;
  return exponent + 2.0 * t * sum / kLn2;
}

void cos_sin_of_turn(std::uint64_t turn, double* cos, double* sin) {
  // The nearest quarter turn, and the signed rest in [-1/8, 1/8) of a turn.
  const unsigned quarter = static_cast<unsigned>((turn + (1ull << 61)) >> 62) & 3;
  const auto rest = static_cast<std::int64_t>(turn - (static_cast<std::uint64_t>(quarter) << 62));
  const double x = static_cast<double>(rest) * (1.0 / kTwoTo64) * kTwoPi;
  const double x2 = x * x;
  double s = 1.0;
  double c = 1.0;
  for (int n = 14; n > 0; n -= 2) {
    s = 1.0 - x2 / (n * (n + 1)) * s;
    c = 1.0 - x2 / (n * (n - 1)) * c;
  }
  s *= x;
  constexpr int kCosSign[4] = {1, -1, -1, 1};
  constexpr int kSinSign[4] = {1, 1, -1, -1};
  *cos = kCosSign[quarter] * (quarter % 2 ? s : c);
  *sin = kSinSign[quarter] * (quarter % 2 ? c : s);
}

RotaryTable::RotaryTable(const weights::Rotation& rotation) {
  const FpEnv environment;
  const double log_base = exact_log2(rotation.base);
  for (int pair = 0; pair < rotation.dims / 2; ++pair) {
    double theta = exact_exp2(-2.0 * pair / rotation.dims * log_base) * rotation.scale;
    if (!rotation.factors.empty()) theta = theta / static_cast<double>(rotation.factors[pair]);
    // Whole turns do not matter; a factor below 1 may give some.
    double turn = theta / kTwoPi;
    turn -= static_cast<double>(static_cast<std::uint64_t>(turn));
    turns_.push_back(static_cast<std::uint64_t>(turn * kTwoTo64));
  }
}

void RotaryTable::fill(std::uint64_t position, int head_dim, float* cos, float* sin) const {
  for (int i = 0; i < head_dim; ++i) {
    cos[i] = 1.0f;
    sin[i] = 0.0f;
  }
  for (std::size_t pair = 0; pair < turns_.size(); ++pair) {
    double c, s;
    cos_sin_of_turn(position * turns_[pair], &c, &s);
    cos[2 * pair] = cos[2 * pair + 1] = static_cast<float>(c);
    sin[2 * pair] = static_cast<float>(-s);
    sin[2 * pair + 1] = static_cast<float>(s);
  }
}

}  // namespace smll::exact
