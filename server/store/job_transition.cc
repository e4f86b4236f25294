#include "server/store/job_transition.h"

#include "search/base/status.h"

namespace bitplan::store {
namespace {

absl::Status CheckAttempt(const JobRecord& job, int64_t attempt) {
  if (IsTerminal(job.state)) {
    return FailedPrecondition("{}: it has ended and is {}", JobName(job.key), JobStateName(job.state));
  }
  if (job.attempt != attempt) {
    return FailedPrecondition("{}: attempt {} is over, the job is at attempt {}", JobName(job.key), attempt,
                              job.attempt);
  }
  return absl::OkStatus();
}

void End(JobRecord& job, JobState state, int64_t now_us) {
  job.state = state;
  job.awaiting_worker = false;
  job.end_time_us = now_us;
  ++job.sequence;
}

void AwaitNextAttempt(JobRecord& job, int64_t now_us) {
  if (job.cancel_requested) return End(job, JobState::kCancelled, now_us);
  ++job.attempt;
  job.awaiting_worker = true;
  ++job.sequence;
}

}  // namespace

absl::Status CheckRunning(const JobRecord& job, int64_t attempt) {
  BITPLAN_RETURN_IF_ERROR(CheckAttempt(job, attempt));
  if (job.state == JobState::kRunning && !job.awaiting_worker) return absl::OkStatus();
  return FailedPrecondition("{}: attempt {} has not been started", JobName(job.key), attempt);
}

absl::Status Start(JobRecord& job, int64_t attempt, int64_t now_us) {
  BITPLAN_RETURN_IF_ERROR(CheckAttempt(job, attempt));
  if (job.state == JobState::kRunning && !job.awaiting_worker) {
    return FailedPrecondition("{}: attempt {} is running already", JobName(job.key), attempt);
  }
  if (job.start_time_us == 0) job.start_time_us = now_us;
  job.state = JobState::kRunning;
  job.awaiting_worker = false;
  ++job.sequence;
  return absl::OkStatus();
}

absl::Status Finish(JobRecord& job, int64_t attempt, const JobOutcome& outcome, int64_t now_us) {
  if (!IsTerminal(outcome.state)) {
    return InvalidArgument("outcome.state: got {}, want a terminal state", JobStateName(outcome.state));
  }
  BITPLAN_RETURN_IF_ERROR(CheckRunning(job, attempt));
  End(job, outcome.state, now_us);
  if (outcome.state == JobState::kFailed) job.error = outcome.error;
  if (outcome.state == JobState::kSucceeded) job.result = outcome.result;
  return absl::OkStatus();
}

absl::Status Requeue(JobRecord& job, int64_t attempt, int64_t now_us) {
  BITPLAN_RETURN_IF_ERROR(CheckRunning(job, attempt));
  AwaitNextAttempt(job, now_us);
  return absl::OkStatus();
}

absl::Status RequestCancel(JobRecord& job, int64_t now_us) {
  if (IsTerminal(job.state)) {
    return FailedPrecondition("{}: it has ended and is {}", JobName(job.key), JobStateName(job.state));
  }
  if (job.state == JobState::kQueued || job.awaiting_worker) {
    job.cancel_requested = true;
    End(job, JobState::kCancelled, now_us);
  } else if (!job.cancel_requested) {
    job.cancel_requested = true;
    ++job.sequence;
  }
  return absl::OkStatus();
}

absl::Status Recover(JobRecord& job, int64_t max_crashes, int64_t now_us) {
  if (job.state != JobState::kRunning || job.awaiting_worker) return absl::OkStatus();
  ++job.crashes;
  if (job.crashes < max_crashes || job.cancel_requested) {
    AwaitNextAttempt(job, now_us);
    return absl::OkStatus();
  }
  job.error = Internal("the server process ended during {} attempts of this job; it is not tried again", job.crashes);
  End(job, JobState::kFailed, now_us);
  return absl::OkStatus();
}

JobEvent NewestEvent(const JobRecord& job, int64_t now_us) {
  return {.sequence = job.sequence,
          .state = job.state,
          .attempt = job.attempt,
          .awaiting_worker = job.awaiting_worker,
          .cancel_requested = job.cancel_requested,
          .time_us = now_us};
}

}  // namespace bitplan::store
