// What every store of the table must do, whatever database is behind it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "server/store/store_table.h"

namespace bitplan::store {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const RequestKey kNoRequest;

Resource MakeResource(std::string id, std::string payload = "payload") {
  return {.key = {.project = "p", .collection = "models", .id = std::move(id)},
          .digest = "d1",
          .payload = std::move(payload)};
}

JobKey KeyOf(std::string id) { return {.project = "p", .id = std::move(id)}; }

NewJob MakeJob(std::string id) { return {.key = KeyOf(std::move(id)), .spec = "spec"}; }

class StoreConformance : public ::testing::TestWithParam<std::string> {
 protected:
  StoreConformance() {
    std::string pattern = (fs::temp_directory_path() / "bitplan-store-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~StoreConformance() override {
    store_.reset();
    fs::remove_all(root_);
  }

  absl::StatusOr<std::unique_ptr<Store>> TryOpen() { return OpenStore(GetParam(), {.path = root_ / "store.db"}); }

  Store& Open() {
    store_.reset();
    absl::StatusOr<std::unique_ptr<Store>> store = TryOpen();
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    return *store_;
  }

  Store& OpenWithJob(const std::string& id) {
    Store& store = Open();
    EXPECT_TRUE(store.CreateJob(MakeJob(id), kNoRequest).ok());
    return store;
  }

  Store& OpenWithRunningJob(const std::string& id) {
    Store& store = OpenWithJob(id);
    EXPECT_TRUE(store.StartJob(KeyOf(id), 1).ok());
    return store;
  }

  fs::path root_;
  std::unique_ptr<Store> store_;
};

std::vector<std::string> IdsOf(const Page<Resource>& page) {
  std::vector<std::string> ids;
  for (const Resource& resource : page.items) ids.push_back(resource.key.id);
  return ids;
}

std::vector<std::string> IdsOf(const std::vector<JobRecord>& jobs) {
  std::vector<std::string> ids;
  for (const JobRecord& job : jobs) ids.push_back(job.key.id);
  return ids;
}

std::vector<int64_t> SequencesOf(const std::vector<JobEvent>& events) {
  std::vector<int64_t> sequences;
  for (const JobEvent& event : events) sequences.push_back(event.sequence);
  return sequences;
}

// ---- resources ----

TEST_P(StoreConformance, ResourceSurvivesReopen) {
  const std::string bytes("\0\x01\xff'; DROP TABLE resources; --", 31);
  const auto created = Open().CreateResource(MakeResource("a", bytes), kNoRequest);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->name, "projects/p/models/a");
  EXPECT_FALSE(created->reused);
  const auto got = Open().GetResource({.project = "p", .collection = "models", .id = "a"});
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->payload, bytes);
  EXPECT_EQ(got->digest, "d1");
  EXPECT_GT(got->create_time_us, int64_t{1'600'000'000'000'000});
}

TEST_P(StoreConformance, EmptyPayloadIsKept) {
  Store& store = Open();
  ASSERT_TRUE(store.CreateResource(MakeResource("a", ""), kNoRequest).ok());
  EXPECT_EQ(store.GetResource(MakeResource("a").key)->payload, "");
}

TEST_P(StoreConformance, KeyIsUniqueWithinProjectAndCollection) {
  Store& store = Open();
  ASSERT_TRUE(store.CreateResource(MakeResource("a", "first"), kNoRequest).ok());
  const auto again = store.CreateResource(MakeResource("a", "second"), kNoRequest);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->name, "projects/p/models/a");
  EXPECT_TRUE(again->reused);
  EXPECT_EQ(store.GetResource(MakeResource("a").key)->payload, "first");
  Resource other = MakeResource("a");
  other.key.project = "q";
  EXPECT_TRUE(store.CreateResource(other, kNoRequest).ok());
  other.key.collection = "plans";
  EXPECT_TRUE(store.CreateResource(other, kNoRequest).ok());
}

TEST_P(StoreConformance, IncompleteKeysAreRefused) {
  Store& store = Open();
  for (const ResourceKey& key : {ResourceKey{"", "models", "a"}, {"p", "", "a"}, {"p", "models", ""}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(store.CreateResource({.key = key}, kNoRequest).status()));
  }
  EXPECT_TRUE(absl::IsInvalidArgument(store.CreateJob({.key = {"p", ""}}, kNoRequest).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(store.CreateJob({.key = {"", "j"}}, kNoRequest).status()));
}

TEST_P(StoreConformance, MissingResourceIsNotFound) {
  Store& store = Open();
  const ResourceKey key{.project = "p", .collection = "models", .id = "none"};
  EXPECT_TRUE(absl::IsNotFound(store.GetResource(key).status()));
  EXPECT_TRUE(absl::IsNotFound(store.DeleteResource(key)));
}

TEST_P(StoreConformance, DeleteIsDurableAndCounted) {
  Store& store = Open();
  ASSERT_TRUE(store.CreateResource(MakeResource("a"), kNoRequest).ok());
  ASSERT_TRUE(store.CreateResource(MakeResource("b"), kNoRequest).ok());
  EXPECT_EQ(*store.CountResourcesWithDigest("d1"), 2);
  EXPECT_EQ(*store.CountResourcesWithDigest("other"), 0);
  ASSERT_TRUE(store.DeleteResource(MakeResource("a").key).ok());
  EXPECT_TRUE(absl::IsNotFound(Open().GetResource(MakeResource("a").key).status()));
  EXPECT_EQ(*store_->CountResourcesWithDigest("d1"), 1);
}

// ---- request ids ----

TEST_P(StoreConformance, SameRequestSameContentGivesTheEarlierName) {
  const RequestKey request{.method = "CreateModel", .request_id = "r1", .fingerprint = "f1"};
  ASSERT_TRUE(Open().CreateResource(MakeResource("a"), request).ok());
  Store& store = Open();
  const auto again = store.CreateResource(MakeResource("b"), request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->name, "projects/p/models/a");
  EXPECT_TRUE(again->reused);
  EXPECT_EQ(*store.FindRequest("p", request), "projects/p/models/a");
  EXPECT_TRUE(absl::IsNotFound(store.GetResource(MakeResource("b").key).status()));
}

TEST_P(StoreConformance, SameRequestOtherContentIsRefused) {
  Store& store = Open();
  RequestKey request{.method = "CreateModel", .request_id = "r1", .fingerprint = "f1"};
  ASSERT_TRUE(store.CreateResource(MakeResource("a"), request).ok());
  request.fingerprint = "f2";
  const absl::Status status = store.CreateResource(MakeResource("b"), request).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status));
  EXPECT_THAT(MessageOf(status), HasSubstr("r1"));
  EXPECT_TRUE(absl::IsAlreadyExists(store.FindRequest("p", request).status()));
}

