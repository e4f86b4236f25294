#include "search/allocation/solver_options.h"

#include <gtest/gtest.h>

#include <cmath>

#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

TEST(ValidateSolverOptions, AcceptsTheDefaults) { EXPECT_TRUE(Validate(SolverOptions{}).ok()); }

TEST(ValidateSolverOptions, NamesTheField) {
  EXPECT_EQ(MessageOf(Validate(SolverOptions{.relative_gap = 1})), "relative_gap: got 1, want 0 <= gap < 1");
  EXPECT_EQ(MessageOf(Validate(SolverOptions{.relative_gap = std::nan("")})),
            "relative_gap: got nan, want 0 <= gap < 1");
  EXPECT_EQ(MessageOf(Validate(SolverOptions{.time_limit_s = 0})), "time_limit_s: got 0, want more than 0");
  EXPECT_EQ(MessageOf(Validate(SolverOptions{.node_limit = 0})), "node_limit: got 0, want at least 1");
}

}  // namespace
}  // namespace bitplan::allocation
