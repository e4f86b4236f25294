#ifndef BITPLAN_SERVER_SERVICE_JOB_MESSAGES_H_
#define BITPLAN_SERVER_SERVICE_JOB_MESSAGES_H_

#include "absl/status/statusor.h"
#include "bitplan/v1/job.pb.h"
#include "server/jobs/job_manager.h"
#include "server/jobs/watch.h"

// Jobs and their events as messages.

namespace bitplan::service {

v1::JobState ToMessage(store::JobState state);

// kDataLoss if the stored spec or result is unreadable.
absl::StatusOr<v1::Job> ToMessage(const jobs::JobView& view);

// `start_time_us` is the job's, for `elapsed`.
v1::JobProgress ToMessage(const jobs::ProgressView& progress, int64_t start_time_us);

// A state change carries the job as it was right after it, even if the job has moved on meanwhile. Not for kEnd.
absl::StatusOr<v1::JobEvent> ToMessage(const jobs::WatchEvent& event);

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_JOB_MESSAGES_H_
