#ifndef BITPLAN_SERVER_JOBS_RUN_JOB_H_
#define BITPLAN_SERVER_JOBS_RUN_JOB_H_

#include <functional>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "server/jobs/job_manager.h"
#include "server/store/store.h"

namespace bitplan::jobs {

// The checkpoints of one attempt, in the store. What cannot be saved is told to `log` once and otherwise ignored: the
// computation then merely starts from an older point. Both arguments must outlive it.
class JobCheckpoints final : public CheckpointStore {
 public:
  JobCheckpoints(store::Store* store, const store::JobRecord& job, const std::function<void(std::string_view)>* log);
  ~JobCheckpoints() override;
  std::optional<std::string> Load(std::string_view key) override;
  void Save(std::string_view key, std::string value) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Calls `work`; an exception becomes a status that names `what` ("the job"): bad_alloc kResourceExhausted, others
// kInternal.
absl::Status Guarded(std::string_view what, const std::function<absl::Status()>& work);

// The runner, guarded.
absl::StatusOr<JobResult> RunGuarded(const Runner& runner, const store::JobRecord& job, const RunContext& context);

// Why a runner was asked to stop.
struct StopReasons {
  bool cancel = false;    // somebody cancelled the job
  bool shutdown = false;  // the server is stopping
};

// What to do with a job after its runner returned: finish it, or re-queue it for the next server.
struct Verdict {
  bool requeue = false;
  store::JobOutcome outcome;  // unless requeue
};

// A result counts even after a stop request. kCancelled is CANCELLED after a cancel and re-queued after a shutdown;
// without either it is a failure, as every other error.
Verdict Judge(absl::StatusOr<JobResult> result, const StopReasons& reasons);

}  // namespace bitplan::jobs

#endif  // BITPLAN_SERVER_JOBS_RUN_JOB_H_
