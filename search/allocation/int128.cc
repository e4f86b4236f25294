#include "search/allocation/int128.h"

#include <cmath>

namespace bitplan::allocation {
namespace {

constexpr int kMantissaBits = 53;

// mantissa / 2^drop, to nearest, ties to even; 1 <= drop <= 62.
int64_t RoundedShift(int64_t mantissa, int drop) {
  const int64_t floor = mantissa >> drop;
  const int64_t rest = mantissa - (floor << drop);
  const int64_t half = int64_t{1} << (drop - 1);
  return floor + (rest > half || (rest == half && (floor & 1) != 0) ? 1 : 0);
}

}  // namespace

Int128 ToFixedPoint(double value, int shift) {
  if (value == 0) return 0;
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  const auto mantissa = static_cast<int64_t>(std::ldexp(fraction, kMantissaBits));
  const int up = exponent - kMantissaBits + shift;
  if (up >= 0) return Int128{mantissa} * (Int128{1} << up);
  return up < -kMantissaBits - 1 ? 0 : RoundedShift(mantissa, -up);
}

double FromFixedPoint(Int128 value, int shift) { return std::ldexp(static_cast<double>(value), -shift); }

Int128 Gcd(Int128 a, Int128 b) {
  while (b != 0) {
    const Int128 rest = a % b;
    a = b;
    b = rest;
  }
  return a < 0 ? -a : a;
}

}  // namespace bitplan::allocation
