#ifndef BITPLAN_SERVER_SERVICE_JOB_RUNNER_H_
#define BITPLAN_SERVER_SERVICE_JOB_RUNNER_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitplan/v1/job.pb.h"
#include "server/service/backend.h"

// What a job does. JobRecord::spec is a v1::Job with display_name and spec, JobRecord::result one with measurement,
// plan and what came of the evaluation.

namespace bitplan::service {

// Everything that can be checked before a job is queued: names, options, budgets, profile. Paths in errors are relative
// to the Job. kInvalidArgument, kNotFound.
absl::Status CheckJobSpec(Backend& backend, std::string_view project, const v1::Job& job);

// Measures unless the measurement exists, then solves, then runs the plan on held-out data if the job has any. Ids are
// made of content, so a run that follows a killed one finds what that one stored and gives the same names. An
// evaluation that fails is part of the result: the job has its plan. A plan without a choice is not evaluated.
absl::StatusOr<jobs::JobResult> RunJob(Backend& backend, const store::JobRecord& record, const RunContext& context);

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_JOB_RUNNER_H_
