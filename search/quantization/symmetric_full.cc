#include "search/quantization/symmetric_full.h"

#include <algorithm>

#include "search/quantization/levels.h"

namespace bitplan::quantization {

QuantizationGrid SymmetricFullGrid(Range range, int bits) {
  const int32_t codes_below = 1 << (bits - 1);
  const double below = std::max(-static_cast<double>(range.min), 0.0) / codes_below;
  const double above = std::max(static_cast<double>(range.max), 0.0) / (codes_below - 1);
  const float scale =
      above > below ? StableScale(range.max, codes_below - 1) : StableScale(-std::min(range.min, 0.0F), codes_below);
  return {.scale = scale, .zero_point = 0, .min_code = -codes_below, .max_code = codes_below - 1};
}

}  // namespace bitplan::quantization
