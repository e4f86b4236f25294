#include "search/quantization/affine.h"

#include <algorithm>
#include <cmath>

namespace bitplan::quantization {

QuantizationGrid AffineGrid(Range range, int bits) {
  const int32_t largest_code = (1 << bits) - 1;
  const double lo = std::min(range.min, 0.0F);
  const double hi = std::max(range.max, 0.0F);
  const float scale = ScaleFor(hi - lo, largest_code);  // in double: hi - lo may exceed the largest float
  const auto zero_point = static_cast<int32_t>(std::clamp(std::nearbyint(-lo / scale), 0.0, 1.0 * largest_code));
  return {.scale = scale, .zero_point = zero_point, .min_code = 0, .max_code = largest_code};
}

}  // namespace bitplan::quantization