TEST_P(StoreConformance, RequestIdsAreApartByProjectAndMethod) {
  Store& store = Open();
  RequestKey request{.method = "CreateModel", .request_id = "r1", .fingerprint = "f1"};
  ASSERT_TRUE(store.CreateResource(MakeResource("a"), request).ok());
  EXPECT_TRUE(absl::IsNotFound(store.FindRequest("q", request).status()));
  request.method = "CreateJob";
  EXPECT_FALSE(store.CreateJob(MakeJob("j"), request)->reused);
  EXPECT_TRUE(store.CreateJob(MakeJob("k"), request)->reused);
}

TEST_P(StoreConformance, RefusedCreationLeavesItsRequestIdFree) {
  Store& store = Open();
  ASSERT_TRUE(store.CreateJob(MakeJob("a"), kNoRequest).ok());
  const RequestKey request{.method = "CreateJob", .request_id = "r1", .fingerprint = "f1"};
  const absl::Status again = store.CreateJob(MakeJob("a"), request).status();
  EXPECT_TRUE(absl::IsAlreadyExists(again));
  EXPECT_THAT(MessageOf(again), HasSubstr("projects/p/jobs/a"));
  EXPECT_TRUE(absl::IsNotFound(store.FindRequest("p", request).status()));
  EXPECT_FALSE(store.CreateJob(MakeJob("b"), request)->reused);
}

TEST_P(StoreConformance, ARequestThatFoundItsResourceThereIsNotedToo) {
  Store& store = Open();
  ASSERT_TRUE(store.CreateResource(MakeResource("a"), kNoRequest).ok());
  RequestKey request{.method = "CreateModel", .request_id = "r1", .fingerprint = "f1"};
  EXPECT_TRUE(store.CreateResource(MakeResource("a"), request)->reused);
  EXPECT_EQ(*store.FindRequest("p", request), "projects/p/models/a");
  request.fingerprint = "f2";
  EXPECT_TRUE(absl::IsAlreadyExists(store.CreateResource(MakeResource("b"), request).status()));
}

