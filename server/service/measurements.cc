#include "server/service/measurements.h"

#include "proto/convert/field_path.h"
#include "proto/convert/measurement.h"
#include "search/base/status.h"
#include "server/service/names.h"
#include "server/service/resources.h"

namespace bitplan::service {
namespace {

v1::Measurement AboutSpec(const v1::MeasureSpec& spec, const MeasurePlan& plan) {
  v1::Measurement about;
  about.set_model(spec.model());
  about.set_dataset(spec.dataset());
  *about.mutable_config() = convert::FromOptions(plan.quantization, plan.sensitivity);
  return about;
}

absl::StatusOr<Measurement> MeasureNow(Backend& backend, const MeasurePlan& plan, const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string onnx, backend.artifacts->Read(plan.model.digest));
  BITPLAN_ASSIGN_OR_RETURN(const std::string dataset, backend.artifacts->Read(plan.dataset.digest));
  const MeasureRequest request{.onnx = onnx,
                               .dataset = dataset,
                               .quantization = plan.quantization,
                               .sensitivity = plan.sensitivity,
                               .model_limits = {.max_file_bytes = backend.limits.max_model_bytes},
                               .dataset_limits = {.max_file_bytes = backend.limits.max_dataset_bytes}};
  return pipeline::Measure(request, context);
}

}  // namespace

absl::StatusOr<store::Resource> StoreMeasurement(Backend& backend, std::string_view project,
                                                 const Measurement& measurement, const v1::Measurement& about,
                                                 const store::RequestKey& request) {
  v1::Measurement message = convert::FromMeasurement(measurement);
  message.clear_layers();
  message.clear_ties();
  message.MergeFrom(about);
  store::Resource resource{
      .key = {.project = std::string(project), .collection = "measurements", .id = IdOfDigest(measurement.digest)},
      .payload = SerializeDeterministically(message)};
  return CreateWithBlob(backend, std::move(resource), pipeline::MeasurementToJson(measurement), request);
}

absl::StatusOr<Measurement> LoadMeasurement(Backend& backend, const store::Resource& resource) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string json, backend.artifacts->Read(resource.digest));
  auto measurement = pipeline::ParseMeasurement(json);
  if (!measurement.ok()) {
    return DataLoss("document of {}: {}", store::ResourceName(resource.key), MessageOf(measurement.status()));
  }
  return measurement;
}

absl::StatusOr<MeasurePlan> CheckMeasureSpec(Backend& backend, std::string_view project, const v1::MeasureSpec& spec) {
  MeasurePlan plan;
  BITPLAN_ASSIGN_OR_RETURN(plan.model, FindInProject(backend, project, "model", spec.model(), "models"));
  BITPLAN_ASSIGN_OR_RETURN(plan.dataset, FindInProject(backend, project, "dataset", spec.dataset(), "datasets"));
  auto quantization = convert::ToQuantizationOptions(spec.config());
  if (!quantization.ok()) return convert::AtField("config", quantization.status());
  auto sensitivity = convert::ToSensitivityOptions(spec.config());
  if (!sensitivity.ok()) return convert::AtField("config", sensitivity.status());
  plan.quantization = *std::move(quantization);
  plan.sensitivity = *std::move(sensitivity);
  const std::string digest =
      pipeline::MeasurementDigest(plan.model.digest, plan.dataset.digest, plan.quantization, plan.sensitivity);
  plan.measurement = {.project = std::string(project), .collection = "measurements", .id = IdOfDigest(digest)};
  return plan;
}

absl::StatusOr<store::Resource> MeasureOnce(Backend& backend, std::string_view project, const v1::MeasureSpec& spec,
                                            const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const MeasurePlan plan, CheckMeasureSpec(backend, project, spec));
  auto stored = backend.store->GetResource(plan.measurement);
  if (!absl::IsNotFound(stored.status())) return stored;
  BITPLAN_ASSIGN_OR_RETURN(const Measurement measurement, MeasureNow(backend, plan, context));
  return StoreMeasurement(backend, project, measurement, AboutSpec(spec, plan), {});
}

}  // namespace bitplan::service
