#ifndef BITPLAN_CLIENT_JOB_WATCH_H_
#define BITPLAN_CLIENT_JOB_WATCH_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/channel.h"
#include "client/commands.h"

namespace bitplan::client {

enum class OnInterrupt {
  kCancelJob,  // Ctrl-C asks the server to cancel the job, and the watch goes on until it has
  kLeave,      // Ctrl-C ends the watch; the job goes on
};

// Shows a job's progress until it is finished and returns it then. kCancelled if left.
absl::StatusOr<v1::Job> WatchToEnd(Session& session, Channel& channel, const std::string& job,
                                   OnInterrupt on_interrupt);

// What a finished job that made nothing means: its error for FAILED, kCancelled for CANCELLED, OK for SUCCEEDED.
absl::Status OutcomeOf(const v1::Job& job);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_JOB_WATCH_H_