TEST_P(StoreConformance, EmptyRequestIdIsNeverShared) {
  Store& store = Open();
  EXPECT_FALSE(store.CreateResource(MakeResource("a"), kNoRequest)->reused);
  EXPECT_FALSE(store.CreateResource(MakeResource("b"), kNoRequest)->reused);
}

// The same request from many clients at once creates one job.
TEST_P(StoreConformance, ConcurrentRepeatsCreateOne) {
  Store& store = Open();
  const RequestKey request{.method = "CreateJob", .request_id = "r1", .fingerprint = "f1"};
  std::atomic<int> fresh = 0;
  std::vector<std::jthread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 5; ++i) {
        const auto created = store.CreateJob(MakeJob(fmt::format("{}-{}", client, i)), request);
        ASSERT_TRUE(created.ok()) << created.status();
        fresh += created->reused ? 0 : 1;
      }
    });
  }
  clients.clear();
  EXPECT_EQ(fresh, 1);
  EXPECT_EQ(store.ListJobs("p", {}, {})->items.size(), 1);
}

// ---- lists ----

std::vector<std::string> ListAll(Store& store, int64_t page_size, bool newest_first) {
  std::vector<std::string> ids;
  ListOptions options{.page_size = page_size, .newest_first = newest_first};
  do {
    const absl::StatusOr<Page<Resource>> page = store.ListResources("p", "models", options);
    EXPECT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->items.size(), page_size);
    for (const std::string& id : IdsOf(*page)) ids.push_back(id);
    options.page_token = page->next_page_token;
  } while (!options.page_token.empty());
  return ids;
}

TEST_P(StoreConformance, PagesCoverTheListOnceInOrderOfCreation) {
  Store& store = Open();
  EXPECT_THAT(ListAll(store, 3, false), IsEmpty());
  for (const char* id : {"e", "a", "d", "b", "c", "f"})
    ASSERT_TRUE(store.CreateResource(MakeResource(id), kNoRequest).ok());
  Resource elsewhere = MakeResource("x");
  elsewhere.key.collection = "plans";
  ASSERT_TRUE(store.CreateResource(elsewhere, kNoRequest).ok());
  for (int64_t page_size : {1, 2, 3, 6, 7}) {
    EXPECT_THAT(ListAll(store, page_size, false), ElementsAre("e", "a", "d", "b", "c", "f"));
    EXPECT_THAT(ListAll(store, page_size, true), ElementsAre("f", "c", "b", "d", "a", "e"));
  }
}

TEST_P(StoreConformance, LastPageHasNoToken) {
  Store& store = Open();
  for (const char* id : {"a", "b"}) ASSERT_TRUE(store.CreateResource(MakeResource(id), kNoRequest).ok());
  EXPECT_EQ(store.ListResources("p", "models", {.page_size = 2})->next_page_token, "");
}

