#include "server/jobs/job_manager.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/cord.h"
#include "search/base/status.h"
#include "server/jobs/run_job.h"
#include "server/jobs/watch_hub.h"

namespace bitplan::jobs {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr char kRetryAfterPayload[] = "bitplan/retry-after-ms";
constexpr milliseconds kShortestRetry{1000};
constexpr milliseconds kLongestRetry{60000};
// Pause between attempts to write to a store in trouble (a full disk, as a rule).
constexpr milliseconds kStoreRetryPause{1000};

absl::Status Validate(const JobManagerOptions& options) {
  if (options.num_workers < 1) return InvalidArgument("num_workers: got {}, want 1 or more", options.num_workers);
  if (options.num_threads < 1) return InvalidArgument("num_threads: got {}, want 1 or more", options.num_threads);
  if (options.max_queued < 1) return InvalidArgument("max_queued: got {}, want 1 or more", options.max_queued);
  if (options.max_crashes < 1) return InvalidArgument("max_crashes: got {}, want 1 or more", options.max_crashes);
  return absl::OkStatus();
}

// A letter and 64 random bits: fit for a resource name, and not to be guessed from another.
std::string RandomId() {
  std::random_device device;
  const uint64_t high = device();
  return fmt::format("j{:016x}", high << 32 | device());
}

bool MayPass(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsInternal(status) || absl::IsUnavailable(status);
}

// A job in the hands of a worker.
struct Run {
  store::JobKey key;
  int64_t attempt;
  std::stop_source stop;
  std::atomic<bool> cancelled = false;
  std::shared_ptr<Channel> channel;
};

struct Waiting {
  store::JobKey key;
  int64_t attempt;
};

}  // namespace

struct JobManager::State {
  JobManagerOptions options;
  store::Store* store;
  Runner runner;
  WatchHub hub;

  mutable std::mutex mutex;  // guards what follows; not held during calls of the store, the hub or the runner
  std::condition_variable work_arrived;  // or draining
  std::condition_variable runs_changed;
  std::map<int64_t, Waiting> waiting;  // by JobRecord::order: the order of creation, also after a restart
  std::set<std::shared_ptr<Run>> runs;
  int64_t submitting = 0;  // places in the queue promised to Submits that are writing to the store
  bool draining = false;
  bool stopping = false;     // draining, and the grace period is over
  milliseconds mean_run{0};  // exponential mean of the last run times

  std::once_flag drained;
  std::vector<std::jthread> workers;

  void Log(std::string_view message) const {
    if (options.log) options.log(message);
  }

  absl::Status ReservePlace();
  void SettlePlace(const std::optional<store::JobRecord>& job);

  std::optional<store::JobRecord> ReadCreated(const store::JobKey& key) const;

  void Work();
  std::shared_ptr<Run> TakeRun();
  void RunJob(const std::shared_ptr<Run>& run);
  RunContext MakeContext(const std::shared_ptr<Run>& run, const store::JobRecord& job, CheckpointStore* checkpoints);
  void Conclude(const std::shared_ptr<Run>& run, absl::StatusOr<JobResult> result);
  void ForgetRun(const std::shared_ptr<Run>& run, Clock::duration run_time);
  std::shared_ptr<Run> FindRun(const store::JobKey& key) const;
  bool IsStopping() const;

  absl::StatusOr<store::JobRecord> Persist(const std::function<absl::StatusOr<store::JobRecord>()>& change);
  JobView ViewOf(store::JobRecord record) const;
  void DrainOnce(milliseconds grace);
  milliseconds RetryHint() const;
};

absl::Status JobManager::State::ReservePlace() {
  const std::scoped_lock lock(mutex);
  if (draining) return absl::UnavailableError("the server is shutting down and takes no new jobs");
  const int64_t taken = static_cast<int64_t>(waiting.size()) + submitting;
  if (taken < options.max_queued) {
    ++submitting;
    return absl::OkStatus();
  }
  const milliseconds hint = RetryHint();
  absl::Status status = ResourceExhausted("the job queue is full: {} of {} places are taken; try again in {} ms", taken,
                                          options.max_queued, hint.count());
  status.SetPayload(kRetryAfterPayload, absl::Cord(std::to_string(hint.count())));
  return status;
}

// Gives a reserved place back, to the job if there is one: in one step, so that no other Submit sees it taken twice.
void JobManager::State::SettlePlace(const std::optional<store::JobRecord>& job) {
  const std::scoped_lock lock(mutex);
  --submitting;
  if (!job) return;
  waiting.emplace(job->order, Waiting{job->key, job->attempt});
  work_arrived.notify_one();
}

// Expects the mutex to be held.
milliseconds JobManager::State::RetryHint() const {
  return std::clamp(mean_run / options.num_workers, kShortestRetry, kLongestRetry);
}

// The job just created. Should it be unreadable, it is stored all the same: the next start will run it.
std::optional<store::JobRecord> JobManager::State::ReadCreated(const store::JobKey& key) const {
  absl::StatusOr<store::JobRecord> record = store->GetJob(key);
  if (record.ok()) return *std::move(record);
  Log(fmt::format("{}: stored but not queued: {}", JobName(key), record.status().ToString()));
  return std::nullopt;
}

