#include "search/curvature/hutch_plus_plus.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/checkpoint.h"
#include "search/curvature/columns.h"
#include "search/curvature/confidence.h"
#include "search/curvature/eigenvalues.h"
#include "search/curvature/products.h"

namespace bitplan {

absl::Status Validate(const HutchPlusPlusOptions& options) {
  if (!(options.relative_error > 0) || !std::isfinite(options.relative_error)) {
    return InvalidArgument("hutch++: relative_error: got {}, want above 0", options.relative_error);
  }
  if (!(options.absolute_error >= 0) || !std::isfinite(options.absolute_error)) {
    return InvalidArgument("hutch++: absolute_error: got {}, want at least 0", options.absolute_error);
  }
  if (options.min_probes < 2) {
    return InvalidArgument("hutch++: min_probes: got {}, want at least 2 (one probe has no standard error)",
                           options.min_probes);
  }
  if (options.min_rank < 0 || options.max_rank < options.min_rank) {
    return InvalidArgument("hutch++: min_rank, max_rank: got {} and {}, want 0 <= min_rank <= max_rank",
                           options.min_rank, options.max_rank);
  }
  if (options.max_products - options.min_probes < 2 * options.min_rank) {
    return InvalidArgument("hutch++: max_products: got {}, want at least 2 min_rank + min_probes, {}",
                           options.max_products, 2 * options.min_rank + options.min_probes);
  }
  return absl::OkStatus();
}

namespace curvature {
namespace {

// Sketch column i is Rng(seed, kSketchStream + i); probe k is Rng(seed, k).
constexpr uint64_t kSketchStream = uint64_t{1} << 48;

// Columns of Q, and probes, added between two looks at the error.
constexpr int64_t kColumnsAtOnce = 4;
constexpr int64_t kPriceOfColumns = 2 * kColumnsAtOnce;
constexpr int64_t kProbesAtOnce = 8;

// Widenings in a row that may fail to pay.
constexpr int kPatience = 2;

std::string CheckpointKey(const HutchPlusPlusOptions& options) {
  if (options.checkpoint_key.empty()) return {};
  return fmt::format("{}/hutch_plus_plus/{}/{}/{}/{}/{}/{}/{}", options.checkpoint_key, options.seed,
                     options.relative_error, options.absolute_error, options.min_probes, options.min_rank,
                     options.max_rank, options.max_products);
}

double Dot(std::span<const float> x, std::span<const double> y) {
  return Eigen::Map<const Eigen::VectorXf>(x.data(), std::ssize(x))
      .cast<double>()
      .dot(Eigen::Map<const Eigen::VectorXd>(y.data(), std::ssize(y)));
}

// One probe, as far as projections need it.
struct Probe {
  double gAg = 0;
  std::vector<double> Qg;   // Q'g
  std::vector<double> AQg;  // (AQ)'g
};

class Estimator {
 public:
  Estimator(const LinearOperator& A, const HutchPlusPlusOptions& options, std::string key)
      : options_(options),
        products_(A, {.estimator = "hutch++", .checkpoint_key = std::move(key)}),
        basis_(A.dimension()) {}

  absl::StatusOr<DeflatedTraceEstimate> Run(const RunContext& context) {
    BITPLAN_RETURN_IF_ERROR(Widen(options_.min_rank, context));
    BITPLAN_RETURN_IF_ERROR(AddProbes(options_.min_probes, context));
    BITPLAN_RETURN_IF_ERROR(ChooseRank(context));
    for (bool was_converged = false;;) {
      const DeflatedTraceEstimate estimate = Judge();
      ReportProgress(estimate, context);
      const int64_t left = options_.max_products - products_.count();
      const bool is_confirmed = was_converged || estimate.rank == 0;
      if ((estimate.converged && is_confirmed) || estimate.standard_error == 0 || left == 0) return estimate;
      was_converged = estimate.converged;
      BITPLAN_RETURN_IF_ERROR(AddProbes(std::min(kProbesAtOnce, left), context));
    }
  }

  void Forget(const RunContext& context) const { products_.Forget(context); }

 private:
  int64_t dimension() const { return basis_.num_rows(); }

  // Widens Q as long as that pays, by what the probes so far tell. These probes have then been looked at for their
  // small spread, which goes with a small mean, and must not count any more.
  absl::Status ChooseRank(const RunContext& context) {
    DeflatedTraceEstimate estimate = Judge();
    if (!ShouldWiden(estimate)) return absl::OkStatus();
    for (int num_failures = 0; num_failures < kPatience && ShouldWiden(estimate);) {
      ReportProgress(estimate, context);
      BITPLAN_RETURN_IF_ERROR(Widen(kColumnsAtOnce, context));
      const DeflatedTraceEstimate wider = Judge();
      const bool paid = ProbesNeeded(estimate) - ProbesNeeded(wider) > kPriceOfColumns;
      num_failures = paid ? 0 : num_failures + 1;
      estimate = wider;
    }
    first_counted_ = probes_.size();
    return AddProbes(options_.min_probes, context);
  }

  // Appends up to `count` columns to Q, fewer if A has no further range, and projects the probes on them.
  absl::Status Widen(int64_t count, const RunContext& context) {
    const int64_t old_rank = basis_.size();
    std::vector<float> s(dimension());
    std::vector<std::vector<double>> images;  // A q of the new columns
    for (int64_t i = 0; i < count && basis_.size() < dimension(); ++i) {
      std::vector<double> y(dimension());
      Rng(options_.seed, kSketchStream + num_sketched_++).FillGaussian(s);
      BITPLAN_RETURN_IF_ERROR(products_.Multiply(s, y, context));
      const double norm = Norm(y);
      BITPLAN_RETURN_IF_ERROR(Orthogonalize(basis_, y, context).status());
      if (Norm(y) <= kFloatRounding * norm) {
        is_range_exhausted_ = true;
        break;
      }
      basis_.Append(y, Norm(y));
      BITPLAN_RETURN_IF_ERROR(products_.Multiply(std::as_const(basis_)[basis_.size() - 1], y, context));
      BITPLAN_ASSIGN_OR_RETURN(projection_.emplace_back(), Dots(basis_, std::span<const double>(y), context));
      images.push_back(std::move(y));
    }
    return ProjectProbes(old_rank, images, context);
  }

