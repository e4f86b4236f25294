#ifndef BITPLAN_SERVER_STORE_STORE_H_
#define BITPLAN_SERVER_STORE_STORE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// What the server keeps through a restart: resources, jobs with their events and checkpoints, and request ids.
// Payloads and specs are opaque bytes; the store knows no message type.

namespace bitplan::store {

// Numbers are kept on disk: never renumber. Only forward: QUEUED, RUNNING, then one of the three terminal states.
enum class JobState { kQueued = 1, kRunning = 2, kSucceeded = 3, kFailed = 4, kCancelled = 5 };

constexpr bool IsTerminal(JobState state) { return state >= JobState::kSucceeded; }
// "QUEUED", "RUNNING", ...
std::string_view JobStateName(JobState state);

struct ResourceKey {
  std::string project;
  std::string collection;  // "models", "datasets", "measurements", "profiles", "plans"
  std::string id;          // unique within (project, collection)
  bool operator==(const ResourceKey&) const = default;
};
// "projects/<project>/<collection>/<id>"
std::string ResourceName(const ResourceKey& key);

struct Resource {
  ResourceKey key;
  std::string digest;          // of the artifact behind it; may be empty
  std::string payload;         // opaque
  int64_t create_time_us = 0;  // microseconds since 1970 UTC; set by the store
};

// Makes a creation idempotent. Empty request_id: not idempotent. The same (project, method, request_id) with the same
// fingerprint (a digest of the request's content) gives the earlier name; with another fingerprint kAlreadyExists.
// A request id outlives the resource it created: a repeat after Delete still gives the name, which Get no longer finds.
struct RequestKey {
  std::string method;
  std::string request_id;
  std::string fingerprint;
};

struct Creation {
  std::string name;     // resource name, also of jobs: projects/<project>/jobs/<id>
  bool reused = false;  // true: it was there, made by an earlier call; it is as that call left it
};

struct ListOptions {
  int64_t page_size = 0;      // 0: kDefaultPageSize; more than kMaxPageSize counts as that; negative: kInvalidArgument
  std::string page_token;     // from the page before, opaque; empty: first page
  bool newest_first = false;  // order of creation, or its reverse
};
inline constexpr int64_t kDefaultPageSize = 50;
inline constexpr int64_t kMaxPageSize = 1000;
// A page ends early once its payloads reach this, so that it fits a 4 MiB message; it always holds one row.
inline constexpr int64_t kMaxPageBytes = int64_t{2} << 20;
// Larger checkpoint values are refused (kResourceExhausted).
inline constexpr int64_t kMaxCheckpointBytes = int64_t{64} << 20;

template <typename T>
struct Page {
  std::vector<T> items;
  std::string next_page_token;  // empty: that was the last page
};

struct JobKey {
  std::string project;
  std::string id;
  auto operator<=>(const JobKey&) const = default;
};
// "projects/<project>/jobs/<id>"
std::string JobName(const JobKey& key);

struct NewJob {
  JobKey key;
  std::string spec;           // opaque
  int64_t time_limit_ms = 0;  // of one attempt's running time; 0: none
};

// State of a job. To whoever watches, the state only moves forward: a job whose worker went away (restart, drain) stays
// RUNNING, gets attempt + 1 and awaiting_worker = true; it never shows QUEUED again.
struct JobRecord {
  JobKey key;
  int64_t order = 0;  // position in the order of creation over all projects; the queue's order
  std::string spec;
  int64_t time_limit_ms = 0;
  JobState state = JobState::kQueued;
  int64_t attempt = 1;           // the run that is allowed to change this job; older ones are refused (fencing)
  bool awaiting_worker = false;  // RUNNING only: the attempt has not been taken up yet
  bool cancel_requested = false;
  int64_t crashes = 0;   // attempts that ended because the process died
  int64_t sequence = 1;  // of the newest event
  int64_t create_time_us = 0;
  int64_t start_time_us = 0;  // first attempt's; 0: not started
  int64_t end_time_us = 0;    // 0: not ended
  absl::Status error;         // FAILED: why; otherwise OK
  std::string result;         // SUCCEEDED: resource name (or bytes) the runner returned
};

// One change of a job. Sequence numbers of a job are 1, 2, 3, .. without a gap; 1 is QUEUED; the terminal one is last.
struct JobEvent {
  int64_t sequence = 0;
  JobState state = JobState::kQueued;
  int64_t attempt = 1;
  bool awaiting_worker = false;
  bool cancel_requested = false;
  int64_t time_us = 0;
};

// How an attempt ended.
struct JobOutcome {
  JobState state = JobState::kSucceeded;  // terminal
  absl::Status error;                     // kFailed: why
  std::string result;                     // kSucceeded
  // Created in the same transaction; one that exists already (same key) is left alone, so that ids derived from content
  // make a repeated attempt harmless.
  std::vector<Resource> resources;
};

// Durability: every call that changes something returns after the change has reached the disk (SaveCheckpoint
// excepted),
//             so what was acknowledged survives kill -9 and power loss. Concurrent changes share one disk sync.
// Threads:    all calls from any thread; blocking.
// Errors:     in all calls kDataLoss for an unreadable store, kResourceExhausted for a full disk, kInternal otherwise;
//             a failed change has left nothing behind.
class Store {
 public:
  virtual ~Store() = default;

