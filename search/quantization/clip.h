#ifndef BITPLAN_SEARCH_QUANTIZATION_CLIP_H_
#define BITPLAN_SEARCH_QUANTIZATION_CLIP_H_

#include <algorithm>

#include "search/quantization/distribution.h"

namespace bitplan::quantization {

// The part of [low, high] that the numbers reach; ends of histogram bins stay the numbers' own ends.
inline Range ClipTo(const Distribution& numbers, double low, double high) {
  const float min = std::clamp(static_cast<float>(low), numbers.range.min, numbers.range.max);
  const float max = std::clamp(static_cast<float>(high), numbers.range.min, numbers.range.max);
  return {.min = std::min(min, max), .max = max};
}

// The part of [-threshold, threshold] that the numbers reach.
inline Range ClipAt(const Distribution& numbers, double threshold) { return ClipTo(numbers, -threshold, threshold); }

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_CLIP_H_
