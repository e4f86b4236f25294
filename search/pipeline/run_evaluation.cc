#include "search/pipeline/run_evaluation.h"

#include <optional>
#include <utility>

#include "search/base/digest.h"
#include "search/base/status.h"
#include "search/onnx/parse_model.h"

namespace bitplan::pipeline {
namespace {

absl::StatusOr<Dataset> ParseNamed(std::string_view what, std::string_view npz, const data::NpzLimits& limits) {
  absl::StatusOr<Dataset> dataset = data::ParseNpz(npz, limits);
  if (!dataset.ok()) return WithContext(dataset.status(), std::string(what));
  return dataset;
}

void AddProvenanceNotes(const EvaluateRequest& request, Evaluation& evaluation) {
  const PlanProvenance& from = request.plan.provenance;
  if (!from.model_digest.empty() && from.model_digest != Sha256Hex(request.onnx)) {
    evaluation.notes.emplace_back("the model file is not the one that the plan was made of");
  }
  if (!from.dataset_digest.empty() && from.dataset_digest == Sha256Hex(request.held_out)) {
    evaluation.notes.emplace_back("these are the data that the plan was made from, not held-out data");
  }
}

}  // namespace

absl::StatusOr<Evaluation> Evaluate(const EvaluateRequest& request, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(request.options));
  context.Report({.stage = "load"});
  BITPLAN_ASSIGN_OR_RETURN(const Dataset held_out,
                           ParseNamed("held-out data", request.held_out, request.dataset_limits));
  std::optional<Dataset> calibration;
  if (!request.calibration.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(calibration, ParseNamed("calibration", request.calibration, request.dataset_limits));
  }
  onnx::ParseOptions options{.limits = request.model_limits};
  for (const DatasetInput& input : held_out.inputs) options.data_shapes[input.name] = input.values.shape;
  BITPLAN_ASSIGN_OR_RETURN(const Graph graph, onnx::ParseModel(request.onnx, options));
  BITPLAN_ASSIGN_OR_RETURN(Evaluation evaluation,
                           evaluation::EvaluatePlan(graph, held_out, request.plan,
                                                    calibration ? &*calibration : nullptr, request.options, context));
  AddProvenanceNotes(request, evaluation);
  return evaluation;
}

}  // namespace bitplan::pipeline
