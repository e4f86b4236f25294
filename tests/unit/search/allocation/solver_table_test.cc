#include "search/allocation/solver_table.h"

#include <gtest/gtest.h>

#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

TEST(SolverTable, RowsAreComplete) {
  for (const SolverEntry& entry : Solvers()) {
    EXPECT_FALSE(entry.name.empty());
    EXPECT_NE(entry.name, "auto");
    EXPECT_FALSE(entry.source.empty());
    EXPECT_FALSE(entry.promise.empty());
    EXPECT_GE(entry.max_budgets, 1);
    EXPECT_NE(entry.solve, nullptr);
    const auto found = FindSolver(entry.name);
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(found->solve, entry.solve);
  }
}

TEST(SolverTable, ListsTheKnownNames) {
  const absl::Status status = FindSolver("simplex").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MessageOf(status), "solver: got 'simplex', want one of auto, one_budget, several_budgets, linked, cbc");
}

}  // namespace
}  // namespace bitplan::allocation