  // A taken key is left alone (reused), and the request id is noted for what has it: keys are made from content.
  // kAlreadyExists: the request id was used with other content.
  virtual absl::StatusOr<Creation> CreateResource(const Resource& resource, const RequestKey& request) = 0;
  virtual absl::StatusOr<Resource> GetResource(const ResourceKey& key) = 0;
  // In order of creation. Rows that exist through the whole listing appear exactly once, whatever is created or deleted
  // meanwhile. kInvalidArgument: page_size negative, or a token that is damaged or of another list.
  virtual absl::StatusOr<Page<Resource>> ListResources(std::string_view project, std::string_view collection,
                                                       const ListOptions& options) = 0;
  virtual absl::Status DeleteResource(const ResourceKey& key) = 0;  // kNotFound
  // Number of resources, of all projects, with this digest: an artifact without any can be deleted.
  virtual absl::StatusOr<int64_t> CountResourcesWithDigest(std::string_view digest) = 0;

  // The name that an earlier creation with this request id returned. kNotFound: none; kAlreadyExists: other content.
  virtual absl::StatusOr<std::string> FindRequest(std::string_view project, const RequestKey& request) = 0;

  // Creates a QUEUED job with event 1. kAlreadyExists: the key is taken, or the request id was used with other content.
  virtual absl::StatusOr<Creation> CreateJob(const NewJob& job, const RequestKey& request) = 0;
  virtual absl::StatusOr<JobRecord> GetJob(const JobKey& key) = 0;
  // `states` empty: all. Tokens and order as ListResources.
  virtual absl::StatusOr<Page<JobRecord>> ListJobs(std::string_view project, const std::vector<JobState>& states,
                                                   const ListOptions& options) = 0;
  // Events with sequence > after_sequence, in order. kNotFound: no such job.
  virtual absl::StatusOr<std::vector<JobEvent>> ListJobEvents(const JobKey& key, int64_t after_sequence) = 0;

  // The transitions; each returns the record after it and adds one event unless it says otherwise.
  // kFailedPrecondition: wrong state, or an attempt that is over.
  //   Start:         QUEUED or awaiting a worker -> RUNNING.
  //   Finish:        RUNNING -> outcome.state; checkpoints are deleted, resources created.
  //   Requeue:       RUNNING -> RUNNING, attempt + 1, awaiting a worker; CANCELLED if a cancel was requested.
  //   RequestCancel: QUEUED or awaiting a worker -> CANCELLED; RUNNING -> cancel_requested; no event if that was set.
  virtual absl::StatusOr<JobRecord> StartJob(const JobKey& key, int64_t attempt) = 0;
  virtual absl::StatusOr<JobRecord> FinishJob(const JobKey& key, int64_t attempt, const JobOutcome& outcome) = 0;
  virtual absl::StatusOr<JobRecord> RequeueJob(const JobKey& key, int64_t attempt) = 0;
  virtual absl::StatusOr<JobRecord> RequestCancel(const JobKey& key) = 0;

  // To be called once after opening, before any Start: jobs that a dead process left RUNNING are re-queued (or
  // CANCELLED, as Requeue), with crashes + 1; after `max_crashes` of them a job is FAILED (kInternal), so that a job
  // which kills the process cannot do so for ever. Returns all jobs that wait for a worker, in queue order.
  virtual absl::StatusOr<std::vector<JobRecord>> RecoverJobs(int64_t max_crashes) = 0;

  // Replaces the value under (job, name). Refused (kFailedPrecondition) unless `attempt` is running. Not synced by
  // itself: power loss may take the newest values, kill -9 may not.
  virtual absl::Status SaveCheckpoint(const JobKey& key, int64_t attempt, std::string_view name,
                                      std::string_view value) = 0;
  // kNotFound: none. The value is checked against its digest; a damaged one is kDataLoss.
  virtual absl::StatusOr<std::string> LoadCheckpoint(const JobKey& key, std::string_view name) = 0;
};

}  // namespace bitplan::store

#endif  // BITPLAN_SERVER_STORE_STORE_H_
