#include "search/allocation/run_limits.h"

#include <gtest/gtest.h>

#include <stop_token>

namespace bitplan::allocation {
namespace {

using std::chrono::hours;
using std::chrono::steady_clock;

TEST(WithTimeLimit, TakesTheSoonerEnd) {
  const auto far = steady_clock::now() + hours(5);
  EXPECT_FALSE(WithTimeLimit({}, {}).deadline.has_value());
  EXPECT_EQ(WithTimeLimit({.deadline = far}, {}).deadline, far);
  EXPECT_EQ(WithTimeLimit({.deadline = far}, {.time_limit_s = 1e6}).deadline, far);
  EXPECT_LT(*WithTimeLimit({.deadline = far}, {.time_limit_s = 3600}).deadline, far);
  EXPECT_TRUE(WithTimeLimit({}, {.time_limit_s = 1}).deadline.has_value());
}

TEST(WithTimeLimit, TreatsAbsurdLimitsAsNone) {
  EXPECT_FALSE(WithTimeLimit({}, {.time_limit_s = 1e300}).deadline.has_value());
}

TEST(StopReason, TellsCancellationFromTime) {
  EXPECT_EQ(StopReason({}), std::nullopt);
  EXPECT_EQ(StopReason({.deadline = steady_clock::now() + hours(1)}), std::nullopt);
  EXPECT_EQ(StopReason({.deadline = steady_clock::now()}), Termination::kTimeLimit);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(StopReason({.stop = source.get_token(), .deadline = steady_clock::now()}), Termination::kCancelled);
}

}  // namespace
}  // namespace bitplan::allocation