  absl::Status ProjectProbes(int64_t old_rank, std::span<const std::vector<double>> images, const RunContext& context) {
    std::vector<float> g(dimension());
    for (size_t k = 0; k < probes_.size(); ++k) {
      BITPLAN_RETURN_IF_ERROR(context.CheckStop());
      Rng(options_.seed, k).FillRademacher(g);
      const std::vector<double> in_double(g.begin(), g.end());
      for (size_t j = 0; j < images.size(); ++j) {
        const std::span<const float> q = std::as_const(basis_)[old_rank + static_cast<int64_t>(j)];
        probes_[k].Qg.push_back(Dot(q, in_double));
        probes_[k].AQg.push_back(Dot(g, images[j]));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddProbes(int64_t count, const RunContext& context) {
    std::vector<float> g(dimension());
    std::vector<double> Ag(dimension());
    for (int64_t i = 0; i < count; ++i) {
      Rng(options_.seed, probes_.size()).FillRademacher(g);
      BITPLAN_RETURN_IF_ERROR(products_.Multiply(g, Ag, context));
      Probe probe{.gAg = Dot(g, Ag), .Qg = {}, .AQg = {}};
      BITPLAN_ASSIGN_OR_RETURN(probe.Qg, Dots(basis_, std::span<const float>(g), context));
      // (AQ)'g = Q'(Ag), A being symmetric.
      BITPLAN_ASSIGN_OR_RETURN(probe.AQg, Dots(basis_, std::span<const double>(Ag), context));
      probes_.push_back(std::move(probe));
    }
    return absl::OkStatus();
  }

  Eigen::MatrixXd Projection() const {
    const int64_t rank = basis_.size();
    Eigen::MatrixXd T(rank, rank);
    for (int64_t i = 0; i < rank; ++i) {
      for (int64_t j = 0; j <= i; ++j) T(i, j) = T(j, i) = projection_[i][j];
    }
    return T;
  }

  DeflatedTraceEstimate Judge() const {
    const Eigen::MatrixXd T = Projection();
    Moments moments;
    int64_t count = 0;
    for (const Probe& probe : std::span(probes_).subspan(first_counted_)) {
      const Eigen::Map<const Eigen::VectorXd> c(probe.Qg.data(), T.rows());
      const Eigen::Map<const Eigen::VectorXd> d(probe.AQg.data(), T.rows());
      AddSample(moments, probe.gAg - 2 * c.dot(d) + c.dot(T * c), ++count);
    }
    DeflatedTraceEstimate estimate{.trace = T.trace() + moments.mean,
                                   .standard_error = StandardErrorOfMean(moments, count),
                                   .num_samples = count,
                                   .rank = T.rows(),
                                   .num_products = products_.count()};
    if (T.rows() == dimension()) {  // nothing is left to sample
      estimate.trace = T.trace();
      estimate.standard_error = 0;
    }
    estimate.converged = HasReached(estimate.standard_error, estimate.num_samples, TargetError(estimate));
    return estimate;
  }

  double TargetError(const DeflatedTraceEstimate& estimate) const {
    return std::max(options_.relative_error * std::abs(estimate.trace), options_.absolute_error);
  }

  // Probes in all that would reach the wanted error with the present Q.
  double ProbesNeeded(const DeflatedTraceEstimate& estimate) const {
    const double ratio = estimate.standard_error / TargetError(estimate);
    return static_cast<double>(estimate.num_samples) * ratio * ratio;
  }

  // Whether four more columns can be afforded, and cost less than the probes that are still needed with the present Q.
  bool ShouldWiden(const DeflatedTraceEstimate& estimate) const {
    const int64_t left = options_.max_products - products_.count();
    const bool may = !is_range_exhausted_ && left >= kPriceOfColumns + options_.min_probes &&
                     basis_.size() + kColumnsAtOnce <= std::min(options_.max_rank, dimension());
    return may && ProbesNeeded(estimate) - static_cast<double>(estimate.num_samples) > kPriceOfColumns;
  }

  void ReportProgress(const DeflatedTraceEstimate& estimate, const RunContext& context) const {
    ReportDeflatedTrace(estimate, TargetError(estimate), options_.max_products, context);
  }

  const HutchPlusPlusOptions& options_;
  Products products_;
  Columns basis_;                                // Q
  std::vector<std::vector<double>> projection_;  // row j: (Q'AQ)(j, 0..j)
  std::vector<Probe> probes_;
  uint64_t num_sketched_ = 0;
  size_t first_counted_ = 0;  // earlier probes chose the rank
  bool is_range_exhausted_ = false;
};

}  // namespace

absl::StatusOr<DeflatedTraceEstimate> HutchPlusPlus(const LinearOperator& A, const HutchPlusPlusOptions& options,
                                                    const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  if (A.dimension() < 1) return InvalidArgument("hutch++: the operator has dimension 0");
  const std::string key = CheckpointKey(options);
  Estimator estimator(A, options, key);
  return RunOrRecall(estimator, key, context);
}

}  // namespace curvature
}  // namespace bitplan
