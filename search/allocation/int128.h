#ifndef BITPLAN_SEARCH_ALLOCATION_INT128_H_
#define BITPLAN_SEARCH_ALLOCATION_INT128_H_

#include <cstdint>

namespace bitplan::allocation {

// Signed 128-bit integer (g++ and clang have it on every 64-bit target). The exact solver counts objectives in it, so
// that sums, bounds and comparisons carry no rounding at all.
__extension__ typedef __int128 Int128;

// Sums over a whole instance stay below 2^kValueBits in magnitude, so that the few sums, differences and products of a
// bound fit in 127 bits.
inline constexpr int kValueBits = 118;

// Beyond every value: larger than any difference of two instance sums, and twice it still fits.
inline constexpr Int128 kInfiniteValue = Int128{1} << 125;

// min(a * b, kInfiniteValue) for a, b >= 0.
constexpr Int128 SaturatingProduct(Int128 a, int64_t b) {
  Int128 product = 0;
  return __builtin_mul_overflow(a, Int128{b}, &product) || product > kInfiniteValue ? kInfiniteValue : product;
}

// x = round(value * 2^shift) to nearest, ties to even; exact where `value` has no bits below 2^-shift.
// |value| * 2^shift must be below 2^126.
Int128 ToFixedPoint(double value, int shift);
// The double nearest to value / 2^shift.
double FromFixedPoint(Int128 value, int shift);

// Greatest common divisor of |a| and |b|; Gcd(0, 0) is 0.
Int128 Gcd(Int128 a, Int128 b);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_INT128_H_
