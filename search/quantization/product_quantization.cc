#include "search/quantization/product_quantization.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "search/base/rng.h"

namespace bitplan::quantization {
namespace {

constexpr size_t kNumVectors = size_t{1} << kProductIndexBits;
constexpr size_t kMaxTraining = 65'536;
constexpr int kMaxSteps = 20;

// Vectors to fit to: views of the rows, the last of a row shorter.
std::vector<std::span<const float>> PartsOf(const WeightRows& rows, int size) {
  std::vector<std::span<const float>> parts;
  for (int64_t row = 0; row < std::ssize(rows.values); row += rows.row_length) {
    for (int64_t i = 0; i < rows.row_length; i += size) {
      parts.push_back(rows.values.subspan(row + i, std::min<int64_t>(size, rows.row_length - i)));
    }
  }
  if (parts.size() <= kMaxTraining) return parts;
  std::vector<std::span<const float>> sample;
  for (size_t i = 0; i < kMaxTraining; ++i) sample.push_back(parts[i * parts.size() / kMaxTraining]);
  return sample;
}

double Distance(std::span<const float> part, const float* vector) {
  double distance = 0;
  for (size_t j = 0; j < part.size(); ++j) {
    const double difference = static_cast<double>(part[j]) - vector[j];
    distance += difference * difference;
  }
  return distance;
}

void Append(std::span<const float> part, int size, std::vector<float>& vectors) {
  vectors.insert(vectors.end(), part.begin(), part.end());
  vectors.resize(vectors.size() + size - part.size(), 0.0F);
}

// All different parts, if they are no more than the codebook holds; otherwise nothing.
std::vector<float> DifferentVectors(const std::vector<std::span<const float>>& parts, int size) {
  std::set<std::vector<float>> different;
  for (const std::span<const float> part : parts) {
    std::vector<float> vector;
    Append(part, size, vector);
    different.insert(std::move(vector));
    if (different.size() > kNumVectors) return {};
  }
  std::vector<float> vectors;
  for (const std::vector<float>& vector : different) vectors.insert(vectors.end(), vector.begin(), vector.end());
  return vectors;
}

// k-means++: each next start is a part drawn with probability proportional to its squared distance from those before.
std::vector<float> Starts(const std::vector<std::span<const float>>& parts, int size, Rng& rng) {
  std::vector<float> vectors;
  std::vector<double> nearest(parts.size(), std::numeric_limits<double>::infinity());
  size_t chosen = rng.NextBelow(parts.size());
  while (true) {
    Append(parts[chosen], size, vectors);
    if (vectors.size() == kNumVectors * size) return vectors;
    double total = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      nearest[i] = std::min(nearest[i], Distance(parts[i], vectors.data() + vectors.size() - size));
      total += nearest[i];
    }
    if (total == 0) return vectors;
    double left = rng.NextUniform() * total;
    chosen = 0;
    while (chosen + 1 < parts.size() && (left -= nearest[chosen]) >= 0) ++chosen;
  }
}

size_t NearestTo(std::span<const float> part, const std::vector<float>& vectors, int size) {
  size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (size_t v = 0; v * size < vectors.size(); ++v) {
    const double distance = Distance(part, vectors.data() + v * size);
    if (distance < least) {
      least = distance;
      best = v;
    }
  }
  return best;
}

// One step of Lloyd's iteration; false if no vector moved.
bool Improve(const std::vector<std::span<const float>>& parts, int size, std::vector<float>& vectors) {
  std::vector<double> sums(vectors.size(), 0.0);
  std::vector<int64_t> counts(vectors.size(), 0);  // of each entry: the last parts of rows lack some
  for (const std::span<const float> part : parts) {
    const size_t first = NearestTo(part, vectors, size) * size;
    for (size_t j = 0; j < part.size(); ++j) {
      sums[first + j] += part[j];
      ++counts[first + j];
    }
  }
  bool moved = false;
  for (size_t i = 0; i < vectors.size(); ++i) {
    if (counts[i] == 0) continue;
    const auto mean = static_cast<float>(sums[i] / static_cast<double>(counts[i]));
    moved |= mean != vectors[i];
    vectors[i] = mean;
  }
  return moved;
}

}  // namespace

int ProductVectorSize(int bits) { return kProductIndexBits / bits; }

VectorCodebook ProductVectors(const WeightRows& rows, int bits, const PerturbInputs& inputs) {
  VectorCodebook codebook{.vector_size = ProductVectorSize(bits), .vectors = {}};
  const int size = codebook.vector_size;
  const std::vector<std::span<const float>> parts = PartsOf(rows, size);
  codebook.vectors = DifferentVectors(parts, size);
  if (!codebook.vectors.empty()) return codebook;
  Rng rng(inputs.seed, inputs.stream);
  codebook.vectors = Starts(parts, size, rng);
  for (int step = 0; step < kMaxSteps; ++step) {
    if (!Improve(parts, size, codebook.vectors)) break;
  }
  return codebook;
}

}  // namespace bitplan::quantization
