#include "search/sensitivity/paired_difference.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "search/curvature/confidence.h"

namespace bitplan::sensitivity {

SampleMean MeanOf(std::span<const double> values) {
  curvature::Moments moments;
  const auto count = static_cast<int64_t>(values.size());
  for (int64_t n = 0; n < count; ++n) curvature::AddSample(moments, values[n], n + 1);
  return {.mean = moments.mean, .standard_error = count < 2 ? 0 : curvature::StandardErrorOfMean(moments, count)};
}

SampleMean PairedDifference(std::span<const double> before, std::span<const double> after) {
  std::vector<double> differences(before.size());
  for (size_t n = 0; n < before.size(); ++n) differences[n] = after[n] - before[n];
  return MeanOf(differences);
}

}  // namespace bitplan::sensitivity