TEST_P(StoreConformance, TokenOfAnotherListIsRefused) {
  Store& store = Open();
  for (const char* id : {"a", "b"}) {
    ASSERT_TRUE(store.CreateResource(MakeResource(id), kNoRequest).ok());
    ASSERT_TRUE(store.CreateJob(MakeJob(id), kNoRequest).ok());
  }
  const std::string token = store.ListResources("p", "models", {.page_size = 1})->next_page_token;
  ASSERT_NE(token, "");
  const ListOptions options{.page_token = token};
  EXPECT_TRUE(store.ListResources("p", "models", options).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(store.ListResources("q", "models", options).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(store.ListResources("p", "plans", options).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(store.ListJobs("p", {}, options).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      store.ListResources("p", "models", {.page_token = token, .newest_first = true}).status()));
  const std::string jobs = store.ListJobs("p", {JobState::kQueued}, {.page_size = 1})->next_page_token;
  EXPECT_TRUE(store.ListJobs("p", {JobState::kQueued}, {.page_token = jobs}).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(store.ListJobs("p", {JobState::kFailed}, {.page_token = jobs}).status()));
}

TEST_P(StoreConformance, NegativePageSizeIsRefused) {
  Store& store = Open();
  EXPECT_TRUE(absl::IsInvalidArgument(store.ListResources("p", "models", {.page_size = -1}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(store.ListJobs("p", {}, {.page_size = -1}).status()));
}

TEST_P(StoreConformance, PageEndsEarlyWhenItsBytesAreMany) {
  Store& store = Open();
  const std::string large(static_cast<size_t>(kMaxPageBytes / 2), 'x');
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(store.CreateResource(MakeResource(id, large), kNoRequest).ok());
  const std::string huge(static_cast<size_t>(2 * kMaxPageBytes), 'x');
  ASSERT_TRUE(store.CreateResource(MakeResource("d", huge), kNoRequest).ok());
  EXPECT_THAT(IdsOf(*store.ListResources("p", "models", {})), ElementsAre("a", "b"));
  EXPECT_THAT(ListAll(store, 10, false), ElementsAre("a", "b", "c", "d"));
}

// A listing goes page by page while others create and delete; the rows that are there all along appear exactly once.
TEST_P(StoreConformance, ListingIsExactUnderConcurrentChanges) {
  Store& store = Open();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(store.CreateResource(MakeResource(fmt::format("stays-{:02}", i)), kNoRequest).ok());
    ASSERT_TRUE(store.CreateResource(MakeResource(fmt::format("goes-{:02}", i)), kNoRequest).ok());
  }
  std::atomic<bool> done = false;
  std::jthread changer([&] {
    for (int i = 0; !done; ++i) {
      ASSERT_TRUE(store.CreateResource(MakeResource(fmt::format("new-{}", i)), kNoRequest).ok());
      if (i < 20) {
        ASSERT_TRUE(store.DeleteResource(MakeResource(fmt::format("goes-{:02}", i)).key).ok());
      }
    }
  });
  for (int round = 0; round < 10; ++round) {
    for (bool newest_first : {false, true}) {
      std::vector<std::string> ids = ListAll(store, 3, newest_first);
      EXPECT_EQ(std::ranges::count_if(ids, [](const std::string& id) { return id.starts_with("stays-"); }), 20);
      EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), ids.size()) << "no row twice";
    }
    if (round == 9) done = true;
  }
}

// ---- jobs ----

TEST_P(StoreConformance, JobSurvivesReopenAtEachState) {
  NewJob job = MakeJob("j");
  job.time_limit_ms = 5000;
  ASSERT_TRUE(Open().CreateJob(job, kNoRequest).ok());
  JobRecord record = *Open().GetJob(KeyOf("j"));
  EXPECT_EQ(record.state, JobState::kQueued);
  EXPECT_EQ(record.spec, "spec");
  EXPECT_EQ(record.time_limit_ms, 5000);
  EXPECT_EQ(record.attempt, 1);
  EXPECT_EQ(record.sequence, 1);
  ASSERT_TRUE(store_->StartJob(KeyOf("j"), 1).ok());
  record = *Open().GetJob(KeyOf("j"));
  EXPECT_EQ(record.state, JobState::kRunning);
  EXPECT_GE(record.start_time_us, record.create_time_us);
  ASSERT_TRUE(store_->FinishJob(KeyOf("j"), 1, {.state = JobState::kFailed, .error = Unimplemented("op 'Foo'")}).ok());
  record = *Open().GetJob(KeyOf("j"));
  EXPECT_EQ(record.state, JobState::kFailed);
  EXPECT_EQ(record.error, Unimplemented("op 'Foo'"));
  EXPECT_GE(record.end_time_us, record.start_time_us);
}

TEST_P(StoreConformance, MissingJobIsNotFound) {
  Store& store = Open();
  EXPECT_TRUE(absl::IsNotFound(store.GetJob(KeyOf("j")).status()));
  EXPECT_TRUE(absl::IsNotFound(store.StartJob(KeyOf("j"), 1).status()));
  EXPECT_TRUE(absl::IsNotFound(store.FinishJob(KeyOf("j"), 1, {}).status()));
  EXPECT_TRUE(absl::IsNotFound(store.RequeueJob(KeyOf("j"), 1).status()));
  EXPECT_TRUE(absl::IsNotFound(store.RequestCancel(KeyOf("j")).status()));
  EXPECT_TRUE(absl::IsNotFound(store.ListJobEvents(KeyOf("j"), 0).status()));
  EXPECT_TRUE(absl::IsNotFound(store.SaveCheckpoint(KeyOf("j"), 1, "c", "v")));
}

TEST_P(StoreConformance, FinishCreatesItsResourcesInTheSameTransaction) {
  Store& store = OpenWithRunningJob("j");
  ASSERT_TRUE(store.CreateResource(MakeResource("old", "kept"), kNoRequest).ok());
  const JobOutcome outcome{.result = "projects/p/models/new",
                           .resources = {MakeResource("old", "lost"), MakeResource("new")}};
  EXPECT_TRUE(absl::IsFailedPrecondition(store.FinishJob(KeyOf("j"), 2, outcome).status()));
  EXPECT_TRUE(absl::IsNotFound(store.GetResource(MakeResource("new").key).status()));
  ASSERT_TRUE(store.FinishJob(KeyOf("j"), 1, outcome).ok());
  EXPECT_EQ(store.GetJob(KeyOf("j"))->result, "projects/p/models/new");
  EXPECT_TRUE(store.GetResource(MakeResource("new").key).ok());
  EXPECT_EQ(store.GetResource(MakeResource("old").key)->payload, "kept");
}

TEST_P(StoreConformance, RefusedTransitionLeavesNoEvent) {
  Store& store = OpenWithRunningJob("j");
  EXPECT_TRUE(absl::IsFailedPrecondition(store.StartJob(KeyOf("j"), 1).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(store.FinishJob(KeyOf("j"), 7, {}).status()));
  EXPECT_THAT(SequencesOf(*store.ListJobEvents(KeyOf("j"), 0)), ElementsAre(1, 2));
}

TEST_P(StoreConformance, EventsTellTheWholeStoryInOrder) {
  Store& store = OpenWithRunningJob("j");
  ASSERT_TRUE(store.RequeueJob(KeyOf("j"), 1).ok());
  ASSERT_TRUE(store.StartJob(KeyOf("j"), 2).ok());
  ASSERT_TRUE(store.RequestCancel(KeyOf("j")).ok());
  ASSERT_TRUE(store.RequestCancel(KeyOf("j")).ok());
  ASSERT_TRUE(store.FinishJob(KeyOf("j"), 2, {.state = JobState::kCancelled}).ok());
  const std::vector<JobEvent> events = *Open().ListJobEvents(KeyOf("j"), 0);
  EXPECT_THAT(SequencesOf(events), ElementsAre(1, 2, 3, 4, 5, 6));
  std::vector<JobState> states;
  std::vector<int64_t> attempts;
  for (const JobEvent& event : events) {
    states.push_back(event.state);
    attempts.push_back(event.attempt);
  }
  using enum JobState;
  EXPECT_THAT(states, ElementsAre(kQueued, kRunning, kRunning, kRunning, kRunning, kCancelled));
  EXPECT_THAT(attempts, ElementsAre(1, 1, 2, 2, 2, 2));
  EXPECT_TRUE(std::ranges::is_sorted(states)) << "never backwards";
  EXPECT_TRUE(events[2].awaiting_worker);
  EXPECT_TRUE(events[4].cancel_requested);
  EXPECT_THAT(SequencesOf(*store_->ListJobEvents(KeyOf("j"), 4)), ElementsAre(5, 6));
  EXPECT_THAT(SequencesOf(*store_->ListJobEvents(KeyOf("j"), 6)), IsEmpty());
}

TEST_P(StoreConformance, JobsAreListedByState) {
  Store& store = Open();
  for (const char* id : {"a", "b", "c", "d"}) ASSERT_TRUE(store.CreateJob(MakeJob(id), kNoRequest).ok());
  ASSERT_TRUE(store.StartJob(KeyOf("b"), 1).ok());
  ASSERT_TRUE(store.RequestCancel(KeyOf("c")).ok());
  EXPECT_THAT(IdsOf(store.ListJobs("p", {}, {})->items), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(IdsOf(store.ListJobs("p", {JobState::kQueued}, {})->items), ElementsAre("a", "d"));
  EXPECT_THAT(IdsOf(store.ListJobs("p", {JobState::kCancelled, JobState::kRunning}, {})->items), ElementsAre("b", "c"));
  EXPECT_THAT(IdsOf(store.ListJobs("p", {}, {.page_size = 2, .newest_first = true})->items), ElementsAre("d", "c"));
  EXPECT_THAT(IdsOf(store.ListJobs("q", {}, {})->items), IsEmpty());
}

TEST_P(StoreConformance, FilterIsTheSameInAnyOrderOfStates) {
  Store& store = Open();
  for (const char* id : {"a", "b"}) ASSERT_TRUE(store.CreateJob(MakeJob(id), kNoRequest).ok());
  const std::string token =
      store.ListJobs("p", {JobState::kQueued, JobState::kRunning}, {.page_size = 1})->next_page_token;
  EXPECT_THAT(IdsOf(store.ListJobs("p", {JobState::kRunning, JobState::kQueued}, {.page_token = token})->items),
              ElementsAre("b"));
}

TEST_P(StoreConformance, RecoverRequeuesWhatADeadProcessLeft) {
  Store& store = Open();
  for (const char* id : {"done", "ran", "cancelling", "queued", "drained"}) {
    ASSERT_TRUE(store.CreateJob(MakeJob(id), kNoRequest).ok());
  }
  for (const char* id : {"done", "ran", "cancelling", "drained"}) ASSERT_TRUE(store.StartJob(KeyOf(id), 1).ok());
  ASSERT_TRUE(store.FinishJob(KeyOf("done"), 1, {}).ok());
  ASSERT_TRUE(store.RequestCancel(KeyOf("cancelling")).ok());
  ASSERT_TRUE(store.RequeueJob(KeyOf("drained"), 1).ok());
  const auto waiting = Open().RecoverJobs(3);
  ASSERT_TRUE(waiting.ok()) << waiting.status();
  EXPECT_THAT(IdsOf(*waiting), ElementsAre("ran", "queued", "drained"));
  EXPECT_EQ(store_->GetJob(KeyOf("ran"))->attempt, 2);
  EXPECT_EQ(store_->GetJob(KeyOf("ran"))->crashes, 1);
  EXPECT_EQ(store_->GetJob(KeyOf("ran"))->state, JobState::kRunning);
  EXPECT_EQ(store_->GetJob(KeyOf("drained"))->attempt, 2);
  EXPECT_EQ(store_->GetJob(KeyOf("drained"))->crashes, 0);
  EXPECT_EQ(store_->GetJob(KeyOf("cancelling"))->state, JobState::kCancelled);
  EXPECT_EQ(store_->GetJob(KeyOf("done"))->state, JobState::kSucceeded);
  EXPECT_TRUE(absl::IsFailedPrecondition(store_->FinishJob(KeyOf("ran"), 1, {}).status())) << "the old worker";
}

TEST_P(StoreConformance, RecoverGivesUpAfterMaxCrashes) {
  OpenWithRunningJob("j");
  ASSERT_THAT(IdsOf(*Open().RecoverJobs(2)), ElementsAre("j"));
  ASSERT_TRUE(store_->StartJob(KeyOf("j"), 2).ok());
  EXPECT_THAT(IdsOf(*Open().RecoverJobs(2)), IsEmpty());
  EXPECT_EQ(store_->GetJob(KeyOf("j"))->state, JobState::kFailed);
}

// ---- checkpoints ----

TEST_P(StoreConformance, CheckpointsLiveUntilTheJobEnds) {
  Store& store = OpenWithRunningJob("j");
  EXPECT_TRUE(absl::IsNotFound(store.LoadCheckpoint(KeyOf("j"), "layer 1").status()));
  ASSERT_TRUE(store.SaveCheckpoint(KeyOf("j"), 1, "layer 1", "old").ok());
  ASSERT_TRUE(store.SaveCheckpoint(KeyOf("j"), 1, "layer 1", std::string("\0new", 4)).ok());
  ASSERT_TRUE(store.SaveCheckpoint(KeyOf("j"), 1, "layer 2", "").ok());
  EXPECT_EQ(*store.LoadCheckpoint(KeyOf("j"), "layer 1"), std::string("\0new", 4));
  ASSERT_TRUE(Open().RecoverJobs(3).ok());
  EXPECT_EQ(*store_->LoadCheckpoint(KeyOf("j"), "layer 1"), std::string("\0new", 4));
  EXPECT_EQ(*store_->LoadCheckpoint(KeyOf("j"), "layer 2"), "");
  ASSERT_TRUE(store_->StartJob(KeyOf("j"), 2).ok());
  ASSERT_TRUE(store_->FinishJob(KeyOf("j"), 2, {}).ok());
  EXPECT_TRUE(absl::IsNotFound(store_->LoadCheckpoint(KeyOf("j"), "layer 1").status()));
}

TEST_P(StoreConformance, CheckpointsOfJobsAreApart) {
  Store& store = OpenWithRunningJob("j");
  ASSERT_TRUE(store.CreateJob(MakeJob("k"), kNoRequest).ok());
  ASSERT_TRUE(store.SaveCheckpoint(KeyOf("j"), 1, "c", "j's").ok());
  EXPECT_TRUE(absl::IsNotFound(store.LoadCheckpoint(KeyOf("k"), "c").status()));
}

TEST_P(StoreConformance, OnlyTheRunningAttemptSavesCheckpoints) {
  Store& store = OpenWithJob("j");
  EXPECT_TRUE(absl::IsFailedPrecondition(store.SaveCheckpoint(KeyOf("j"), 1, "c", "v")));
  ASSERT_TRUE(store.StartJob(KeyOf("j"), 1).ok());
  ASSERT_TRUE(store.SaveCheckpoint(KeyOf("j"), 1, "c", "first").ok());
  ASSERT_TRUE(store.RequeueJob(KeyOf("j"), 1).ok());
  ASSERT_TRUE(store.StartJob(KeyOf("j"), 2).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(store.SaveCheckpoint(KeyOf("j"), 1, "c", "late")));
  EXPECT_EQ(*store.LoadCheckpoint(KeyOf("j"), "c"), "first");
  const std::string too_large(static_cast<size_t>(kMaxCheckpointBytes + 1), 'x');
  EXPECT_TRUE(absl::IsResourceExhausted(store.SaveCheckpoint(KeyOf("j"), 2, "c", too_large)));
}

// ---- threads, processes, crashes ----

TEST_P(StoreConformance, ConcurrentWritersAndReadersAgree) {
  Store& store = Open();
  constexpr int kWriters = 4;
  constexpr int kEach = 25;
  std::vector<std::jthread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      for (int i = 0; i < kEach; ++i) {
        const std::string id = fmt::format("{}-{}", writer, i);
        ASSERT_TRUE(store.CreateJob(MakeJob(id), kNoRequest).ok());
        ASSERT_EQ(store.GetJob(KeyOf(id))->state, JobState::kQueued) << "a change is visible once acknowledged";
        ASSERT_TRUE(store.StartJob(KeyOf(id), 1).ok());
        ASSERT_TRUE(store.SaveCheckpoint(KeyOf(id), 1, "c", id).ok());
        ASSERT_EQ(*store.LoadCheckpoint(KeyOf(id), "c"), id);
        ASSERT_TRUE(absl::IsAlreadyExists(store.CreateJob(MakeJob(id), kNoRequest).status()));
      }
    });
  }
  threads.clear();
  EXPECT_EQ(store.ListJobs("p", {JobState::kRunning}, {.page_size = 1000})->items.size(), kWriters * kEach);
}

