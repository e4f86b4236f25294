#ifndef BITPLAN_SEARCH_SENSITIVITY_PLAN_RESPONSES_H_
#define BITPLAN_SEARCH_SENSITIVITY_PLAN_RESPONSES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "search/curvature/output_responses.h"
#include "search/data/dataset.h"
#include "search/layer/layer.h"
#include "search/tensor/tensor.h"

namespace bitplan {

// How PlanPredictor makes a loss of changed outputs.
enum class PlanForm { kQuadratic, kSuperposition };

// The methods' names: "quadratic", "logit_superposition".
std::string_view ToString(PlanForm form);
std::optional<PlanForm> ParsePlanForm(std::string_view name);

// What a network's outputs do under each option of each layer, alone: all that is needed to predict the loss of whole
// plans, without network and inputs.
struct PlanResponses {
  PlanForm form = PlanForm::kSuperposition;
  std::string loss;            // a name of the loss table
  double label_smoothing = 0;  // as ObjectiveOptions
  Shape output_shape;          // of all samples, [N, ...]
  FloatVector outputs;         // z of the float network, row-major
  Targets targets;             // of these samples; nothing for label-free losses
  // V[n, c, j]: change of output c of sample n under option j = first[l] + o of layer l.
  OutputResponses responses;
};
bool operator==(const PlanResponses& a, const PlanResponses& b);

namespace sensitivity {

// kInvalidArgument: sizes that disagree among themselves or with the options, values that are not finite.
absl::Status CheckPlanResponses(const PlanResponses& plan, const OptionTable& options);

}  // namespace sensitivity
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_SENSITIVITY_PLAN_RESPONSES_H_
