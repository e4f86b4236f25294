#ifndef BITPLAN_SEARCH_CURVATURE_OUTPUT_RESPONSES_H_
#define BITPLAN_SEARCH_CURVATURE_OUTPUT_RESPONSES_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/gauss_newton.h"
#include "search/ops/objective.h"

namespace bitplan {

// How every sample's outputs answer to every perturbation of every layer, to first order:
//
//   logits    V[n, c, j] = e_c' J_n d_j          the change of output c of sample n
//   factors   U[n, c, j] = (S_n' J_n d_j)_c      the same seen through the loss: sum_c U_cj U_ck = d_j' J_n' F_n J_n
//   d_k
//
// j counts the perturbations of all layers in order: j = first[l] + o. d_j is zero outside its layer; with activation
// changes it stands for the change of the weights and of the tensors that the layer owns (change_products.h).
struct OutputResponses {
  int64_t num_samples = 0;
  int64_t num_outputs = 0;        // C
  int64_t num_perturbations = 0;  // J
  std::vector<int64_t> first;     // by layer
  FloatVector values;             // [num_samples, C, J], row-major

  // The J responses of output c of sample n.
  std::span<const float> row(int64_t n, int64_t c) const {
    return std::span<const float>(values).subspan((n * num_outputs + c) * num_perturbations, num_perturbations);
  }
  bool operator==(const OutputResponses&) const = default;
};

namespace curvature {

enum class ResponseKind { kLogits, kFactors };

struct ResponseOptions {
  ResponseKind kind = ResponseKind::kLogits;
  int64_t num_samples = 0;               // the first so many; 0: all
  int64_t max_bytes = int64_t{1} << 30;  // of the result
};

// Samples whose responses to these perturbations fit into max_bytes; at least 1, at most the objective's.
int64_t SamplesWithin(const Objective& objective, const Perturbations& perturbations, int64_t max_bytes);

// All zero, for the first num_samples samples and these perturbations. kResourceExhausted (says how much is needed)
// above max_bytes.
absl::StatusOr<OutputResponses> MakeResponses(const Objective& objective, const Perturbations& perturbations,
                                              int64_t num_samples, int64_t max_bytes);

// Exact to first order, for all perturbations at once: num_outputs() backward passes a sample, an inner product for
// each perturbation. Units: of the outputs; factors sqrt(loss).
//
// Uses:     with x one-hot, choosing one perturbation a layer, V x is the change of the logits of a whole plan to first
//           order, and (1/N) |U x|^2 = d'Gd of the whole plan, cross-layer terms included.
// Errors:   kInvalidArgument (sizes, non-finite), kResourceExhausted (max_bytes; says how much is needed), kCancelled,
//           kDeadlineExceeded.
// Progress: stage "responses".
// Same bits for any number of threads.
absl::StatusOr<OutputResponses> MeasureResponses(const Objective& objective, const Perturbations& perturbations,
                                                 const ResponseOptions& options, const RunContext& context,
                                                 const ActivationChanges& activations = {});

// The matrix (1/N) sum_nc U[n,c,j] U[n,c,k] = d_j' G d_k of factors, J x J row-major, summed in double. Its diagonal
// holds the forms of EstimateGaussNewton, its other blocks what adding up layers leaves out.
std::vector<double> CrossTerms(const OutputResponses& factors);

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_OUTPUT_RESPONSES_H_