TEST_P(StoreConformance, SecondServerIsRefused) {
  Open();
  const absl::Status second = TryOpen().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second));
  EXPECT_THAT(MessageOf(second), HasSubstr("another server"));
  EXPECT_THAT(MessageOf(second), HasSubstr(std::to_string(getpid())));
  store_.reset();
  EXPECT_TRUE(TryOpen().ok());
}

TEST_P(StoreConformance, MissingFolderIsAnError) {
  EXPECT_FALSE(OpenStore(GetParam(), {.path = root_ / "no" / "store.db"}).ok());
}

// In the child: works on the store with several threads and writes a line to `acknowledged` after each acknowledged
// step.
[[noreturn]] void WorkUntilKilled(const std::string& kind, const fs::path& path, int acknowledged, int round) {
  absl::StatusOr<std::unique_ptr<Store>> store = OpenStore(kind, {.path = path});
  if (!store.ok() || !(*store)->RecoverJobs(1'000'000).ok()) _exit(1);
  const auto say = [&](const std::string& line) {
    if (write(acknowledged, line.data(), line.size()) < 0) _exit(2);  // short: atomic on a pipe
  };
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0;; ++i) {
        const std::string id = fmt::format("{}-{}-{}", round, t, i);
        const JobKey key = KeyOf(id);
        const RequestKey request{.method = "m", .request_id = id, .fingerprint = id};
        if (!(*store)->CreateJob({.key = key, .spec = id}, request).ok()) _exit(3);
        say(fmt::format("Q {}\n", id));
        if (!(*store)->StartJob(key, 1).ok()) _exit(4);
        if (!(*store)->SaveCheckpoint(key, 1, "c", id).ok()) _exit(5);
        say(fmt::format("R {}\n", id));
        if (i % 2 == 1) continue;
        if (!(*store)->FinishJob(key, 1, {.result = id, .resources = {MakeResource(id, id)}}).ok()) _exit(6);
        say(fmt::format("S {}\n", id));
      }
    });
  }
  threads.clear();
  _exit(0);
}

