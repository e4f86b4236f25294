#include "search/quantization/multi_bit_binary.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "search/quantization/levels.h"

namespace bitplan::quantization {
namespace {

constexpr int kMaxRounds = 50;

std::vector<double> GreedyAlphas(std::span<const float> values, int bits) {
  std::vector<double> residual(values.begin(), values.end());
  std::vector<double> alphas;
  for (int i = 0; i < bits; ++i) {
    double sum = 0;
    for (const double r : residual) sum += std::abs(r);
    alphas.push_back(sum / static_cast<double>(residual.size()));
    for (double& r : residual) r -= r < 0 ? -alphas.back() : alphas.back();
  }
  return alphas;
}

// A sum and the signs that make it: bit i of `signs` set means +alpha_i.
struct SignedSum {
  double sum = 0;
  unsigned signs = 0;
};

// All sums in ascending order; of equal sums the fewest signs first.
std::vector<SignedSum> SumsOf(const std::vector<double>& alphas) {
  std::vector<SignedSum> sums(size_t{1} << alphas.size());
  for (unsigned signs = 0; signs < sums.size(); ++signs) {
    sums[signs].signs = signs;
    for (size_t i = 0; i < alphas.size(); ++i) sums[signs].sum += (signs >> i) % 2 == 1 ? alphas[i] : -alphas[i];
  }
  std::ranges::stable_sort(sums, {}, &SignedSum::sum);
  return sums;
}

std::vector<float> LevelsOf(const std::vector<double>& alphas) {
  std::vector<float> levels;
  for (const SignedSum& entry : SumsOf(alphas)) levels.push_back(static_cast<float>(entry.sum));
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  return levels;
}

// Signs of the nearest sum of each weight.
std::vector<unsigned> SignsOf(std::span<const float> values, const std::vector<double>& alphas) {
  const std::vector<SignedSum> sums = SumsOf(alphas);
  std::vector<double> levels(sums.size());
  std::ranges::transform(sums, levels.begin(), &SignedSum::sum);
  std::vector<unsigned> signs;
  signs.reserve(values.size());
  for (const float w : values) signs.push_back(sums[NearestLevel(levels, w)].signs);
  return signs;
}

// argmin over alpha of sum (w - sum alpha_i b_i)^2: the least one where several are.
std::vector<double> LeastSquares(std::span<const float> values, const std::vector<unsigned>& signs, int bits) {
  Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(bits, bits);
  Eigen::VectorXd right = Eigen::VectorXd::Zero(bits);
  Eigen::VectorXd b(bits);
  for (size_t n = 0; n < values.size(); ++n) {
    for (int i = 0; i < bits; ++i) b[i] = (signs[n] >> i) % 2 == 1 ? 1 : -1;
    gram += b * b.transpose();
    right += b * static_cast<double>(values[n]);
  }
  const Eigen::VectorXd alphas = gram.completeOrthogonalDecomposition().solve(right);
  return {alphas.data(), alphas.data() + bits};
}

}  // namespace

std::vector<float> GreedyBinaryLevels(const WeightGroup& group, int bits) {
  return LevelsOf(GreedyAlphas(group.values, bits));
}

std::vector<float> AlternatingBinaryLevels(const WeightGroup& group, int bits) {
  std::vector<double> alphas = GreedyAlphas(group.values, bits);
  std::vector<unsigned> signs = SignsOf(group.values, alphas);
  for (int round = 0; round < kMaxRounds; ++round) {
    alphas = LeastSquares(group.values, signs, bits);
    std::vector<unsigned> next = SignsOf(group.values, alphas);
    if (next == signs) break;
    signs = std::move(next);
  }
  return LevelsOf(alphas);
}

}  // namespace bitplan::quantization
