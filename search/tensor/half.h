#ifndef BITPLAN_SEARCH_TENSOR_HALF_H_
#define BITPLAN_SEARCH_TENSOR_HALF_H_

#include <bit>
#include <cstdint>

namespace bitplan {

// IEEE 754 binary16 (1 sign, 5 exponent, 10 fraction bits) to float; exact for every value, NaN stays NaN.
inline float HalfToFloat(uint16_t bits) {
  constexpr uint32_t kExponentShift = 112;  // bias 127 of float minus bias 15 of half
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1F;
  const uint32_t fraction = bits & 0x3FF;
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  const uint32_t float_exponent = exponent == 0x1F ? 0xFF : exponent + kExponentShift;
  return std::bit_cast<float>(sign | (float_exponent << 23) | (fraction << 13));
}

// bfloat16, the upper half of a float.
inline float BFloat16ToFloat(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_TENSOR_HALF_H_
