// The job manager with real threads on a real store.

#include "server/jobs/job_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "server/store/store_table.h"

namespace bitplan::jobs {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::milliseconds;
using store::JobKey;
using store::JobRecord;
using store::JobState;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = WatchEvent::Kind;

const store::RequestKey kNoRequest;

JobKey KeyOf(std::string id) { return {.project = "p", .id = std::move(id)}; }

// A door that runners wait at, so that tests decide when a job goes on. Waiting ends with a stop request too.
class Gate {
 public:
  void Open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  // kCancelled if stopped before the gate opened.
  absl::Status Pass(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    return changed_.wait(lock, stop, [&] { return open_; }) ? absl::OkStatus() : absl::CancelledError("stopped");
  }
  void AwaitArrivals(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool open_ = false;
  int arrived_ = 0;
};

// A computation as they come: kProbes random numbers are added, each kept as a checkpoint. The sum is the same whatever
// interrupts it.
constexpr int kProbes = 20;
absl::StatusOr<JobResult> SumProbes(const JobRecord& job, const RunContext& context, std::atomic<int>* computed) {
  double sum = 0;
  for (int probe = 0; probe < kProbes; ++probe) {
    BITPLAN_RETURN_IF_ERROR(context.CheckStop());
    const std::string name = fmt::format("probe {}", probe);
    std::optional<std::string> value = context.checkpoints->Load(name);
    if (!value) {
      value = fmt::format("{:.17g}", Rng(7, static_cast<uint64_t>(probe)).NextUniform());
      context.checkpoints->Save(name, *value);
      ++*computed;
    }
    sum += std::stod(*value);
    context.Report({.stage = "trace", .fraction = (probe + 1.0) / kProbes, .probes = probe + 1});
  }
  const store::ResourceKey plan{.project = job.key.project, .collection = "plans", .id = job.key.id};
  return JobResult{.result = store::ResourceName(plan),
                   .resources = {{.key = plan, .payload = fmt::format("{:.17g}", sum)}}};
}

class JobManagerTest : public ::testing::Test {
 protected:
  JobManagerTest() {
    std::string pattern = (fs::temp_directory_path() / "bitplan-jobs-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    OpenStore();
  }
  ~JobManagerTest() override {
    gate_.Open();
    manager_.reset();
    store_.reset();
    fs::remove_all(root_);
  }

  void OpenStore() {
    store_.reset();
    absl::StatusOr<std::unique_ptr<store::Store>> store = store::OpenStore("sqlite", {.path = root_ / "store.db"});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  JobManager& Start(Runner runner, JobManagerOptions options = {}) {
    options.progress_interval = milliseconds(0);
    options.log = [this](std::string_view line) {
      const std::scoped_lock lock(log_mutex_);
      log_.emplace_back(line);
    };
    absl::StatusOr<std::unique_ptr<JobManager>> manager = JobManager::Start(options, store_.get(), std::move(runner));
    EXPECT_TRUE(manager.ok()) << manager.status();
    manager_ = *std::move(manager);
    return *manager_;
  }

  // The manager and the store go, as at the end of a process, and come again.
  JobManager& Restart(Runner runner, JobManagerOptions options = {}) {
    manager_.reset();
    OpenStore();
    return Start(std::move(runner), std::move(options));
  }

  // Waits at the gate, then succeeds with the spec as result.
  Runner GatedRunner() {
    return [this](const JobRecord& job, const RunContext& context) -> absl::StatusOr<JobResult> {
      BITPLAN_RETURN_IF_ERROR(gate_.Pass(context.stop));
      return JobResult{.result = job.spec};
    };
  }

  void Submit(const std::string& id) {
    const auto created = manager_->Submit({.key = KeyOf(id), .spec = "spec of " + id}, kNoRequest);
    ASSERT_TRUE(created.ok()) << created.status();
  }

  std::vector<WatchEvent> WatchToEnd(const std::string& id, int64_t after_sequence = 0) {
    std::vector<WatchEvent> events;
    const auto watcher = manager_->Watch(KeyOf(id), after_sequence);
    EXPECT_TRUE(watcher.ok()) << watcher.status();
    while (true) {
      absl::StatusOr<WatchEvent> event = (*watcher)->Next(hours(1));
      EXPECT_TRUE(event.ok()) << event.status();
      if (!event.ok() || event->kind == Kind::kEnd) return events;
      events.push_back(*std::move(event));
    }
  }

  JobRecord AwaitEnd(const std::string& id) {
    WatchToEnd(id);
    return manager_->Get(KeyOf(id))->record;
  }

  JobState StateOf(const std::string& id) { return store_->GetJob(KeyOf(id))->state; }

  fs::path root_;
  Gate gate_;
  std::mutex log_mutex_;
  std::vector<std::string> log_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<JobManager> manager_;
};

std::vector<int64_t> StateSequences(const std::vector<WatchEvent>& events) {
  std::vector<int64_t> sequences;
  for (const WatchEvent& event : events) {
    if (event.kind == Kind::kState) sequences.push_back(event.sequence);
  }
  return sequences;
}

std::vector<JobState> States(const std::vector<WatchEvent>& events) {
  std::vector<JobState> states;
  for (const WatchEvent& event : events) {
    if (event.kind == Kind::kState) states.push_back(event.event.state);
  }
  return states;
}

// ---- running ----

TEST_F(JobManagerTest, RunsAJobToItsResult) {
  std::atomic<int> computed = 0;
  Start([&](const JobRecord& job, const RunContext& context) { return SumProbes(job, context, &computed); });
  Submit("a");
  const JobRecord job = AwaitEnd("a");
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.result, "projects/p/plans/a");
  EXPECT_EQ(computed, kProbes);
  EXPECT_TRUE(store_->GetResource({.project = "p", .collection = "plans", .id = "a"}).ok());
  EXPECT_THAT(log_, IsEmpty());
}

TEST_F(JobManagerTest, RunnerGetsItsJobThreadsAndDeadline) {
  std::atomic<bool> checked = false;
  Start(
      [&](const JobRecord& job, const RunContext& context) -> absl::StatusOr<JobResult> {
        EXPECT_EQ(job.spec, "bytes");
        EXPECT_EQ(job.state, JobState::kRunning);
        EXPECT_EQ(context.num_threads, 3);
        EXPECT_EQ(context.deadline.has_value(), job.key.id == "limited");
        checked = true;
        return JobResult{};
      },
      {.num_threads = 3});
  ASSERT_TRUE(manager_->Submit({.key = KeyOf("free"), .spec = "bytes"}, kNoRequest).ok());
  AwaitEnd("free");
  ASSERT_TRUE(manager_->Submit({.key = KeyOf("limited"), .spec = "bytes", .time_limit_ms = 60'000}, kNoRequest).ok());
  EXPECT_EQ(AwaitEnd("limited").state, JobState::kSucceeded);
  EXPECT_TRUE(checked);
}

TEST_F(JobManagerTest, TimeLimitEndsInFailure) {
  Start([](const JobRecord&, const RunContext& context) -> absl::StatusOr<JobResult> {
    while (true) BITPLAN_RETURN_IF_ERROR(context.CheckStop());
  });
  ASSERT_TRUE(manager_->Submit({.key = KeyOf("a"), .time_limit_ms = 1}, kNoRequest).ok());
  const JobRecord job = AwaitEnd("a");
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_TRUE(absl::IsDeadlineExceeded(job.error));
}

TEST_F(JobManagerTest, FailuresAndExceptionsFailTheJobAndSpareTheWorker) {
  Start([](const JobRecord& job, const RunContext&) -> absl::StatusOr<JobResult> {
    if (job.key.id == "status") return InvalidArgument("layers[0]: bad");
    if (job.key.id == "memory") throw std::bad_alloc();
    if (job.key.id == "bug") throw std::out_of_range("vector::at");
    return JobResult{};
  });
  for (const char* id : {"status", "memory", "bug", "good"}) Submit(id);
  EXPECT_EQ(AwaitEnd("good").state, JobState::kSucceeded);
  EXPECT_EQ(AwaitEnd("status").error, InvalidArgument("layers[0]: bad"));
  EXPECT_TRUE(absl::IsResourceExhausted(AwaitEnd("memory").error));
  EXPECT_THAT(MessageOf(AwaitEnd("bug").error), HasSubstr("vector::at"));
}

TEST_F(JobManagerTest, ResultThatCannotBeStoredIsAFailure) {
  Start([](const JobRecord&, const RunContext&) -> absl::StatusOr<JobResult> {
    return JobResult{.resources = {{.key = {.project = "p", .collection = "plans", .id = ""}}}};
  });
  Submit("a");
  const JobRecord job = AwaitEnd("a");
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_THAT(MessageOf(job.error), HasSubstr("storing the result"));
}

TEST_F(JobManagerTest, OneWorkerRunsInOrderOfSubmission) {
  std::mutex mutex;
  std::vector<std::string> order;
  Start([&](const JobRecord& job, const RunContext& context) -> absl::StatusOr<JobResult> {
    BITPLAN_RETURN_IF_ERROR(gate_.Pass(context.stop));
    const std::scoped_lock lock(mutex);
    order.push_back(job.key.id);
    return JobResult{};
  });
  for (const char* id : {"c", "a", "d", "b"}) Submit(id);
  gate_.Open();
  AwaitEnd("b");
  EXPECT_THAT(order, ElementsAre("c", "a", "d", "b"));
}

TEST_F(JobManagerTest, WorkersRunSideBySide) {
  Start(GatedRunner(), {.num_workers = 3});
  for (const char* id : {"a", "b", "c", "d"}) Submit(id);
  gate_.AwaitArrivals(3);
  EXPECT_EQ(manager_->Stats().running, 3);
  EXPECT_EQ(manager_->Stats().queued, 1);
  gate_.Open();
  for (const char* id : {"a", "b", "c", "d"}) EXPECT_EQ(AwaitEnd(id).state, JobState::kSucceeded);
}

TEST_F(JobManagerTest, BadOptionsAreRefused) {
  for (const JobManagerOptions& options :
       {JobManagerOptions{.num_workers = 0}, {.num_threads = 0}, {.max_queued = 0}, {.max_crashes = 0}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(JobManager::Start(options, store_.get(), GatedRunner()).status()));
  }
}

// ---- submission ----

TEST_F(JobManagerTest, SubmitInventsAnId) {
  Start(GatedRunner());
  const auto first = manager_->Submit({.key = {.project = "p"}}, kNoRequest);
  const auto second = manager_->Submit({.key = {.project = "p"}}, kNoRequest);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(first->name.starts_with("projects/p/jobs/j"));
  EXPECT_NE(first->name, second->name);
}

TEST_F(JobManagerTest, FullQueueRefusesWithAHint) {
  Start(GatedRunner(), {.max_queued = 2});
  Submit("running");
  gate_.AwaitArrivals(1);
  Submit("first");
  Submit("second");
  const absl::Status full = manager_->Submit({.key = KeyOf("third")}, kNoRequest).status();
  EXPECT_TRUE(absl::IsResourceExhausted(full));
  EXPECT_THAT(MessageOf(full), HasSubstr("2 of 2 places"));
  ASSERT_TRUE(RetryAfter(full).has_value());
  EXPECT_GE(*RetryAfter(full), milliseconds(1000));
  EXPECT_LE(*RetryAfter(full), milliseconds(60000));
  EXPECT_TRUE(absl::IsNotFound(store_->GetJob(KeyOf("third")).status()));
  ASSERT_TRUE(manager_->Cancel(KeyOf("first")).ok());
  Submit("third");
}

TEST(RetryAfter, OtherStatusesHaveNone) {
  EXPECT_FALSE(RetryAfter(absl::OkStatus()).has_value());
  EXPECT_FALSE(RetryAfter(absl::ResourceExhaustedError("disk full")).has_value());
}

TEST_F(JobManagerTest, RepeatedRequestIsAnsweredEvenWhenFullOrDraining) {
  Start(GatedRunner(), {.max_queued = 1});
  const store::RequestKey request{.method = "CreateJob", .request_id = "r", .fingerprint = "f"};
  const std::string name = manager_->Submit({.key = KeyOf("a")}, request)->name;
  gate_.AwaitArrivals(1);
  Submit("b");
  auto again = manager_->Submit({.key = KeyOf("c")}, request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->reused);
  EXPECT_EQ(again->name, name);
  manager_->Drain(milliseconds(0));
  EXPECT_EQ(manager_->Submit({.key = KeyOf("c")}, request)->name, name);
  const store::RequestKey other{.method = "CreateJob", .request_id = "r", .fingerprint = "g"};
  EXPECT_TRUE(absl::IsAlreadyExists(manager_->Submit({.key = KeyOf("c")}, other).status()));
}

TEST_F(JobManagerTest, TakenIdAndNegativeLimitAreRefused) {
  Start(GatedRunner());
  Submit("a");
  EXPECT_TRUE(absl::IsAlreadyExists(manager_->Submit({.key = KeyOf("a")}, kNoRequest).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(manager_->Submit({.key = KeyOf("b"), .time_limit_ms = -1}, kNoRequest).status()));
}

// Places in the queue are neither lost nor given twice when many submit at once.
TEST_F(JobManagerTest, ConcurrentSubmitsRespectTheLimit) {
  Start(GatedRunner(), {.max_queued = 8});
  Submit("running");
  gate_.AwaitArrivals(1);
  std::atomic<int> accepted = 0;
  std::vector<std::jthread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&] {
      for (int i = 0; i < 5; ++i) accepted += manager_->Submit({.key = {.project = "p"}}, kNoRequest).ok() ? 1 : 0;
    });
  }
  clients.clear();
  EXPECT_EQ(accepted, 8);
  EXPECT_EQ(manager_->Stats().queued, 8);
}

// ---- cancelling ----

TEST_F(JobManagerTest, QueuedJobIsCancelledAtOnceAndNeverRuns) {
  std::mutex mutex;
  std::set<std::string> ran;
  Start([&](const JobRecord& job, const RunContext& context) -> absl::StatusOr<JobResult> {
    {
      const std::scoped_lock lock(mutex);
      ran.insert(job.key.id);
    }
    BITPLAN_RETURN_IF_ERROR(gate_.Pass(context.stop));
    return JobResult{};
  });
  for (const char* id : {"a", "b", "c"}) Submit(id);
  gate_.AwaitArrivals(1);
  EXPECT_EQ(manager_->Cancel(KeyOf("b"))->record.state, JobState::kCancelled);
  EXPECT_EQ(manager_->Stats().queued, 1);
  gate_.Open();
  EXPECT_EQ(AwaitEnd("c").state, JobState::kSucceeded);
  EXPECT_FALSE(ran.contains("b"));
}

TEST_F(JobManagerTest, RunningJobIsAskedToStop) {
  Start(GatedRunner());
  Submit("a");
  gate_.AwaitArrivals(1);
  const auto view = manager_->Cancel(KeyOf("a"));
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_TRUE(view->record.cancel_requested);
  const JobRecord job = AwaitEnd("a");
  EXPECT_EQ(job.state, JobState::kCancelled);
  EXPECT_TRUE(job.error.ok());
}

TEST_F(JobManagerTest, CancelIsIdempotentWhileRunningAndRefusedAfterwards) {
  Gate slow;
  Start([&](const JobRecord&, const RunContext& context) -> absl::StatusOr<JobResult> {
    BITPLAN_RETURN_IF_ERROR(slow.Pass({}));  // does not notice a stop request here
    return context.CheckStop().ok() ? absl::StatusOr<JobResult>(JobResult{}) : context.CheckStop();
  });
  Submit("a");
  slow.AwaitArrivals(1);
  for (int i = 0; i < 3; ++i) {
    const auto view = manager_->Cancel(KeyOf("a"));
    ASSERT_TRUE(view.ok()) << view.status();
    EXPECT_EQ(view->record.state, JobState::kRunning);
    EXPECT_EQ(view->record.sequence, 3);
  }
  slow.Open();
  EXPECT_EQ(AwaitEnd("a").state, JobState::kCancelled);
  EXPECT_TRUE(absl::IsFailedPrecondition(manager_->Cancel(KeyOf("a")).status()));
  EXPECT_TRUE(absl::IsNotFound(manager_->Cancel(KeyOf("none")).status()));
}

TEST_F(JobManagerTest, CancelAtAnyMomentEndsTheJobOnce) {
  Start(
      [](const JobRecord&, const RunContext& context) -> absl::StatusOr<JobResult> {
        for (int i = 0; i < 100; ++i) BITPLAN_RETURN_IF_ERROR(context.CheckStop());
        return JobResult{};
      },
      {.num_workers = 2});
  for (int i = 0; i < 30; ++i) {
    const std::string id = std::to_string(i);
    Submit(id);
    const std::jthread canceller([&] { manager_->Cancel(KeyOf(id)).IgnoreError(); });
    const std::vector<WatchEvent> events = WatchToEnd(id);
    EXPECT_TRUE(IsTerminal(events.back().event.state));
    const std::vector<JobState> states = States(events);
    EXPECT_EQ(std::ranges::count_if(states, &store::IsTerminal), 1);
  }
}

// ---- watching ----

TEST_F(JobManagerTest, WatcherSeesEveryStateOnceAndTheTerminalOneLast) {
  Start(GatedRunner());
  Submit("a");
  const auto watcher = *manager_->Watch(KeyOf("a"), 0);
  std::vector<WatchEvent> events;
  events.push_back(*watcher->Next(hours(1)));
  EXPECT_EQ(events.back().event.state, JobState::kQueued);
  events.push_back(*watcher->Next(hours(1)));
  EXPECT_EQ(events.back().event.state, JobState::kRunning);
  gate_.Open();
  events.push_back(*watcher->Next(hours(1)));
  EXPECT_EQ(events.back().event.state, JobState::kSucceeded);
  EXPECT_EQ(events.back().record.result, "spec of a");
  EXPECT_THAT(StateSequences(events), ElementsAre(1, 2, 3));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(watcher->Next(hours(1))->kind, Kind::kEnd);
}

TEST_F(JobManagerTest, WatchResumesAfterAnySequence) {
  gate_.Open();
  Start(GatedRunner());
  Submit("a");
  AwaitEnd("a");
  EXPECT_THAT(StateSequences(WatchToEnd("a", 0)), ElementsAre(1, 2, 3));
  EXPECT_THAT(StateSequences(WatchToEnd("a", 1)), ElementsAre(2, 3));
  EXPECT_THAT(StateSequences(WatchToEnd("a", 2)), ElementsAre(3));
  EXPECT_THAT(StateSequences(WatchToEnd("a", 3)), IsEmpty());
  EXPECT_TRUE(absl::IsInvalidArgument(manager_->Watch(KeyOf("a"), 4).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(manager_->Watch(KeyOf("a"), -1).status()));
  EXPECT_TRUE(absl::IsNotFound(manager_->Watch(KeyOf("none"), 0).status()));
}

TEST_F(JobManagerTest, IdleWatcherGetsBookmarks) {
  Start(GatedRunner());
  Submit("a");
  gate_.AwaitArrivals(1);
  const auto watcher = *manager_->Watch(KeyOf("a"), 2);
  for (int i = 0; i < 2; ++i) {
    const auto event = watcher->Next(milliseconds(1));
    ASSERT_TRUE(event.ok());
    EXPECT_EQ(event->kind, Kind::kBookmark);
    EXPECT_EQ(event->sequence, 2);
  }
}

TEST_F(JobManagerTest, ProgressReachesWatchersAndViews) {
  Start([this](const JobRecord&, const RunContext& context) -> absl::StatusOr<JobResult> {
    context.Report({.stage = "trace", .fraction = 0.25, .layer = 3, .num_layers = 12, .layer_name = "conv2"});
    BITPLAN_RETURN_IF_ERROR(gate_.Pass(context.stop));
    return JobResult{};
  });
  Submit("a");
  gate_.AwaitArrivals(1);
  const auto watcher = *manager_->Watch(KeyOf("a"), 2);
  const auto event = watcher->Next(hours(1));
  ASSERT_TRUE(event.ok());
  EXPECT_EQ(event->kind, Kind::kProgress);
  EXPECT_EQ(event->progress.progress.layer_name, "conv2");
  EXPECT_EQ(event->progress.attempt, 1);
  EXPECT_EQ(manager_->Get(KeyOf("a"))->progress->progress.layer, 3);
  EXPECT_EQ(manager_->List("p", {JobState::kRunning}, {})->items.at(0).progress->progress.num_layers, 12);
  gate_.Open();
  AwaitEnd("a");
  EXPECT_FALSE(manager_->Get(KeyOf("a"))->progress.has_value());
}

// The reader sleeps through thousands of reports: it gets the newest one only, and every state change.
TEST_F(JobManagerTest, SlowReaderLosesProgressButNoState) {
  constexpr int kReports = 5000;
  Start([this](const JobRecord&, const RunContext& context) -> absl::StatusOr<JobResult> {
    for (int i = 1; i <= kReports; ++i) context.Report({.stage = "trace", .probes = i});
    BITPLAN_RETURN_IF_ERROR(gate_.Pass(context.stop));
    return JobResult{};
  });
  Submit("a");
  const auto watcher = *manager_->Watch(KeyOf("a"), 0);
  gate_.AwaitArrivals(1);
  EXPECT_EQ(watcher->Next(hours(1))->sequence, 1);
  EXPECT_EQ(watcher->Next(hours(1))->sequence, 2);
  EXPECT_EQ(watcher->Next(hours(1))->progress.progress.probes, kReports);
  gate_.Open();
  EXPECT_EQ(watcher->Next(hours(1))->event.state, JobState::kSucceeded);
}

TEST_F(JobManagerTest, VanishedClientIsWoken) {
  Start(GatedRunner());
  Submit("a");
  gate_.AwaitArrivals(1);
  const auto watcher = *manager_->Watch(KeyOf("a"), 2);
  std::stop_source stop;
  {
    const std::jthread client([&] { stop.request_stop(); });
    EXPECT_TRUE(absl::IsCancelled(watcher->Next(hours(1), stop.get_token()).status()));
  }
  EXPECT_EQ(watcher->Next(milliseconds(0))->kind, Kind::kBookmark) << "a stop token is for one call";
  {
    const std::jthread closer([&] { watcher->Close(); });
    EXPECT_TRUE(absl::IsCancelled(watcher->Next(hours(1)).status()));
  }
  EXPECT_TRUE(absl::IsCancelled(watcher->Next(hours(1)).status()));
}

// Many watchers over many jobs that are cancelled, fail and succeed: each sees 1, 2, 3, .. without gap or repetition,
// states never go back, and the terminal event is last.
TEST_F(JobManagerTest, ManyWatchersSeeTheSameStory) {
  Start(
      [](const JobRecord& job, const RunContext& context) -> absl::StatusOr<JobResult> {
        for (int i = 0; i < 200; ++i) {
          BITPLAN_RETURN_IF_ERROR(context.CheckStop());
          context.Report({.stage = "trace", .fraction = i / 200.0});
        }
        if (job.order % 3 == 0) return Internal("no luck");
        return JobResult{};
      },
      {.num_workers = 2, .max_queued = 100});
  constexpr int kJobs = 20;
  for (int i = 0; i < kJobs; ++i) Submit(std::to_string(i));
  std::vector<std::jthread> watchers;
  for (int w = 0; w < 4; ++w) {
    watchers.emplace_back([&, w] {
      for (int i = w; i < kJobs + w; ++i) {
        const std::vector<WatchEvent> events = WatchToEnd(std::to_string(i % kJobs));
        const std::vector<int64_t> sequences = StateSequences(events);
        for (size_t s = 0; s < sequences.size(); ++s) EXPECT_EQ(sequences[s], static_cast<int64_t>(s) + 1);
        EXPECT_TRUE(std::ranges::is_sorted(States(events)));
        EXPECT_EQ(events.back().kind, Kind::kState);
        EXPECT_TRUE(IsTerminal(events.back().event.state));
      }
    });
  }
  for (int i = 0; i < kJobs; i += 4) manager_->Cancel(KeyOf(std::to_string(i))).IgnoreError();
  watchers.clear();
}

// ---- draining and restart ----

TEST_F(JobManagerTest, DrainLetsRunningJobsFinish) {
  Start(GatedRunner());
  Submit("running");
  gate_.AwaitArrivals(1);
  Submit("queued");
  std::jthread drainer([&] { manager_->Drain(hours(1)); });
  while (!manager_->Stats().draining) std::this_thread::yield();
  EXPECT_TRUE(absl::IsUnavailable(manager_->Submit({.key = KeyOf("late")}, kNoRequest).status()));
  gate_.Open();
  drainer.join();
  EXPECT_EQ(StateOf("running"), JobState::kSucceeded);
  EXPECT_EQ(StateOf("queued"), JobState::kQueued);
  EXPECT_EQ(manager_->Stats().running, 0);
}

TEST_F(JobManagerTest, DrainRequeuesWhatDoesNotFinishInTime) {
  Start(GatedRunner());
  Submit("a");
  gate_.AwaitArrivals(1);
  manager_->Drain(milliseconds(1));
  const JobRecord job = *store_->GetJob(KeyOf("a"));
  EXPECT_EQ(job.state, JobState::kRunning);
  EXPECT_TRUE(job.awaiting_worker);
  EXPECT_EQ(job.attempt, 2);
  gate_.Open();
  Restart(GatedRunner());
  const JobRecord done = AwaitEnd("a");
  EXPECT_EQ(done.state, JobState::kSucceeded);
  EXPECT_EQ(done.attempt, 2);
  EXPECT_EQ(done.crashes, 0) << "a drain is no crash";
}

TEST_F(JobManagerTest, DrainWakesWatchersAfterTheLastStateChange) {
  Start(GatedRunner());
  Submit("a");
  gate_.AwaitArrivals(1);
  const auto watcher = *manager_->Watch(KeyOf("a"), 2);
  const std::jthread drainer([&] { manager_->Drain(milliseconds(0)); });
  const auto requeued = watcher->Next(hours(1));
  ASSERT_TRUE(requeued.ok()) << requeued.status();
  EXPECT_EQ(requeued->sequence, 3);
  EXPECT_EQ(requeued->event.state, JobState::kRunning);
  EXPECT_EQ(requeued->event.attempt, 2);
  const absl::Status status = watcher->Next(hours(1)).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(MessageOf(status), HasSubstr("sequence 3"));
}

TEST_F(JobManagerTest, CancelDuringDrainIsHonoured) {
  Gate slow;
  Start([&](const JobRecord&, const RunContext& context) -> absl::StatusOr<JobResult> {
    BITPLAN_RETURN_IF_ERROR(slow.Pass({}));
    BITPLAN_RETURN_IF_ERROR(context.CheckStop());
    return JobResult{};
  });
  Submit("a");
  slow.AwaitArrivals(1);
  std::jthread drainer([&] { manager_->Drain(milliseconds(0)); });
  while (!manager_->Stats().draining) std::this_thread::yield();
  ASSERT_TRUE(manager_->Cancel(KeyOf("a")).ok());
  slow.Open();
  drainer.join();
  EXPECT_EQ(StateOf("a"), JobState::kCancelled);
}

TEST_F(JobManagerTest, SecondDrainWaitsForTheFirst) {
  Start(GatedRunner());
  Submit("a");
  gate_.AwaitArrivals(1);
  std::vector<std::jthread> drainers;
  for (int i = 0; i < 3; ++i) {
    drainers.emplace_back([&] {
      manager_->Drain(milliseconds(1));
      EXPECT_EQ(manager_->Stats().running, 0);
    });
  }
}

// As after kill -9: the store says RUNNING and nobody runs it.
TEST_F(JobManagerTest, RestartRunsWhatADeadProcessLeftInOrder) {
  for (const char* id : {"done", "crashed", "queued"}) {
    ASSERT_TRUE(store_->CreateJob({.key = KeyOf(id), .spec = id}, kNoRequest).ok());
  }
  for (const char* id : {"done", "crashed"}) ASSERT_TRUE(store_->StartJob(KeyOf(id), 1).ok());
  ASSERT_TRUE(store_->FinishJob(KeyOf("done"), 1, {.result = "kept"}).ok());
  std::mutex mutex;
  std::vector<std::string> order;
  Restart([&](const JobRecord& job, const RunContext&) -> absl::StatusOr<JobResult> {
    const std::scoped_lock lock(mutex);
    order.push_back(fmt::format("{} attempt {}", job.key.id, job.attempt));
    return JobResult{};
  });
  AwaitEnd("queued");
  EXPECT_THAT(order, ElementsAre("crashed attempt 2", "queued attempt 1"));
  EXPECT_EQ(AwaitEnd("done").result, "kept");
  // Whoever watched before the crash goes on without a gap and never sees the state go back.
  const std::vector<WatchEvent> events = WatchToEnd("crashed", 2);
  EXPECT_THAT(StateSequences(events), ElementsAre(3, 4, 5));
  EXPECT_THAT(States(events), ElementsAre(JobState::kRunning, JobState::kRunning, JobState::kSucceeded));
}

TEST_F(JobManagerTest, CheckpointsSpareTheSecondAttemptFinishedWork) {
  std::atomic<int> computed = 0;
  const Runner runner = [&](const JobRecord& job, const RunContext& context) {
    return SumProbes(job, context, &computed);
  };
  Start(runner);
  Submit("reference");
  AwaitEnd("reference");
  EXPECT_EQ(computed, kProbes);
  computed = 0;
  std::atomic<bool> interrupted = false;
  // The first attempt stops after seven probes, as a drain makes it.
  Restart([&](const JobRecord& job, const RunContext& context) -> absl::StatusOr<JobResult> {
    std::stop_source stop;
    RunContext until_seven = context;
    until_seven.stop = stop.get_token();
    until_seven.progress = [&](const Progress& progress) {
      if (progress.probes == 7) stop.request_stop();
    };
    EXPECT_TRUE(absl::IsCancelled(SumProbes(job, until_seven, &computed).status()));
    interrupted = true;
    return gate_.Pass(context.stop);
  });
  Submit("resumed");
  gate_.AwaitArrivals(1);
  manager_->Drain(milliseconds(0));
  EXPECT_TRUE(interrupted);
  EXPECT_EQ(computed, 7);
  Restart(runner);
  EXPECT_EQ(AwaitEnd("resumed").state, JobState::kSucceeded);
  EXPECT_EQ(computed, kProbes);
  const auto payload = [&](const char* id) {
    return store_->GetResource({.project = "p", .collection = "plans", .id = id})->payload;
  };
  EXPECT_EQ(payload("resumed"), payload("reference"));
}

TEST_F(JobManagerTest, RepeatedRestartsWithJobsInFlightLoseNone) {
  constexpr int kJobs = 12;
  std::atomic<int> computed = 0;
  const Runner runner = [&](const JobRecord& job, const RunContext& context) {
    return SumProbes(job, context, &computed);
  };
  Start(runner, {.num_workers = 2});
  for (int i = 0; i < kJobs; ++i) Submit(std::to_string(i));
  for (int restart = 0; restart < 4; ++restart) Restart(runner, {.num_workers = 2});
  for (int i = 0; i < kJobs; ++i) EXPECT_EQ(AwaitEnd(std::to_string(i)).state, JobState::kSucceeded);
  EXPECT_EQ(computed, kJobs * kProbes) << "no probe is computed twice";
}

// ---- lists ----

TEST_F(JobManagerTest, ListsByStateWithPages) {
  Start(GatedRunner());
  for (const char* id : {"a", "b", "c", "d"}) Submit(id);
  gate_.AwaitArrivals(1);
  ASSERT_TRUE(manager_->Cancel(KeyOf("c")).ok());
  const auto page = manager_->List("p", {JobState::kQueued}, {.page_size = 1});
  ASSERT_EQ(page->items.size(), 1);
  EXPECT_EQ(page->items[0].record.key.id, "b");
  const auto next = manager_->List("p", {JobState::kQueued}, {.page_size = 1, .page_token = page->next_page_token});
  EXPECT_EQ(next->items.at(0).record.key.id, "d");
  EXPECT_EQ(next->next_page_token, "");
  EXPECT_EQ(manager_->List("p", {}, {})->items.size(), 4);
  EXPECT_TRUE(absl::IsNotFound(manager_->Get(KeyOf("none")).status()));
}

}  // namespace
}  // namespace bitplan::jobs
