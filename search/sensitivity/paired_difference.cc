#include "search/sensitivity/paired_difference.h"

#include <cstdint>

#include "search/curvature/confidence.h"

namespace bitplan::sensitivity {

MeanDifference PairedDifference(std::span<const double> before, std::span<const double> after) {
  curvature::Moments moments;
  const auto count = static_cast<int64_t>(before.size());
  for (int64_t n = 0; n < count; ++n) curvature::AddSample(moments, after[n] - before[n], n + 1);
  return {.mean = moments.mean, .standard_error = count < 2 ? 0 : curvature::StandardErrorOfMean(moments, count)};
}

}  // namespace bitplan::sensitivity
