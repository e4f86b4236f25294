#include "server/jobs/run_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

#include "search/base/status.h"

namespace bitplan::jobs {
namespace {

using store::JobState;
using ::testing::HasSubstr;

absl::Status StatusOfThrowing(const std::function<void()>& raise) {
  const Runner runner = [&](const store::JobRecord&, const RunContext&) -> absl::StatusOr<JobResult> {
    raise();
    return JobResult{};
  };
  return RunGuarded(runner, {}, {}).status();
}

TEST(RunGuarded, ExceptionsBecomeStatuses) {
  EXPECT_TRUE(StatusOfThrowing([] {}).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(StatusOfThrowing([] { throw std::bad_alloc(); })));
  const absl::Status error = StatusOfThrowing([] { throw std::runtime_error("singular"); });
  EXPECT_TRUE(absl::IsInternal(error));
  EXPECT_THAT(MessageOf(error), HasSubstr("singular"));
  EXPECT_TRUE(absl::IsInternal(StatusOfThrowing([] { throw 7; })));
}

TEST(Guarded, NamesWhatWasAtWork) {
  EXPECT_TRUE(Guarded("the evaluation", [] { return absl::OkStatus(); }).ok());
  EXPECT_EQ(Guarded("the evaluation", [] { return InvalidArgument("bad"); }), InvalidArgument("bad"));
  EXPECT_EQ(Guarded("the evaluation", []() -> absl::Status { throw std::bad_alloc(); }),
            ResourceExhausted("the evaluation ran out of memory"));
  EXPECT_EQ(Guarded("the evaluation", []() -> absl::Status { throw std::runtime_error("singular"); }),
            Internal("the evaluation ended by an exception: singular"));
}

TEST(Judge, ResultCountsEvenAfterAStopRequest) {
  const Verdict verdict = Judge(JobResult{.result = "r"}, {.cancel = true, .shutdown = true});
  EXPECT_FALSE(verdict.requeue);
  EXPECT_EQ(verdict.outcome.state, JobState::kSucceeded);
  EXPECT_EQ(verdict.outcome.result, "r");
}

TEST(Judge, CancelledDependsOnWhoAsked) {
  const absl::StatusOr<JobResult> stopped = absl::CancelledError("stopped");
  EXPECT_EQ(Judge(stopped, {.cancel = true}).outcome.state, JobState::kCancelled);
  EXPECT_EQ(Judge(stopped, {.cancel = true, .shutdown = true}).outcome.state, JobState::kCancelled);
  EXPECT_TRUE(Judge(stopped, {.shutdown = true}).requeue);
  const Verdict nobody = Judge(stopped, {});
  EXPECT_FALSE(nobody.requeue);
  EXPECT_EQ(nobody.outcome.state, JobState::kFailed);
  EXPECT_TRUE(absl::IsInternal(nobody.outcome.error));
}

TEST(Judge, OtherErrorsAreFailures) {
  const Verdict verdict = Judge(InvalidArgument("layers[0]: bad"), {.cancel = true, .shutdown = true});
  EXPECT_EQ(verdict.outcome.state, JobState::kFailed);
  EXPECT_EQ(verdict.outcome.error, InvalidArgument("layers[0]: bad"));
}

}  // namespace
}  // namespace bitplan::jobs
