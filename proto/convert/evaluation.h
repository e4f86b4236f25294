#ifndef BITPLAN_PROTO_CONVERT_EVALUATION_H_
#define BITPLAN_PROTO_CONVERT_EVALUATION_H_

#include "absl/status/statusor.h"
#include "bitplan/v1/evaluation.pb.h"
#include "bitplan/v1/measurement.pb.h"
#include "search/evaluation/evaluate_plan.h"

// Plans that are measured. Paths in errors are relative to the message converted.

namespace bitplan::convert {

// What `message` leaves open is as `measured` says, or else the core's default. kInvalidArgument, kNotFound (loss,
// range rule; lists the known ones).
absl::StatusOr<EvaluationOptions> ToEvaluationOptions(const v1::EvaluationSpec& message,
                                                      const v1::MeasureConfig& measured);

// Back and forth without a loss, for a client that shows what a server found. kInvalidArgument: an unknown resource, an
// option that is none.
v1::Evaluation FromEvaluation(const Evaluation& evaluation);
absl::StatusOr<Evaluation> ToEvaluation(const v1::Evaluation& message);

}  // namespace bitplan::convert

#endif  // BITPLAN_PROTO_CONVERT_EVALUATION_H_
