#include "search/curvature/lanczos.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/checkpoint.h"
#include "search/curvature/krylov.h"
#include "search/curvature/products.h"

namespace bitplan {

absl::Status Validate(const LanczosOptions& options) {
  if (options.num_top < 0 || options.num_bottom < 0 || options.num_top + options.num_bottom < 1) {
    return InvalidArgument("lanczos: num_top, num_bottom: got {} and {}, want at least 0 each and one in all",
                           options.num_top, options.num_bottom);
  }
  if (!(options.tolerance > 0 && options.tolerance < 1)) {
    return InvalidArgument("lanczos: tolerance: got {}, want above 0 and below 1", options.tolerance);
  }
  if (options.max_products < 1) {
    return InvalidArgument("lanczos: max_products: got {}, want at least 1", options.max_products);
  }
  if (options.max_basis < options.num_top + options.num_bottom + 2) {
    return InvalidArgument("lanczos: max_basis: got {}, want at least num_top + num_bottom + 2, {}", options.max_basis,
                           options.num_top + options.num_bottom + 2);
  }
  return absl::OkStatus();
}

const EigenvalueBound& LanczosEstimate::Dominant() const {
  if (top.empty()) return bottom.front();
  if (bottom.empty()) return top.front();
  return std::abs(bottom.front().value) > std::abs(top.front().value) ? bottom.front() : top.front();
}

namespace curvature {
namespace {

// Start vectors beyond the first, used after an invariant subspace, come from streams of their own.
constexpr uint64_t kFreshStream = uint64_t{1} << 48;

std::string CheckpointKey(const LanczosOptions& options) {
  if (options.checkpoint_key.empty()) return {};
  return fmt::format("{}/lanczos/{}/{}/{}/{}/{}/{}/{}", options.checkpoint_key, options.seed, options.stream,
                     options.num_top, options.num_bottom, options.tolerance, options.max_products, options.max_basis);
}

std::vector<double> ToNumbers(const LanczosEstimate& estimate) {
  std::vector<double> numbers = {static_cast<double>(estimate.num_products), estimate.converged ? 1.0 : 0.0,
                                 estimate.missed_share, static_cast<double>(estimate.top.size())};
  for (const auto* end : {&estimate.top, &estimate.bottom}) {
    for (const EigenvalueBound& e : *end) numbers.insert(numbers.end(), {e.value, e.residual, e.converged ? 1.0 : 0.0});
  }
  return numbers;
}

std::optional<LanczosEstimate> FromNumbers(const std::optional<std::vector<double>>& kept) {
  constexpr size_t kHead = 4;
  if (!kept || kept->size() < kHead || (kept->size() - kHead) % 3 != 0) return std::nullopt;
  const std::vector<double>& f = *kept;
  LanczosEstimate estimate{.num_products = static_cast<int64_t>(f[0]), .converged = f[1] != 0, .missed_share = f[2]};
  for (size_t i = kHead; i < f.size(); i += 3) {
    const bool is_top = static_cast<double>(estimate.top.size()) < f[3];
    (is_top ? estimate.top : estimate.bottom).push_back({f[i], f[i + 1], f[i + 2] != 0});
  }
  return estimate;
}

// What the 99 % of missed_share leave.
constexpr double kMissProbability = 0.01;

double MissedShare(int64_t dimension, int64_t first_basis) {
  const double root = std::log(1.648 * std::sqrt(static_cast<double>(dimension)) / kMissProbability) /
                      static_cast<double>(2 * first_basis - 1);
  return std::min(1.0, root * root);
}

// The bounds at both ends of the Krylov space.
LanczosEstimate Judge(const KrylovSpace& space, const RitzPairs& ritz, const LanczosOptions& options) {
  const int64_t size = std::ssize(ritz.values);
  const double largest = std::max(std::abs(ritz.values.front()), std::abs(ritz.values.back()));
  const bool exact = space.IsInvariant();
  const auto bound = [&](int64_t i) {
    const double residual = space.remainder_norm * std::abs(ritz.vectors[i].back());
    return EigenvalueBound{
        .value = ritz.values[i], .residual = residual, .converged = exact || residual <= options.tolerance * largest};
  };
  LanczosEstimate estimate;
  for (int64_t i = 0; i < std::min(options.num_top, size); ++i) estimate.top.push_back(bound(size - 1 - i));
  for (int64_t i = 0; i < std::min(options.num_bottom, size); ++i) estimate.bottom.push_back(bound(i));
  const int64_t wanted = std::min(options.num_top + options.num_bottom, std::ssize(space.remainder));
  estimate.converged = size >= wanted && std::ranges::all_of(estimate.top, &EigenvalueBound::converged) &&
                       std::ranges::all_of(estimate.bottom, &EigenvalueBound::converged);
  return estimate;
}

// Ritz pairs that survive a restart: those wanted and, for speed, their neighbours, half of the basis in all.
std::vector<int64_t> PickKept(const LanczosOptions& options) {
  const int64_t wanted = options.num_top + options.num_bottom;
  const int64_t spare = std::max<int64_t>(0, options.max_basis / 2 - wanted);
  const int64_t num_top = options.num_top + spare * options.num_top / wanted;
  const int64_t num_bottom = options.num_bottom + spare * options.num_bottom / wanted;
  std::vector<int64_t> kept;
  for (int64_t i = 0; i < num_bottom; ++i) kept.push_back(i);
  for (int64_t i = options.max_basis - num_top; i < options.max_basis; ++i) kept.push_back(i);
  return kept;
}

// The basis becomes the kept Ritz vectors, T their values; r goes on as it is, orthogonal to all of them.
absl::Status Restart(KrylovSpace& space, const RitzPairs& ritz, const std::vector<int64_t>& kept,
                     const RunContext& context) {
  std::vector<double> rotation;
  space.projection.clear();
  for (const int64_t i : kept) {
    rotation.insert(rotation.end(), ritz.vectors[i].begin(), ritz.vectors[i].end());
    space.projection.emplace_back(space.projection.size() + 1, 0.0).back() = ritz.values[i];
  }
  return Rotate(space.basis, rotation, std::ssize(kept), context);
}

// After an invariant subspace: a fresh direction outside of it.
absl::Status GoOnOutside(KrylovSpace& space, const LanczosOptions& options, const RunContext& context) {
  std::vector<float> fresh(space.remainder.size());
  Rng(options.seed ^ options.stream, kFreshStream + space.size()).FillGaussian(fresh);
  space.remainder.assign(fresh.begin(), fresh.end());
  BITPLAN_RETURN_IF_ERROR(Orthogonalize(space.basis, space.remainder, context).status());
  space.remainder_norm = Norm(space.remainder);
  return absl::OkStatus();
}

void ReportProgress(const LanczosEstimate& estimate, const LanczosOptions& options, const RunContext& context) {
  double worst = 0;
  for (const auto* end : {&estimate.top, &estimate.bottom}) {
    for (const EigenvalueBound& e : *end) worst = std::max(worst, e.residual);
  }
  const double size = std::abs(estimate.Dominant().value);
  const double share = static_cast<double>(estimate.num_products) / static_cast<double>(options.max_products);
  context.Report({.stage = "eigenvalues",
                  .fraction = estimate.converged ? 1 : share,
                  .probes = estimate.num_products,
                  .relative_error = size > 0 ? worst / size : 0});
}

}  // namespace

absl::StatusOr<LanczosEstimate> Lanczos(const LinearOperator& A, const LanczosOptions& options,
                                        const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  if (A.dimension() < 1) return InvalidArgument("lanczos: the operator has dimension 0");
  const std::string key = CheckpointKey(options);
  if (const auto kept = FromNumbers(LoadNumbers(context, key))) return *kept;

  Products products(A, {.estimator = "lanczos", .checkpoint_key = key});
  std::vector<float> start(A.dimension());
  Rng(options.seed, options.stream).FillGaussian(start);
  KrylovSpace space = KrylovSpace::From(start);
  bool exhausted = false;  // an invariant subspace was met: every distinct eigenvalue is in it
  for (;;) {
    BITPLAN_RETURN_IF_ERROR(Extend(space, products, context));
    exhausted |= space.IsInvariant();
    const RitzPairs ritz = FindRitzPairs(space, space.size());
    LanczosEstimate estimate = Judge(space, ritz, options);
    estimate.num_products = products.count();
    estimate.missed_share =
        exhausted ? 0 : MissedShare(A.dimension(), std::min(options.max_basis, estimate.num_products));
    ReportProgress(estimate, options, context);
    if (estimate.converged || estimate.num_products == options.max_products || space.size() == A.dimension()) {
      SaveNumbers(context, key, ToNumbers(estimate));
      products.Forget(context);
      return estimate;
    }
    if (space.IsInvariant()) BITPLAN_RETURN_IF_ERROR(GoOnOutside(space, options, context));
    if (space.size() == options.max_basis) {
      BITPLAN_RETURN_IF_ERROR(Restart(space, ritz, PickKept(options), context));
    }
  }
}

}  // namespace curvature
}  // namespace bitplan
