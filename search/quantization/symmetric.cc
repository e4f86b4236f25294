#include "search/quantization/symmetric.h"

#include <algorithm>
#include <cmath>

namespace bitplan::quantization {

QuantizationGrid SymmetricGrid(Range range, int bits) {
  const int32_t largest_code = (1 << (bits - 1)) - 1;
  const float largest = std::max(std::abs(range.min), std::abs(range.max));
  return {
      .scale = ScaleFor(largest, largest_code), .zero_point = 0, .min_code = -largest_code, .max_code = largest_code};
}

}  // namespace bitplan::quantization
