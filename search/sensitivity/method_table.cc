#include "search/sensitivity/method_table.h"

#include <array>
#include <string>

#include "search/base/status.h"
#include "search/sensitivity/gauss_newton_forms.h"
#include "search/sensitivity/hawq_v1.h"
#include "search/sensitivity/hawq_v2.h"
#include "search/sensitivity/measured_loss.h"
#include "search/sensitivity/whole_plan.h"

namespace bitplan::sensitivity {
namespace {

constexpr auto kMethods = std::to_array<MethodEntry>({
    {.name = "hawq_v1",
     .summary = "top eigenvalue / weights x squared perturbation",
     .source = "HAWQ (Dong et al., 2019)",
     .error_meaning = "bound: residual of the eigenvalue, through the formula",
     .needs_top_eigenvalues = true,
     .score = &HawqV1},
    {.name = "hawq_v2",
     .summary = "average trace x squared perturbation",
     .source = "HAWQ-v2 (Dong et al., 2020)",
     .error_meaning = "standard error of the trace, through the formula",
     .needs_traces = true,
     .score = &HawqV2},
    {.name = "fisher_diagonal",
     .summary = "half of sum G_ii d_i^2: the diagonal of the Gauss-Newton matrix, weight by weight",
     .source = "LeCun et al. (1990); Hassibi, Stork (1993); as a bit-width score Choi et al. (2017)",
     .error_meaning = "standard error over drawn samples and signs; 0 where all were taken",
     .needs_perturbations = true,
     .scores_activations = true,
     .score = &FisherDiagonal},
    {.name = "gauss_newton_direct",
     .summary = "half of d'Gd: the perturbation itself through the Gauss-Newton matrix",
     .source = "Schraudolph (2002); docs/math.md",
     .error_meaning = "standard error over drawn samples and signs; 0 where all were taken",
     .needs_perturbations = true,
     .scores_activations = true,
     .score = &GaussNewtonDirect},
    {.name = "measured_loss",
     .summary = "loss with the option applied, less the loss without: one forward pass an option",
     .source = "docs/math.md",
     .error_meaning = "standard error over samples of the paired differences",
     .needs_perturbations = true,
     .scores_activations = true,
     .runs_options = true,
     .score = &MeasuredLoss},
    {.name = "quadratic",
     .summary = "of the whole plan: first order and d'Gd over all layers together, from the outputs' changes",
     .source = "CLADO (Deng et al., 2023) for cross-layer terms; docs/math.md",
     .error_meaning = "standard error over samples",
     .needs_perturbations = true,
     .scores_activations = true,
     .runs_options = true,
     .predicts_plans = true,
     .score = &Quadratic},
    {.name = "logit_superposition",
     .summary = "of the whole plan: loss of the outputs plus all layers' changes of them",
     .source = "docs/math.md",
     .error_meaning = "standard error over samples",
     .needs_perturbations = true,
     .scores_activations = true,
     .runs_options = true,
     .predicts_plans = true,
     .score = &LogitSuperposition},
    {.name = "given",
     .summary = "scores that came with the request",
     .source = "the document's provenance",
     .error_meaning = "as given"},
});

}  // namespace

std::span<const MethodEntry> Methods() { return kMethods; }

int64_t KeptPerturbationBytes(const MethodEntry& method, const LayerTable& layers, const OptionTable& options) {
  if (!method.needs_perturbations) return 0;
  int64_t bytes = 0;
  for (size_t l = 0; l < layers.layers.size(); ++l) {
    bytes += layers.layers[l].num_weights * std::ssize(options.options[l]) * static_cast<int64_t>(sizeof(float));
  }
  return bytes;
}

absl::StatusOr<MethodEntry> FindMethod(std::string_view name) {
  std::string known;
  for (const MethodEntry& entry : kMethods) {
    if (entry.name == name) return entry;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  return NotFound("method: got '{}', want one of {}", name, known);
}

}  // namespace bitplan::sensitivity
