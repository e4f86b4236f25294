#include "server/store/job_transition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "search/base/status.h"

namespace bitplan::store {
namespace {

using ::testing::HasSubstr;

JobRecord Queued() { return {.key = {.project = "p", .id = "j"}, .create_time_us = 10}; }

JobRecord Running() {
  JobRecord job = Queued();
  EXPECT_TRUE(Start(job, 1, 20).ok());
  return job;
}

JobRecord Ended(JobState state) {
  JobRecord job = Running();
  EXPECT_TRUE(Finish(job, 1, {.state = state}, 30).ok());
  return job;
}

TEST(JobTransition, RunsFromQueuedToSucceeded) {
  JobRecord job = Queued();
  ASSERT_TRUE(Start(job, 1, 20).ok());
  EXPECT_EQ(job.state, JobState::kRunning);
  EXPECT_EQ(job.start_time_us, 20);
  EXPECT_EQ(job.sequence, 2);
  ASSERT_TRUE(Finish(job, 1, {.state = JobState::kSucceeded, .result = "projects/p/plans/x"}, 30).ok());
  EXPECT_EQ(job.state, JobState::kSucceeded);
  EXPECT_EQ(job.end_time_us, 30);
  EXPECT_EQ(job.result, "projects/p/plans/x");
  EXPECT_EQ(job.sequence, 3);
}

TEST(JobTransition, FailureKeepsItsStatus) {
  JobRecord job = Running();
  ASSERT_TRUE(Finish(job, 1, {.state = JobState::kFailed, .error = InvalidArgument("layers[3]: bad")}, 30).ok());
  EXPECT_EQ(job.error, InvalidArgument("layers[3]: bad"));
}

TEST(JobTransition, RequeuedJobStaysRunningToWhoeverWatches) {
  JobRecord job = Running();
  ASSERT_TRUE(Requeue(job, 1, 30).ok());
  EXPECT_EQ(job.state, JobState::kRunning);
  EXPECT_TRUE(job.awaiting_worker);
  EXPECT_EQ(job.attempt, 2);
  ASSERT_TRUE(Start(job, 2, 40).ok());
  EXPECT_FALSE(job.awaiting_worker);
  EXPECT_EQ(job.start_time_us, 20);  // of the first attempt
}

TEST(JobTransition, AttemptThatIsOverIsRefused) {
  JobRecord job = Running();
  ASSERT_TRUE(Requeue(job, 1, 30).ok());
  const absl::Status status = Finish(job, 1, {.state = JobState::kSucceeded}, 40);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(MessageOf(status), "projects/p/jobs/j: attempt 1 is over, the job is at attempt 2");
  EXPECT_TRUE(absl::IsFailedPrecondition(Requeue(job, 1, 40)));
  EXPECT_TRUE(absl::IsFailedPrecondition(Start(job, 1, 40)));
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckRunning(job, 1)));
  EXPECT_TRUE(absl::IsFailedPrecondition(CheckRunning(job, 2))) << "not started yet";
}

// Every transition from every terminal state is refused and leaves the record alone.
TEST(JobTransition, NothingLeavesATerminalState) {
  for (JobState state : {JobState::kSucceeded, JobState::kFailed, JobState::kCancelled}) {
    JobRecord job = Ended(state);
    EXPECT_TRUE(absl::IsFailedPrecondition(Start(job, 1, 40)));
    EXPECT_TRUE(absl::IsFailedPrecondition(Finish(job, 1, {.state = JobState::kFailed}, 40)));
    EXPECT_TRUE(absl::IsFailedPrecondition(Requeue(job, 1, 40)));
    const absl::Status cancel = RequestCancel(job, 40);
    EXPECT_TRUE(absl::IsFailedPrecondition(cancel));
    EXPECT_THAT(MessageOf(cancel), HasSubstr(std::string(JobStateName(state))));
    EXPECT_TRUE(Recover(job, 3, 40).ok());
    EXPECT_EQ(job.state, state);
    EXPECT_EQ(job.sequence, 3);
    EXPECT_EQ(job.end_time_us, 30);
  }
}

TEST(JobTransition, WorkOnAQueuedJobIsRefused) {
  JobRecord job = Queued();
  EXPECT_TRUE(absl::IsFailedPrecondition(Finish(job, 1, {.state = JobState::kSucceeded}, 20)));
  EXPECT_TRUE(absl::IsFailedPrecondition(Requeue(job, 1, 20)));
  EXPECT_EQ(job.sequence, 1);
}

TEST(JobTransition, StartIsForOnce) {
  JobRecord job = Running();
  EXPECT_TRUE(absl::IsFailedPrecondition(Start(job, 1, 30)));
}

TEST(JobTransition, OutcomeMustBeTerminal) {
  JobRecord job = Running();
  EXPECT_TRUE(absl::IsInvalidArgument(Finish(job, 1, {.state = JobState::kRunning}, 30)));
}

TEST(JobTransition, CancelOfQueuedOrWaitingJobIsImmediate) {
  JobRecord queued = Queued();
  ASSERT_TRUE(RequestCancel(queued, 20).ok());
  EXPECT_EQ(queued.state, JobState::kCancelled);
  EXPECT_EQ(queued.sequence, 2);
  JobRecord waiting = Running();
  ASSERT_TRUE(Requeue(waiting, 1, 30).ok());
  ASSERT_TRUE(RequestCancel(waiting, 40).ok());
  EXPECT_EQ(waiting.state, JobState::kCancelled);
}

TEST(JobTransition, CancelOfRunningJobIsARequestAndIdempotent) {
  JobRecord job = Running();
  ASSERT_TRUE(RequestCancel(job, 30).ok());
  EXPECT_EQ(job.state, JobState::kRunning);
  EXPECT_TRUE(job.cancel_requested);
  EXPECT_EQ(job.sequence, 3);
  ASSERT_TRUE(RequestCancel(job, 31).ok());
  EXPECT_EQ(job.sequence, 3);
}

TEST(JobTransition, CancelledJobIsNotRequeued) {
  JobRecord job = Running();
  ASSERT_TRUE(RequestCancel(job, 30).ok());
  ASSERT_TRUE(Requeue(job, 1, 40).ok());
  EXPECT_EQ(job.state, JobState::kCancelled);
}

TEST(JobTransition, JobThatKeepsKillingTheServerFails) {
  JobRecord job = Running();
  ASSERT_TRUE(Recover(job, 2, 30).ok());
  EXPECT_EQ(job.state, JobState::kRunning);
  EXPECT_EQ(job.attempt, 2);
  ASSERT_TRUE(Recover(job, 2, 31).ok()) << "it waits, so nobody died";
  EXPECT_EQ(job.crashes, 1);
  ASSERT_TRUE(Start(job, 2, 40).ok());
  ASSERT_TRUE(Recover(job, 2, 50).ok());
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_TRUE(absl::IsInternal(job.error));
}

TEST(JobTransition, EveryStateHasAName) {
  EXPECT_EQ(JobStateName(JobState::kQueued), "QUEUED");
  EXPECT_EQ(JobStateName(JobState::kRunning), "RUNNING");
  EXPECT_EQ(JobStateName(JobState::kSucceeded), "SUCCEEDED");
  EXPECT_EQ(JobStateName(JobState::kFailed), "FAILED");
  EXPECT_EQ(JobStateName(JobState::kCancelled), "CANCELLED");
}

}  // namespace
}  // namespace bitplan::store
