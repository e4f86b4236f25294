#ifndef BITPLAN_PROTO_CONVERT_MEASUREMENT_H_
#define BITPLAN_PROTO_CONVERT_MEASUREMENT_H_

#include "absl/status/statusor.h"
#include "bitplan/v1/measurement.pb.h"
#include "search/pipeline/measurement.h"
#include "search/quantization/options.h"
#include "search/sensitivity/estimate.h"
#include "search/sensitivity/given.h"

// Measurements and what they are made with. Paths in errors are relative to the message converted.

namespace bitplan::convert {

// Sensitivities that a client gives, checked (sensitivity::Validate). A repeated field that the core keeps in several
// tables is read option by option, so no table can be ragged. perturbation_squared and costs may be 0 and empty
// everywhere: not given. kInvalidArgument.
absl::StatusOr<GivenSensitivities> ToGiven(const v1::MeasurementTable& message);

// Everything but name, display_name, create_time, model, dataset and config, which the core does not know.
v1::Measurement FromMeasurement(const Measurement& measurement);

// Defaults filled in. kInvalidArgument, kNotFound (method, loss, scheme; lists the known ones).
absl::StatusOr<QuantizationOptions> ToQuantizationOptions(const v1::MeasureConfig& message);
absl::StatusOr<SensitivityOptions> ToSensitivityOptions(const v1::MeasureConfig& message);
v1::MeasureConfig FromOptions(const QuantizationOptions& quantization, const SensitivityOptions& sensitivity);

}  // namespace bitplan::convert

#endif  // BITPLAN_PROTO_CONVERT_MEASUREMENT_H_