void JobManager::State::Work() {
  while (const std::shared_ptr<Run> run = TakeRun()) {
    const Clock::time_point start = Clock::now();
    try {
      RunJob(run);
    } catch (
        const std::exception&) {  // out of memory around the runner: the worker lives on, a restart re-queues the job
      Log("a worker ran out of memory; its job will run again after a restart");
    }
    ForgetRun(run, Clock::now() - start);
  }
}

// Null: draining. The run is registered before the store says RUNNING, so that Cancel finds whatever the store shows.
std::shared_ptr<Run> JobManager::State::TakeRun() {
  std::unique_lock lock(mutex);
  work_arrived.wait(lock, [&] { return draining || !waiting.empty(); });
  if (draining) return nullptr;
  auto run = std::make_shared<Run>();
  const Waiting& first = waiting.begin()->second;
  run->key = first.key;
  run->attempt = first.attempt;
  waiting.erase(waiting.begin());
  runs.insert(run);
  return run;
}

void JobManager::State::ForgetRun(const std::shared_ptr<Run>& run, Clock::duration run_time) {
  const std::scoped_lock lock(mutex);
  const auto last = std::chrono::duration_cast<milliseconds>(run_time);
  mean_run = mean_run == milliseconds(0) ? last : (4 * mean_run + last) / 5;
  runs.erase(run);
  runs_changed.notify_all();
}

void JobManager::State::RunJob(const std::shared_ptr<Run>& run) {
  run->channel = hub.ChannelOf(run->key);
  const absl::StatusOr<store::JobRecord> job = Persist([&] { return store->StartJob(run->key, run->attempt); });
  if (!job.ok()) {  // kFailedPrecondition: cancelled in the last moment
    if (!absl::IsFailedPrecondition(job.status()))
      Log(fmt::format("{}: not started: {}", JobName(run->key), job.status().ToString()));
    return;
  }
  hub.NotifyState(*job);
  JobCheckpoints checkpoints(store, *job, &options.log);
  Conclude(run, RunGuarded(runner, *job, MakeContext(run, *job, &checkpoints)));
}

RunContext JobManager::State::MakeContext(const std::shared_ptr<Run>& run, const store::JobRecord& job,
                                          CheckpointStore* checkpoints) {
  RunContext context{.stop = run->stop.get_token(),
                     .progress = [run](const Progress& p) { run->channel->NotifyProgress(run->attempt, p); },
                     .checkpoints = checkpoints,
                     .num_threads = options.num_threads};
  if (job.time_limit_ms > 0) context.deadline = Clock::now() + milliseconds(job.time_limit_ms);
  return context;
}

void JobManager::State::Conclude(const std::shared_ptr<Run>& run, absl::StatusOr<JobResult> result) {
  const Verdict verdict = Judge(std::move(result), {.cancel = run->cancelled, .shutdown = IsStopping()});
  absl::StatusOr<store::JobRecord> job = Persist([&] {
    return verdict.requeue ? store->RequeueJob(run->key, run->attempt)
                           : store->FinishJob(run->key, run->attempt, verdict.outcome);
  });
  if (!job.ok() && !MayPass(job.status())) {
    const store::JobOutcome failure{.state = store::JobState::kFailed,
                                    .error = WithContext(job.status(), "storing the result")};
    job = Persist([&] { return store->FinishJob(run->key, run->attempt, failure); });
  }
  run->channel->ClearProgress();
  if (job.ok()) return hub.NotifyState(*job);
  Log(fmt::format("{}: its end is not stored, it will run again after a restart: {}", JobName(run->key),
                  job.status().ToString()));
}

// Repeats a change until the store takes or refuses it. Once the server is stopping, one try has to do.
absl::StatusOr<store::JobRecord> JobManager::State::Persist(
    const std::function<absl::StatusOr<store::JobRecord>()>& change) {
  while (true) {
    absl::StatusOr<store::JobRecord> job = change();
    if (job.ok() || !MayPass(job.status())) return job;
    Log(fmt::format("the store refuses a change, trying again: {}", job.status().ToString()));
    std::unique_lock lock(mutex);
    if (runs_changed.wait_for(lock, kStoreRetryPause, [&] { return stopping; })) return job;
  }
}

std::shared_ptr<Run> JobManager::State::FindRun(const store::JobKey& key) const {
  const std::scoped_lock lock(mutex);
  const auto found = std::ranges::find_if(runs, [&](const auto& run) { return run->key == key; });
  return found == runs.end() ? nullptr : *found;
}

bool JobManager::State::IsStopping() const {
  const std::scoped_lock lock(mutex);
  return stopping;
}

JobView JobManager::State::ViewOf(store::JobRecord record) const {
  JobView view{.record = std::move(record)};
  if (view.record.state != store::JobState::kRunning) return view;
  if (const std::shared_ptr<Channel> channel = hub.FindChannel(view.record.key)) view.progress = channel->progress();
  return view;
}