// Runs the child, kills it with SIGKILL after `lines` acknowledgements, and returns the last one of each job.
void RunAndKill(const std::string& kind, const fs::path& path, int round, int64_t lines,
                std::map<std::string, char>& acknowledged) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(ends[0]);
    WorkUntilKilled(kind, path, ends[1], round);
  }
  close(ends[1]);
  FILE* reader = fdopen(ends[0], "r");
  char state = 0;
  char id[64];
  while (fscanf(reader, " %c %63s", &state, id) == 2) {
    acknowledged[id] = state;
    if (--lines == 0) kill(child, SIGKILL);  // what it acknowledges until it dies is still read
  }
  fclose(reader);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with " << WEXITSTATUS(status);
}

// Whatever was acknowledged before the kill is there, whole, and can be worked on.
void ExpectNothingLost(Store& store, const std::map<std::string, char>& acknowledged) {
  for (const auto& [id, state] : acknowledged) {
    const absl::StatusOr<JobRecord> job = store.GetJob(KeyOf(id));
    ASSERT_TRUE(job.ok()) << job.status();
    EXPECT_EQ(job->spec, id);
    const RequestKey request{.method = "m", .request_id = id, .fingerprint = id};
    EXPECT_EQ(*store.FindRequest("p", request), JobName(KeyOf(id)));
    const std::vector<JobEvent> events = *store.ListJobEvents(KeyOf(id), 0);
    EXPECT_EQ(events.size(), job->sequence);
    EXPECT_EQ(events.back().sequence, job->sequence);
    if (state != 'Q') {
      EXPECT_GE(job->state, JobState::kRunning) << id;
    }
    if (state == 'R' && job->state == JobState::kRunning) {
      EXPECT_EQ(*store.LoadCheckpoint(KeyOf(id), "c"), id);
    }
    if (state == 'S') {
      EXPECT_EQ(job->state, JobState::kSucceeded) << id;
    }
    // Job and resource come in one transaction.
    EXPECT_EQ(store.GetResource(MakeResource(id).key).ok(), job->state == JobState::kSucceeded) << id;
  }
}

