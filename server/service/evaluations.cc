#include "server/service/evaluations.h"

#include <string>
#include <utility>

#include "proto/convert/evaluation.h"
#include "search/base/status.h"
#include "search/pipeline/run_evaluation.h"
#include "server/service/resources.h"

namespace bitplan::service {
namespace {

// The resource that `field` names or, if it names none, the one that was measured with.
absl::StatusOr<store::Resource> FindOrMeasured(Backend& backend, std::string_view project, std::string_view field,
                                               const std::string& given, const std::string& measured,
                                               std::string_view collection) {
  const std::string& name = given.empty() ? measured : given;
  if (!name.empty()) return FindInProject(backend, project, field, name, collection);
  return InvalidArgument("{}: got nothing, want one of {}: the measurement was imported without it", field, collection);
}

}  // namespace

absl::StatusOr<v1::MeasureSpec> SpecOf(const store::Resource& measurement) {
  BITPLAN_ASSIGN_OR_RETURN(v1::Measurement message, Decode<v1::Measurement>(measurement));
  v1::MeasureSpec spec;
  spec.set_model(message.model());
  spec.set_dataset(message.dataset());
  spec.mutable_config()->Swap(message.mutable_config());
  return spec;
}

absl::StatusOr<PreparedEvaluation> PrepareEvaluation(Backend& backend, std::string_view project,
                                                     const v1::EvaluationSpec& spec, const v1::MeasureSpec& measured) {
  PreparedEvaluation prepared;
  BITPLAN_ASSIGN_OR_RETURN(prepared.held_out, FindInProject(backend, project, "dataset", spec.dataset(), "datasets"));
  BITPLAN_ASSIGN_OR_RETURN(prepared.model,
                           FindOrMeasured(backend, project, "model", spec.model(), measured.model(), "models"));
  const bool quantize =
      spec.has_quantize_activations() ? spec.quantize_activations() : measured.config().quantize_activations();
  if (quantize) {
    BITPLAN_ASSIGN_OR_RETURN(prepared.calibration, FindOrMeasured(backend, project, "calibration", spec.calibration(),
                                                                  measured.dataset(), "datasets"));
  }
  BITPLAN_ASSIGN_OR_RETURN(prepared.options, convert::ToEvaluationOptions(spec, measured.config()));
  return prepared;
}

absl::StatusOr<Evaluation> EvaluateNow(Backend& backend, const PreparedEvaluation& evaluation, const Plan& plan,
                                       const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string onnx, backend.artifacts->Read(evaluation.model.digest));
  BITPLAN_ASSIGN_OR_RETURN(const std::string held_out, backend.artifacts->Read(evaluation.held_out.digest));
  std::string calibration;
  if (evaluation.calibration) {
    BITPLAN_ASSIGN_OR_RETURN(calibration, backend.artifacts->Read(evaluation.calibration->digest));
  }
  return pipeline::Evaluate({.onnx = onnx,
                             .held_out = held_out,
                             .calibration = calibration,
                             .plan = plan,
                             .options = evaluation.options,
                             .model_limits = {.max_file_bytes = backend.limits.max_model_bytes},
                             .dataset_limits = {.max_file_bytes = backend.limits.max_dataset_bytes}},
                            context);
}

}  // namespace bitplan::service
