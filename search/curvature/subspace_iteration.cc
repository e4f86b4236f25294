#include "search/curvature/subspace_iteration.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <optional>
#include <span>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/checkpoint.h"
#include "search/curvature/columns.h"
#include "search/curvature/products.h"

namespace bitplan {

absl::Status Validate(const SubspaceIterationOptions& options) {
  if (options.num_eigenpairs < 1) {
    return InvalidArgument("subspace iteration: num_eigenpairs: got {}, want at least 1", options.num_eigenpairs);
  }
  if (options.num_guards < 0) {
    return InvalidArgument("subspace iteration: num_guards: got {}, want at least 0", options.num_guards);
  }
  if (!(options.tolerance > 0 && options.tolerance < 1)) {
    return InvalidArgument("subspace iteration: tolerance: got {}, want above 0 and below 1", options.tolerance);
  }
  if (options.max_products < 1) {
    return InvalidArgument("subspace iteration: max_products: got {}, want at least 1", options.max_products);
  }
  return absl::OkStatus();
}

namespace curvature {
namespace {

std::string CheckpointKey(const SubspaceIterationOptions& options) {
  if (options.checkpoint_key.empty()) return {};
  return fmt::format("{}/subspace_iteration/{}/{}/{}/{}/{}/{}", options.checkpoint_key, options.seed, options.stream,
                     options.num_eigenpairs, options.num_guards, options.tolerance, options.max_products);
}

std::vector<double> ToNumbers(const EigenpairsEstimate& estimate) {
  std::vector<double> numbers = {static_cast<double>(estimate.num_products), estimate.converged ? 1.0 : 0.0};
  for (size_t i = 0; i < estimate.vectors.size(); ++i) {
    const EigenvalueBound& e = estimate.eigenvalues[i];
    numbers.insert(numbers.end(), {e.value, e.residual, e.converged ? 1.0 : 0.0});
    numbers.insert(numbers.end(), estimate.vectors[i].begin(), estimate.vectors[i].end());
  }
  return numbers;
}

std::optional<EigenpairsEstimate> FromNumbers(const std::optional<std::vector<double>>& kept, int64_t dimension) {
  constexpr size_t kHead = 2;
  const size_t pair = 3 + dimension;
  if (!kept || kept->size() < kHead || (kept->size() - kHead) % pair != 0) return std::nullopt;
  const std::vector<double>& f = *kept;
  EigenpairsEstimate estimate{.num_products = static_cast<int64_t>(f[0]), .converged = f[1] != 0};
  for (size_t i = kHead; i < f.size(); i += pair) {
    estimate.eigenvalues.push_back({f[i], f[i + 1], f[i + 2] != 0});
    std::vector<float>& vector = estimate.vectors.emplace_back(dimension);
    std::transform(&f[i + 3], &f[i] + pair, vector.begin(), [](double x) { return static_cast<float>(x); });
  }
  return estimate;
}

// The iteration's state: an orthonormal block, its products, and what the last Rayleigh-Ritz step said of each.
struct Block {
  Columns V;
  Columns AV;
  std::vector<double> values;     // Rayleigh quotients, by falling magnitude
  std::vector<double> residuals;  // ||A v - value v||
  int64_t num_locked = 0;         // leading pairs that have converged
  double scale = 0;               // largest ||A v|| so far
  uint64_t num_drawn = 0;         // random vectors so far
};

std::vector<double> Draw(Block& block, const SubspaceIterationOptions& options) {
  std::vector<float> gaussian(block.V.num_rows());
  Rng(options.seed, (options.stream << 20) + block.num_drawn++).FillGaussian(gaussian);
  return {gaussian.begin(), gaussian.end()};
}

// Appends the part of x outside V, or of a random vector if nothing but rounding is left of x.
absl::Status AppendOrthogonal(Block& block, std::vector<double> x, const SubspaceIterationOptions& options,
                              const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Orthogonalize(block.V, x, context).status());
  if (Norm(x) <= kFloatRounding * block.scale) {
    x = Draw(block, options);
    BITPLAN_RETURN_IF_ERROR(Orthogonalize(block.V, x, context).status());
  }
  block.V.Append(x, Norm(x));
  return absl::OkStatus();
}

absl::Status MultiplyUnlocked(Block& block, Products& products, const RunContext& context) {
  std::vector<double> product(block.V.num_rows());
  for (int64_t j = block.num_locked; j < block.V.size(); ++j) {
    BITPLAN_RETURN_IF_ERROR(products.Multiply(block.V[j], product, context));
    block.scale = std::max(block.scale, Norm(product));
    block.AV.Append(product, 1);
  }
  return absl::OkStatus();
}

double Residual(std::span<const float> v, std::span<const float> Av, double value) {
  double squares = 0;
  for (size_t i = 0; i < v.size(); ++i) {
    const double r = Av[i] - value * v[i];
    squares += r * r;
  }
  return std::sqrt(squares);
}

// Turns the block into its Ritz vectors, by falling magnitude of their values.
absl::Status RayleighRitz(Block& block, const RunContext& context) {
  const int64_t size = block.V.size();
  Eigen::MatrixXd H(size, size);
  for (int64_t j = 0; j < size; ++j) {
    BITPLAN_ASSIGN_OR_RETURN(const std::vector<double> dots,
                             Dots(block.V, std::span<const float>(block.AV[j]), context));
    H.col(j) = Eigen::Map<const Eigen::VectorXd>(dots.data(), size);
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver((H + H.transpose()) / 2);
  std::vector<int64_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(), [&](int64_t i) { return std::abs(solver.eigenvalues()[i]); });
  std::vector<double> rotation;
  block.values.clear();
  for (const int64_t i : order) {
    block.values.push_back(solver.eigenvalues()[i]);
    rotation.insert(rotation.end(), solver.eigenvectors().col(i).begin(), solver.eigenvectors().col(i).end());
  }
  BITPLAN_RETURN_IF_ERROR(Rotate(block.V, rotation, size, context));
  BITPLAN_RETURN_IF_ERROR(Rotate(block.AV, rotation, size, context));
  block.residuals.clear();
  for (int64_t i = 0; i < size; ++i) block.residuals.push_back(Residual(block.V[i], block.AV[i], block.values[i]));
  return absl::OkStatus();
}

EigenpairsEstimate Judge(const Block& block, const SubspaceIterationOptions& options) {
  EigenpairsEstimate estimate;
  const int64_t wanted = std::min(options.num_eigenpairs, block.V.num_rows());
  for (int64_t i = 0; i < std::min(wanted, block.V.size()); ++i) {
    const double allowed = std::max(options.tolerance * std::abs(block.values[i]), kFloatRounding * block.scale);
    estimate.eigenvalues.push_back(
        {.value = block.values[i], .residual = block.residuals[i], .converged = block.residuals[i] <= allowed});
  }
  estimate.converged =
      block.V.size() >= wanted && std::ranges::all_of(estimate.eigenvalues, &EigenvalueBound::converged);
  return estimate;
}

// The next block: the locked pairs, and what the products of the others span beside them.
absl::Status Advance(Block& block, const EigenpairsEstimate& judged, const SubspaceIterationOptions& options,
                     const RunContext& context) {
  const auto first_open = std::ranges::find(judged.eigenvalues, false, &EigenvalueBound::converged);
  block.num_locked = first_open - judged.eigenvalues.begin();
  const int64_t size = block.V.size();
  block.V.Truncate(block.num_locked);
  for (int64_t j = block.num_locked; j < size; ++j) {
    const std::span<const float> Av = std::as_const(block.AV)[j];
    BITPLAN_RETURN_IF_ERROR(AppendOrthogonal(block, {Av.begin(), Av.end()}, options, context));
  }
  block.AV.Truncate(block.num_locked);
  return absl::OkStatus();
}

void ReportProgress(const EigenpairsEstimate& estimate, const SubspaceIterationOptions& options,
                    const RunContext& context) {
  double worst = 0;
  for (const EigenvalueBound& e : estimate.eigenvalues) {
    if (!e.converged && e.value != 0) worst = std::max(worst, e.residual / std::abs(e.value));
  }
  const double share = static_cast<double>(estimate.num_products) / static_cast<double>(options.max_products);
  context.Report({.stage = "eigenvalues",
                  .fraction = estimate.converged ? 1 : share,
                  .probes = estimate.num_products,
                  .relative_error = worst});
}

}  // namespace

absl::StatusOr<EigenpairsEstimate> SubspaceIteration(const LinearOperator& A, const SubspaceIterationOptions& options,
                                                     const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  const int64_t dimension = A.dimension();
  if (dimension < 1) return InvalidArgument("subspace iteration: the operator has dimension 0");
  const std::string key = CheckpointKey(options);
  if (auto kept = FromNumbers(LoadNumbers(context, key), dimension)) return *std::move(kept);

  Products products(A, {.estimator = "subspace iteration", .checkpoint_key = key});
  Block block{.V = Columns(dimension), .AV = Columns(dimension), .values = {}, .residuals = {}};
  const int64_t size = std::min({options.num_eigenpairs + options.num_guards, dimension, options.max_products});
  for (int64_t j = 0; j < size; ++j) {
    BITPLAN_RETURN_IF_ERROR(AppendOrthogonal(block, Draw(block, options), options, context));
  }
  for (;;) {
    BITPLAN_RETURN_IF_ERROR(MultiplyUnlocked(block, products, context));
    BITPLAN_RETURN_IF_ERROR(RayleighRitz(block, context));
    EigenpairsEstimate estimate = Judge(block, options);
    estimate.num_products = products.count();
    ReportProgress(estimate, options, context);
    // The next iteration multiplies at most the whole block.
    if (estimate.converged || products.count() + size > options.max_products) {
      for (size_t i = 0; i < estimate.eigenvalues.size(); ++i) {
        const std::span<const float> v = std::as_const(block.V)[static_cast<int64_t>(i)];
        estimate.vectors.emplace_back(v.begin(), v.end());
      }
      SaveNumbers(context, key, ToNumbers(estimate));
      products.Forget(context);
      return estimate;
    }
    BITPLAN_RETURN_IF_ERROR(Advance(block, estimate, options, context));
  }
}

}  // namespace curvature
}  // namespace bitplan