TEST_P(StoreConformance, KillLosesNothingThatWasAcknowledged) {
  constexpr int kRounds = 12;
  std::map<std::string, char> acknowledged;
  Rng rng(20240607, 0);
  for (int round = 0; round < kRounds; ++round) {
    const auto lines = static_cast<int64_t>(1 + rng.NextBelow(60));
    ASSERT_NO_FATAL_FAILURE(RunAndKill(GetParam(), root_ / "store.db", round, lines, acknowledged));
    Store& store = Open();
    ASSERT_NO_FATAL_FAILURE(ExpectNothingLost(store, acknowledged));
    store_.reset();  // no thread of ours may live when the next child is forked
  }
  EXPECT_GE(acknowledged.size(), kRounds / 2);
  Store& store = Open();
  const auto waiting = store.RecoverJobs(1'000'000);
  ASSERT_TRUE(waiting.ok());
  for (const JobRecord& job : *waiting) {
    ASSERT_TRUE(store.StartJob(job.key, job.attempt).ok());
    ASSERT_TRUE(store.FinishJob(job.key, job.attempt, {}).ok());
  }
}

std::vector<std::string> StoreNames() {
  std::vector<std::string> names;
  for (const StoreEntry& entry : Stores()) names.emplace_back(entry.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(AllStores, StoreConformance, ::testing::ValuesIn(StoreNames()),
                         [](const auto& info) { return info.param; });

TEST(StoreTable, NamesAreUnique) {
  std::vector<std::string> names = StoreNames();
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

TEST(StoreTable, UnknownStoreListsTheKnownOnes) {
  const absl::Status status = OpenStore("cassandra", {}).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(MessageOf(status), "store: got 'cassandra', known are 'sqlite'");
}

}  // namespace
}  // namespace bitplan::store
