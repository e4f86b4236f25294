#include "search/curvature/dot.h"

#include <Eigen/Core>
#include <algorithm>

namespace bitplan::curvature {

double Dot(std::span<const float> a, std::span<const float> b) {
  constexpr size_t kChunk = 4096;
  double sum = 0;
  for (size_t begin = 0; begin < a.size(); begin += kChunk) {
    const auto count = static_cast<Eigen::Index>(std::min(kChunk, a.size() - begin));
    sum += Eigen::Map<const Eigen::VectorXf>(&a[begin], count).dot(Eigen::Map<const Eigen::VectorXf>(&b[begin], count));
  }
  return sum;
}

}  // namespace bitplan::curvature
