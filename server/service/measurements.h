#ifndef BITPLAN_SERVER_SERVICE_MEASUREMENTS_H_
#define BITPLAN_SERVER_SERVICE_MEASUREMENTS_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "bitplan/v1/job.pb.h"
#include "bitplan/v1/measurement.pb.h"
#include "search/base/run_context.h"
#include "search/pipeline/run_search.h"
#include "server/service/backend.h"

// Measurements as resources: the document (pipeline::MeasurementToJson) is a blob, the payload is the message without
// layers and ties. The id comes from Measurement::digest, so that the same question finds the same answer.

namespace bitplan::service {

// Stores `measurement`, or finds the one with its digest. `about` brings display_name, model, dataset and config.
absl::StatusOr<store::Resource> StoreMeasurement(Backend& backend, std::string_view project,
                                                 const Measurement& measurement, const v1::Measurement& about,
                                                 const store::RequestKey& request);

// The value behind a resource. kDataLoss if its document is unreadable.
absl::StatusOr<Measurement> LoadMeasurement(Backend& backend, const store::Resource& resource);

// What a MeasureSpec asks for, names looked up.
struct MeasurePlan {
  store::Resource model;
  store::Resource dataset;
  QuantizationOptions quantization;
  SensitivityOptions sensitivity;
  store::ResourceKey measurement;  // where its result is, or will be
};

// Checks a spec of a job in `project`; reads no blob. Paths in errors are relative to the spec. kInvalidArgument,
// kNotFound.
absl::StatusOr<MeasurePlan> CheckMeasureSpec(Backend& backend, std::string_view project, const v1::MeasureSpec& spec);

// The measurement of the spec: the stored one if there is one, else it is made and stored.
absl::StatusOr<store::Resource> MeasureOnce(Backend& backend, std::string_view project, const v1::MeasureSpec& spec,
                                            const RunContext& context);

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_MEASUREMENTS_H_
