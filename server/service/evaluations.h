#ifndef BITPLAN_SERVER_SERVICE_EVALUATIONS_H_
#define BITPLAN_SERVER_SERVICE_EVALUATIONS_H_

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "bitplan/v1/evaluation.pb.h"
#include "bitplan/v1/job.pb.h"
#include "search/base/run_context.h"
#include "search/evaluation/evaluate_plan.h"
#include "search/plan/plan.h"
#include "server/service/backend.h"

// Plans run on held-out data, as a part of jobs.

namespace bitplan::service {

// What an EvaluationSpec asks for, names looked up.
struct PreparedEvaluation {
  store::Resource held_out;
  store::Resource model;
  std::optional<store::Resource>
      calibration;  // activations are quantized over ranges of these data; else they stay float
  EvaluationOptions options;
};

// How a stored measurement was made, empty where that is not known (an imported one): what an EvaluationSpec leaves
// open.
absl::StatusOr<v1::MeasureSpec> SpecOf(const store::Resource& measurement);

// Checks a spec of a job in `project`; reads no blob. Paths in errors are relative to the spec. kInvalidArgument,
// kNotFound.
absl::StatusOr<PreparedEvaluation> PrepareEvaluation(Backend& backend, std::string_view project,
                                                     const v1::EvaluationSpec& spec, const v1::MeasureSpec& measured);

// Runs the plan. Errors: those of pipeline::Evaluate and of reading blobs.
absl::StatusOr<Evaluation> EvaluateNow(Backend& backend, const PreparedEvaluation& evaluation, const Plan& plan,
                                       const RunContext& context);

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_EVALUATIONS_H_
