#include "search/exporters/plan_model.h"

#include <memory>
#include <utility>

#include "search/base/status.h"
#include "search/data/npz.h"
#include "search/evaluation/evaluate_plan.h"
#include "search/onnx/model_options.h"
#include "search/onnx/parse_model.h"
#include "search/ops/objective.h"

namespace bitplan::exporters {

absl::StatusOr<PlanModel> ReadPlanModel(const ExportRequest& request) {
  PlanModel model;
  onnx::ParseOptions options;
  if (!request.calibration.empty()) {
    absl::StatusOr<Dataset> dataset = data::ParseNpz(request.calibration);
    if (!dataset.ok()) return WithContext(dataset.status(), "calibration");
    model.calibration = *std::move(dataset);
    options = onnx::ModelOptionsFor(*model.calibration, {});
  }
  BITPLAN_ASSIGN_OR_RETURN(model.graph, onnx::ParseModel(request.onnx, options));
  BITPLAN_RETURN_IF_ERROR(evaluation::CheckPlan(model.graph, request.plan));
  return model;
}

absl::StatusOr<ActivationCalibration> CalibratePlanModel(const PlanModel& model, const Plan& plan,
                                                         const RunContext& context) {
  ObjectiveOptions options{.max_cache_bytes = 0};
  if (!plan.provenance.loss.empty()) options.loss = plan.provenance.loss;
  const auto objective = Objective::Create(model.graph, *model.calibration, options);
  if (!objective.ok()) return WithContext(objective.status(), "calibration");
  return sensitivity::CalibrateActivations(model.graph, **objective, "minmax", context);
}

}  // namespace bitplan::exporters
