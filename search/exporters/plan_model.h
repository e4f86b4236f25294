#ifndef BITPLAN_SEARCH_EXPORTERS_PLAN_MODEL_H_
#define BITPLAN_SEARCH_EXPORTERS_PLAN_MODEL_H_

#include <optional>

#include "absl/status/statusor.h"
#include "search/data/dataset.h"
#include "search/exporters/exporter_table.h"
#include "search/graph/graph.h"
#include "search/sensitivity/activation_ranges.h"

namespace bitplan::exporters {

// The model and the data of a request; layer i of the graph is the plan's layer i.
struct PlanModel {
  Graph graph;
  std::optional<Dataset> calibration;

  const Dataset* data() const { return calibration ? &*calibration : nullptr; }
};

// Sizes that the model leaves open are those of the data, where there are data. Errors: those of data::ParseNpz,
// onnx::ParseModel and evaluation::CheckPlan.
absl::StatusOr<PlanModel> ReadPlanModel(const ExportRequest& request);

// Ranges of the activations over the calibration data, minmax. Requires model.calibration. Errors: those of
// Objective::Create and sensitivity::CalibrateActivations.
absl::StatusOr<ActivationCalibration> CalibratePlanModel(const PlanModel& model, const Plan& plan,
                                                         const RunContext& context);

}  // namespace bitplan::exporters

#endif  // BITPLAN_SEARCH_EXPORTERS_PLAN_MODEL_H_
