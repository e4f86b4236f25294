#ifndef BITPLAN_SERVER_STORE_JOB_TRANSITION_H_
#define BITPLAN_SERVER_STORE_JOB_TRANSITION_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "server/store/store.h"

// The job state machine as pure functions on a record, so that every store has the same one. Each changes `job` to what
// it is after the transition, sequence included, or returns kFailedPrecondition and leaves it alone. See Store for the
// rules.

namespace bitplan::store {

absl::Status Start(JobRecord& job, int64_t attempt, int64_t now_us);
// kInvalidArgument: outcome.state is not terminal.
absl::Status Finish(JobRecord& job, int64_t attempt, const JobOutcome& outcome, int64_t now_us);
absl::Status Requeue(JobRecord& job, int64_t attempt, int64_t now_us);
// Leaves sequence as it is where the cancel was requested before.
absl::Status RequestCancel(JobRecord& job, int64_t now_us);
// For a RUNNING job whose process died; see Store::RecoverJobs. A job that awaits a worker did not die: left alone.
absl::Status Recover(JobRecord& job, int64_t max_crashes, int64_t now_us);

// OK if `attempt` is the one that runs now.
absl::Status CheckRunning(const JobRecord& job, int64_t attempt);

// The event that tells of the record's newest change.
JobEvent NewestEvent(const JobRecord& job, int64_t now_us);

}  // namespace bitplan::store

#endif  // BITPLAN_SERVER_STORE_JOB_TRANSITION_H_