void JobManager::State::DrainOnce(milliseconds grace) {
  std::set<std::shared_ptr<Run>> unfinished;
  {
    std::unique_lock lock(mutex);
    draining = true;
    work_arrived.notify_all();
    runs_changed.wait_for(lock, grace, [&] { return runs.empty(); });
    stopping = true;
    runs_changed.notify_all();
    unfinished = runs;
  }
  for (const std::shared_ptr<Run>& run : unfinished) run->stop.request_stop();
  workers.clear();  // joins
  hub.ShutDown();
}

JobManager::JobManager(std::unique_ptr<State> state) : state_(std::move(state)) {}
JobManager::~JobManager() { Drain(milliseconds(0)); }

absl::StatusOr<std::unique_ptr<JobManager>> JobManager::Start(const JobManagerOptions& options, store::Store* store,
                                                              Runner runner) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<store::JobRecord> jobs, store->RecoverJobs(options.max_crashes));
  auto state = std::make_unique<State>();
  state->options = options;
  state->store = store;
  state->runner = std::move(runner);
  for (const store::JobRecord& job : jobs) state->waiting.emplace(job.order, Waiting{job.key, job.attempt});
  for (int i = 0; i < options.num_workers; ++i) state->workers.emplace_back([s = state.get()] { s->Work(); });
  return std::unique_ptr<JobManager>(new JobManager(std::move(state)));
}

absl::StatusOr<store::Creation> JobManager::Submit(store::NewJob job, const store::RequestKey& request) {
  const absl::StatusOr<std::string> earlier = state_->store->FindRequest(job.key.project, request);
  if (earlier.ok()) return store::Creation{.name = *earlier, .reused = true};
  if (!absl::IsNotFound(earlier.status())) return earlier.status();
  if (job.time_limit_ms < 0) return InvalidArgument("time_limit_ms: got {}, want 0 (none) or more", job.time_limit_ms);
  if (job.key.id.empty()) job.key.id = RandomId();
  BITPLAN_RETURN_IF_ERROR(state_->ReservePlace());
  absl::StatusOr<store::Creation> creation = state_->store->CreateJob(job, request);
  std::optional<store::JobRecord> created;
  if (creation.ok() && !creation->reused) created = state_->ReadCreated(job.key);
  state_->SettlePlace(created);
  return creation;
}

absl::StatusOr<JobView> JobManager::Get(const store::JobKey& key) const {
  BITPLAN_ASSIGN_OR_RETURN(store::JobRecord record, state_->store->GetJob(key));
  return state_->ViewOf(std::move(record));
}

absl::StatusOr<store::Page<JobView>> JobManager::List(std::string_view project,
                                                      const std::vector<store::JobState>& states,
                                                      const store::ListOptions& options) const {
  BITPLAN_ASSIGN_OR_RETURN(store::Page<store::JobRecord> records, state_->store->ListJobs(project, states, options));
  store::Page<JobView> page{.next_page_token = std::move(records.next_page_token)};
  for (store::JobRecord& record : records.items) page.items.push_back(state_->ViewOf(std::move(record)));
  return page;
}

absl::StatusOr<JobView> JobManager::Cancel(const store::JobKey& key) {
  BITPLAN_ASSIGN_OR_RETURN(store::JobRecord record, state_->store->RequestCancel(key));
  state_->hub.NotifyState(record);
  if (IsTerminal(record.state)) {
    const std::scoped_lock lock(state_->mutex);
    state_->waiting.erase(record.order);
  } else if (const std::shared_ptr<Run> run = state_->FindRun(key)) {
    run->cancelled = true;
    run->stop.request_stop();
  }
  return state_->ViewOf(std::move(record));
}

absl::StatusOr<std::unique_ptr<Watcher>> JobManager::Watch(const store::JobKey& key, int64_t after_sequence) {
  // First the channel, then the record: a change between the two is announced on the channel, an earlier one is in the
  // record.
  std::shared_ptr<Channel> channel = state_->hub.ChannelOf(key);
  BITPLAN_ASSIGN_OR_RETURN(const store::JobRecord job, state_->store->GetJob(key));
  if (after_sequence < 0 || after_sequence > job.sequence) {
    return InvalidArgument("after_sequence: got {}, want 0..{}", after_sequence, job.sequence);
  }
  return WatchHub::MakeWatcher(state_->store, job, std::move(channel), after_sequence,
                               state_->options.progress_interval);
}

void JobManager::Drain(milliseconds grace) {
  std::call_once(state_->drained, [&] { state_->DrainOnce(grace); });
}

JobStats JobManager::Stats() const {
  const std::scoped_lock lock(state_->mutex);
  return {.queued = static_cast<int64_t>(state_->waiting.size()),
          .running = static_cast<int64_t>(state_->runs.size()),
          .max_queued = state_->options.max_queued,
          .draining = state_->draining};
}

std::optional<milliseconds> RetryAfter(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kRetryAfterPayload);
  if (!payload) return std::nullopt;
  const std::string text(*payload);
  int64_t ms = 0;
  std::from_chars(text.data(), text.data() + text.size(), ms);
  return milliseconds(ms);
}

}  // namespace bitplan::jobs
