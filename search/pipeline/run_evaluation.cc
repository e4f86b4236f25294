#include "search/pipeline/run_evaluation.h"

#include <optional>
#include <utility>

#include "search/base/digest.h"
#include "search/base/status.h"
#include "search/onnx/model_options.h"
#include "search/onnx/parse_model.h"

namespace bitplan::pipeline {
namespace {

absl::StatusOr<Dataset> ParseNamed(std::string_view what, std::string_view npz, const data::NpzLimits& limits) {
  absl::StatusOr<Dataset> dataset = data::ParseNpz(npz, limits);
  if (!dataset.ok()) return WithContext(dataset.status(), std::string(what));
  return dataset;
}

// Where prediction and measurement are not of the same network.
std::string_view ActivationNote(std::optional<bool> scored, bool quantized) {
  if (!scored) return "whether the predicted increase counts the quantization of activations is not known";
  if (*scored == quantized) return "";
  return quantized ? "activations are quantized in this evaluation, but the predicted increase does not count that"
                   : "the predicted increase counts the quantization of activations, but they stay float in this "
                     "evaluation";
}

void AddProvenanceNotes(const EvaluateRequest& request, Evaluation& evaluation) {
  const PlanProvenance& from = request.plan.provenance;
  if (!from.model_digest.empty() && from.model_digest != Sha256Hex(request.onnx)) {
    evaluation.notes.emplace_back("the model file is not the one that the plan was made of");
  }
  if (!from.loss.empty() && from.loss != evaluation.loss) {
    evaluation.notes.push_back(fmt::format("the predicted increase is one of {}, the measured increase one of {}",
                                           from.loss, evaluation.loss));
  }
  if (const std::string_view note = ActivationNote(from.activations_scored, evaluation.quantized_activations);
      !note.empty()) {
    evaluation.notes.emplace_back(note);
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
  const onnx::ParseOptions options = onnx::ModelOptionsFor(held_out, request.model_limits);
  BITPLAN_ASSIGN_OR_RETURN(const Graph graph, onnx::ParseModel(request.onnx, options));
  BITPLAN_ASSIGN_OR_RETURN(Evaluation evaluation,
                           evaluation::EvaluatePlan(graph, held_out, request.plan,
                                                    calibration ? &*calibration : nullptr, request.options, context));
  AddProvenanceNotes(request, evaluation);
  return evaluation;
}

absl::StatusOr<MethodComparison> CompareMethods(const CompareRequest& request, const RunContext& context) {
  const MeasureRequest& measure = request.measure;
  const ComparisonOptions options{
      .methods = request.methods, .num_plans = request.num_plans, .sensitivity = measure.sensitivity};
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  context.Report({.stage = "load"});
  BITPLAN_ASSIGN_OR_RETURN(const Dataset calibration,
                           ParseNamed("calibration", measure.dataset, measure.dataset_limits));
  std::optional<Dataset> held_out;
  if (!request.held_out.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(held_out, ParseNamed("held-out data", request.held_out, measure.dataset_limits));
  }
  BITPLAN_ASSIGN_OR_RETURN(const Graph graph,
                           onnx::ParseModel(measure.onnx, onnx::ModelOptionsFor(calibration, measure.model_limits)));
  BITPLAN_ASSIGN_OR_RETURN(const OptionTable table, quantization::ListOptions(graph.layers, measure.quantization));
  return evaluation::CompareMethods(graph, calibration, held_out ? &*held_out : nullptr, table, options, context);
}

}  // namespace bitplan::pipeline
