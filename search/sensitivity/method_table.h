#ifndef BITPLAN_SEARCH_SENSITIVITY_METHOD_TABLE_H_
#define BITPLAN_SEARCH_SENSITIVITY_METHOD_TABLE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/gauss_newton.h"
#include "search/data/dataset.h"
#include "search/layer/layer.h"
#include "search/ops/objective.h"
#include "search/sensitivity/activation_ranges.h"
#include "search/sensitivity/estimate.h"
#include "search/sensitivity/plan_responses.h"
#include "search/sensitivity/sensitivity_table.h"

namespace bitplan {

// What a method may look at. All tables follow layers and options.
struct MethodInput {
  const Objective& objective;
  const LayerTable& layers;
  const OptionTable& options;
  const std::vector<std::vector<double>>& perturbation_sq;  // [layer][option], ||Q(W) - W||^2
  const std::vector<LayerCurvature>& curvature;             // holds what the method's row says it needs
  const curvature::Perturbations& perturbations;            // [layer][option], Q(W) - W; empty unless it needs them
  const SensitivityOptions& settings;
  const std::string& checkpoint_prefix;                // names the objective
  const ActivationCalibration* activations = nullptr;  // null: activations stay float
  const Dataset* data = nullptr;                       // the objective's; null where it is not at hand
};

struct MethodScores {
  std::vector<std::vector<double>> score;           // [layer][option], units of loss
  std::vector<std::vector<double>> standard_error;  // [layer][option]
  std::vector<TraceEstimate> traces;                // of the layers' blocks where they came along; else empty
  std::vector<std::string> notes;                   // as SensitivityTable::notes
  std::optional<PlanResponses> responses;           // of a method that predicts whole plans
};

// One row of the table of sensitivity methods.
struct MethodEntry {
  std::string_view name;
  std::string_view summary;  // one line for help texts
  std::string_view source;
  std::string_view error_meaning;  // what SensitivityTable::standard_error holds
  bool needs_traces = false;
  bool needs_top_eigenvalues = false;
  bool needs_perturbations = false;  // 4 bytes for each weight and option
  bool scores_activations = false;   // reads MethodInput::activations
  bool runs_options = false;         // a forward pass for each option, instead of draws
  bool predicts_plans = false;       // gives MethodScores::responses
  // Null: the scores come from outside, nothing to estimate.
  absl::StatusOr<MethodScores> (*score)(const MethodInput& input, const RunContext& context) = nullptr;
};

namespace sensitivity {

// The only list of methods; help texts, capability lists and the conformance tests read it.
std::span<const MethodEntry> Methods();

// What the perturbations that a method needs take, all at once; 0 if it needs none.
int64_t KeptPerturbationBytes(const MethodEntry& method, const LayerTable& layers, const OptionTable& options);

// kNotFound, listing the known names.
absl::StatusOr<MethodEntry> FindMethod(std::string_view name);

}  // namespace sensitivity
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_SENSITIVITY_METHOD_TABLE_H_
