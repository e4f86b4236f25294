#ifndef BITPLAN_SERVER_JOBS_JOB_MANAGER_H_
#define BITPLAN_SERVER_JOBS_JOB_MANAGER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "server/jobs/watch.h"
#include "server/store/store.h"

namespace bitplan::jobs {

// What a successful run leaves. The resources are created in the transaction that makes the job SUCCEEDED.
struct JobResult {
  std::string result;                      // JobRecord::result, a resource name as a rule
  std::vector<store::Resource> resources;  // see store::JobOutcome::resources
};

// Does the work of a job. Runs on a worker thread, several at once with num_workers > 1. Polls context.stop and then
// returns kCancelled. Exceptions become a FAILED job: bad_alloc kResourceExhausted, others kInternal.
// context.checkpoints is the job's own, kept through restart until the job ends.
using Runner = std::function<absl::StatusOr<JobResult>(const store::JobRecord& job, const RunContext& context)>;

struct JobManagerOptions {
  int num_workers = 1;      // jobs at a time
  int num_threads = 1;      // RunContext::num_threads of each
  int64_t max_queued = 64;  // jobs waiting for a worker; Submit beyond it is refused
  int64_t max_crashes = 3;  // see Store::RecoverJobs
  // A watcher gets progress at most this often; state changes come at once.
  std::chrono::milliseconds progress_interval{250};
  std::function<void(std::string_view)> log;  // trouble worth an operator's eye; may be empty; any thread
};

struct JobView {
  store::JobRecord record;
  std::optional<ProgressView> progress;  // while running, once there was a report
};

struct JobStats {
  int64_t queued = 0;  // waiting for a worker, re-queued jobs included
  int64_t running = 0;
  int64_t max_queued = 0;
  bool draining = false;
};

// Takes jobs, runs them on its own threads, and tells who watches. All calls from any thread.
//
// Restart: Start finds the jobs that an earlier process left. Finished ones stay; queued ones keep their order; running
//          ones run again as attempt + 1 with their checkpoints, before the queued ones that came after them.
class JobManager {
 public:
  // The store must outlive the manager.
  static absl::StatusOr<std::unique_ptr<JobManager>> Start(const JobManagerOptions& options, store::Store* store,
                                                           Runner runner);
  ~JobManager();  // Drain(0)
  JobManager(const JobManager&) = delete;
  JobManager& operator=(const JobManager&) = delete;

  // Returns once the job is stored durably. An empty job.key.id gets a random one. A repeated request id returns the
  // earlier job even when the queue is full or the server drains. Errors: kResourceExhausted: the queue is full
  // (RetryAfter tells when to come back); kUnavailable: draining;
  //         those of Store::CreateJob.
  absl::StatusOr<store::Creation> Submit(store::NewJob job, const store::RequestKey& request);

  absl::StatusOr<JobView> Get(const store::JobKey& key) const;
  absl::StatusOr<store::Page<JobView>> List(std::string_view project, const std::vector<store::JobState>& states,
                                            const store::ListOptions& options) const;

  // Queued: CANCELLED at once. Running: asks the runner to stop; the job is CANCELLED when it does, or SUCCEEDED if it
  // was done just then. Asking again is fine. kFailedPrecondition: the job has ended. kNotFound.
  absl::StatusOr<JobView> Cancel(const store::JobKey& key);

  // Follows the job from the first event with sequence > after_sequence on (0: all). kNotFound; kInvalidArgument:
  // after_sequence is negative or beyond the job's newest event. The manager must outlive the watcher.
  absl::StatusOr<std::unique_ptr<Watcher>> Watch(const store::JobKey& key, int64_t after_sequence);

  // Refuses new jobs, lets running ones finish for up to `grace`, then stops them; those that stop are re-queued for
  // the next start, with their checkpoints, as are the queued ones. Returns when no worker runs and watchers are woken.
  // A second call waits for the first.
  void Drain(std::chrono::milliseconds grace);

  JobStats Stats() const;

 private:
  struct State;
  explicit JobManager(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// When to try again, for a kResourceExhausted from Submit: the mean run time of the last jobs divided by the workers,
// between 1 s and 60 s. Kept in the status as a payload; absent for other errors.
std::optional<std::chrono::milliseconds> RetryAfter(const absl::Status& status);

}  // namespace bitplan::jobs

#endif  // BITPLAN_SERVER_JOBS_JOB_MANAGER_H_
