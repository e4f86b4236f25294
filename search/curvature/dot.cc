#include "search/curvature/dot.h"

#include <Eigen/Core>
#include <algorithm>

namespace bitplan::curvature {

namespace {

// Sums of of_chunk(chunk of a, chunk of b) in double.
template <typename OfChunk>
double SumOfChunks(std::span<const float> a, std::span<const float> b, OfChunk of_chunk) {
  using Chunk = Eigen::Map<const Eigen::ArrayXf>;
  constexpr size_t kChunk = 4096;
  double sum = 0;
  for (size_t begin = 0; begin < a.size(); begin += kChunk) {
    const auto count = static_cast<Eigen::Index>(std::min(kChunk, a.size() - begin));
    sum += of_chunk(Chunk(&a[begin], count), Chunk(&b[begin], count));
  }
  return sum;
}

}  // namespace

double Dot(std::span<const float> a, std::span<const float> b) {
  return SumOfChunks(a, b, [](const auto& x, const auto& y) { return (x * y).sum(); });
}

double DotOfSquares(std::span<const float> a, std::span<const float> b) {
  return SumOfChunks(a, b, [](const auto& x, const auto& y) { return (x * y).square().sum(); });
}

}  // namespace bitplan::curvature
