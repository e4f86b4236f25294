// Quadratic whole-plan objectives: whether branch and bound proves the best plan, and in what time.
//   convex_bench [seed]
// Problems: f(x) = |U x|^2 / 2 with U of `samples` random rows, L layers of K options with sensitivities of about
// 4^-bits, sizes from 1 to 50 and one budget at 40 % of the way from the smallest plan to the largest.
// `coupling` < 1 mixes U'U with its diagonal.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "search/allocation/convex_search.h"
#include "search/base/rng.h"

namespace {

using namespace bitplan;  // NOLINT(google-build-using-namespace)

struct Case {
  int layers;
  int options;
  int samples;
  double coupling = 1;
};

class Gram final : public ConvexObjective {
 public:
  explicit Gram(std::vector<double> matrix) : matrix_(std::move(matrix)) {}
  double Value(std::span<const double> x) const override {
    std::vector<double> unused(x.size());
    return ValueAndGradient(x, unused);
  }
  double ValueAndGradient(std::span<const double> x, std::span<double> gradient) const override {
    double value = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      gradient[i] = 0;
      for (size_t j = 0; j < x.size(); ++j) gradient[i] += matrix_[i * x.size() + j] * x[j];
      value += gradient[i] * x[i] / 2;
    }
    return value;
  }
  bool CurvatureFloor(std::span<double> floor, const RunContext&) const override {
    std::copy(matrix_.begin(), matrix_.end(), floor.begin());
    return true;
  }
  bool is_quadratic() const override { return true; }
  double least() const override { return 0; }
  double tolerance() const override { return 1e-9; }

 private:
  std::vector<double> matrix_;
};

int BitsOf(int option, int options) {
  if (options == 3) return 2 << option;
  return 2 + 2 * option;
}

void Run(const Case& c, uint64_t seed) {
  Rng rng(seed, 7);
  Problem problem{.resources = {"size"}};
  const size_t n = static_cast<size_t>(c.layers) * c.options;
  std::vector<double> size;
  int64_t least = 0;
  int64_t most = 0;
  for (int l = 0; l < c.layers; ++l) {
    ProblemLayer layer;
    const double scale = std::exp(rng.NextGaussian());
    const auto weights = static_cast<int64_t>(1000 * std::exp(rng.NextGaussian()));
    for (int k = 0; k < c.options; ++k) {
      const int bits = BitsOf(k, c.options);
      size.push_back(scale * std::pow(2.0, -bits));
      layer.options.push_back({.objective = size.back() * size.back() / 2, .cost = {weights * bits}});
    }
    least += layer.options.front().cost[0];
    most += layer.options.back().cost[0];
    problem.layers.push_back(layer);
  }
  problem.budgets = {{.resource = 0, .limit = least + (most - least) * 2 / 5}};
  std::vector<double> matrix(n * n, 0.0);
  std::vector<double> row(n);
  for (int s = 0; s < c.samples; ++s) {
    for (double& value : row) value = rng.NextGaussian();
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) matrix[i * n + j] += c.coupling * size[i] * size[j] * row[i] * row[j] / c.samples;
    }
  }
  for (size_t i = 0; i < n; ++i) matrix[i * n + i] += (1 - c.coupling) * size[i] * size[i];
  const Gram objective(std::move(matrix));
  const std::clock_t start = std::clock();
  const auto solution = allocation::SolveConvex(problem, objective, {}, {}, {});
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  if (!solution.ok()) std::exit(1);
  fmt::print("| {} x {} | {} | {} | {} | {:.2g} | {} | {:.2f} |\n", c.layers, c.options, c.samples, c.coupling,
             allocation::TerminationName(solution->termination), solution->gap, solution->nodes, seconds);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  fmt::print(
      "| layers x options | samples | coupling | answer | gap | nodes | CPU s |\n| --- | --- | --- | --- | --- | --- | "
      "--- |\n");
  for (const int samples : {1024, 256, 64, 32}) {
    for (const auto& [layers, options] : {std::pair(20, 3), std::pair(20, 4), std::pair(50, 3), std::pair(50, 4)}) {
      Run({layers, options, samples}, seed);
    }
  }
  for (const double coupling : {0.1, 0.3, 0.6}) {
    for (const int layers : {50, 100, 200}) Run({layers, 3, 10, coupling}, seed);
  }
}
