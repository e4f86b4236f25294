#ifndef BITPLAN_SEARCH_CURVATURE_GAUSS_NEWTON_H_
#define BITPLAN_SEARCH_CURVATURE_GAUSS_NEWTON_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/change_products.h"
#include "search/curvature/hutchinson.h"
#include "search/ops/objective.h"

namespace bitplan {

struct GaussNewtonOptions {
  uint64_t seed = 0;  // draw k uses streams k of two generators made from it
  // Wanted standard error of every quantity:  relative_error * max(|value|, small_fraction * largest of its kind),
  // traces compared over layers, forms over the layers' options of the same index. > 0.
  double relative_error = 0.05;
  double small_fraction = 0.05;
  int64_t min_draws = 128;      // no stop before: the standard error is itself an estimate; >= 2
  int64_t max_draws = 1 << 16;  // >= min_draws
  int64_t draws_per_check = 64;
  // Share of draws that pick samples uniformly, the others in proportion to tr F_n; bounds the weight of a sample by
  // 1 / (N uniform_share). 0 < uniform_share <= 1.
  double uniform_share = 0.1;
  // kNever: all columns of S_n of all samples; values are exact, standard errors 0. kCheaper begins with sampling and
  // ends that way where sampling would still take more passes.
  enum class Sampling { kCheaper, kAlways, kNever };
  Sampling sampling = Sampling::kCheaper;
  // What is estimated of a perturbation d: d'G_ll d, or what is left of it if the weights' gradients were uncorrelated,
  // sum_i G_ii d_i^2 (the diagonal Fisher of OBD and many others).
  enum class Form { kQuadratic, kDiagonal };
  Form form = Form::kQuadratic;
  // Also the diagonal of G: num_weights() doubles.
  bool diagonal = false;
  // Where the running sums are kept in context.checkpoints (not with `diagonal`); empty: nowhere. Must name the
  // objective, contents included.
  std::string checkpoint_key;
};
absl::Status Validate(const GaussNewtonOptions& options);

// d'G_ll d for one perturbation d of one layer's weights, or its diagonal part (GaussNewtonOptions::form).
struct QuadraticForm {
  double value = 0;
  double standard_error = 0;

  bool operator==(const QuadraticForm&) const = default;
};

struct GaussNewtonEstimate {
  std::vector<TraceEstimate> traces;              // tr G_ll, one a layer; num_probes = num_draws
  std::vector<std::vector<QuadraticForm>> forms;  // [layer][perturbation]; empty if none were given
  std::vector<double> diagonal;                   // of G, in the order of the weights; empty unless asked for
  int64_t num_draws = 0;                          // backward passes of single samples
  int64_t num_samples = 0;                        // different samples that were drawn
  int64_t wanted_draws = 0;                       // that the target takes by the standard errors found; exact: num_draws
  bool converged = false;
};

namespace curvature {

// Every column of samples begin .. end - 1, sample by sample: num_outputs() factors each.
std::vector<OutputFactor> AllColumns(const Objective& objective, OutputFactor::Kind kind, int64_t begin, int64_t end);

// The Gauss-Newton matrix G = (1/N) sum_n J_n' F_n J_n (J_n: outputs of sample n by weights, F_n = d2l/dz2 = S_n S_n')
// from pulled back output factors. With r of independent signs, g_nr = J_n' S_n r has E_r[g g'] = J_n' F_n J_n, so
//
//   tr G_ll = E ||g_l||^2,     d'G_ll d = E (g_l'd)^2,     diag(G) = E g^2,     sum_i G_ii d_i^2 = E sum_i g_i^2 d_i^2
//
// over samples and signs. With activation changes, g'd is the sum over the option's weights and the tensors that its
// layer owns (change_products.h): d stands for both, and what they do together is counted. Sample n is drawn with
// probability pi_n = (1 - u) tr F_n / sum_m tr F_m + u / N and weighted by 1 / (N pi_n): confident predictions have
// little curvature and are rarely looked at. Draws are independent, so the standard error is that of a mean, and it
// covers signs and samples alike; the estimate is for the N samples given.
//
// Source:   Schraudolph (2002) for products by factors; Dangel et al., BackPACK (2020) for S and its Monte-Carlo use;
//           Rademacher factors in place of sampled labels: less variance (docs/math.md has the figures).
// Units:    traces loss / weight^2, forms loss.
// Cost:     one forward pass of all samples for pi, then a forward and a backward pass of one sample a draw, one inner
//           product a perturbation; without sampling num_outputs() backward passes a sample. Memory: one layer's
//           gradient a thread; with `diagonal` also some gradients.
// Fails:    where G is not H: see docs/math.md. Negative curvature does not show in it.
// Errors:   kInvalidArgument (options, perturbation sizes, non-finite gradients), kCancelled, kDeadlineExceeded. Not
//           converged is no error.
// Progress: stage "traces"; fraction from (target / error)^2.
// Same seed, same bits, for any number of threads, and also when resumed from a checkpoint.
absl::StatusOr<GaussNewtonEstimate> EstimateGaussNewton(const Objective& objective, const Perturbations& perturbations,
                                                        const GaussNewtonOptions& options, const RunContext& context,
                                                        const ActivationChanges& activations = {});

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_GAUSS_NEWTON_H_
