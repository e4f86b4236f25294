#include "search/quantization/codebooks.h"

#include "search/quantization/clusters.h"

namespace bitplan::quantization {
namespace {

std::vector<float> OptimalLevels(const WeightedLine& line, int bits) {
  return RefinedLevels(line, OptimalMeans(line.Coarsened(kExactValues), 1 << bits));
}

}  // namespace

std::vector<float> LloydMaxLevels(const WeightGroup& group, int bits) {
  const WeightedLine line(group.values, {});
  const auto count = static_cast<int64_t>(line.values().size());
  const int64_t num_levels = int64_t{1} << bits;
  if (count <= num_levels) return {line.values().begin(), line.values().end()};
  std::vector<double> levels;
  for (int64_t j = 0; j < num_levels; ++j) {
    levels.push_back(line.Mean(j * count / num_levels, (j + 1) * count / num_levels));
  }
  return RefinedLevels(line, std::move(levels));
}

std::vector<float> KMeansLevels(const WeightGroup& group, int bits) {
  return OptimalLevels(WeightedLine(group.values, {}), bits);
}

std::vector<float> HessianKMeansLevels(const WeightGroup& group, int bits) {
  return OptimalLevels(WeightedLine(group.values, group.importance), bits);
}

}  // namespace bitplan::quantization
