#include "search/allocation/solver_table.h"

#include <array>
#include <limits>
#include <string>

#include "search/allocation/cbc_solver.h"
#include "search/allocation/linked_search.h"
#include "search/allocation/one_budget.h"
#include "search/allocation/several_budgets.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

constexpr auto kSolvers = std::to_array<SolverEntry>({
    {.name = "one_budget",
     .source = "Pisinger (1995), Sinha and Zoltners (1979), Nemhauser and Ullmann (1969)",
     .max_budgets = 1,
     .takes_links = false,
     .promise = "proof in integers",
     .solve = &SolveOneBudget},
    {.name = "several_budgets",
     .source = "Dantzig and Van Slyke (1967), Fourer (1994), Nemhauser and Ullmann (1969)",
     .max_budgets = std::numeric_limits<int>::max(),
     .takes_links = false,
     .promise = "proof with directed rounding, up to the tolerance stated; budgets in integers",
     .solve = &SolveSeveralBudgets},
    {.name = "linked",
     .source = "Held, Wolfe and Crowder (1974), Geoffrion (1974), Bellman (1957)",
     .max_budgets = std::numeric_limits<int>::max(),
     .takes_links = true,
     .promise = "proof with directed rounding, up to the tolerance stated; budgets in integers",
     .solve = &SolveLinked},
    {.name = "cbc",
     .source = "COIN-OR CBC 2.10",
     .max_budgets = std::numeric_limits<int>::max(),
     .takes_links = true,
     .promise = "proof in floating point, up to the tolerance stated; budgets checked in integers",
     .solve = &SolveWithCbc},
});

constexpr bool NamesAreUnique() {
  for (size_t i = 0; i < kSolvers.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (kSolvers[i].name == kSolvers[j].name) return false;
    }
  }
  return true;
}
static_assert(NamesAreUnique());

}  // namespace

std::span<const SolverEntry> Solvers() { return kSolvers; }

absl::StatusOr<SolverEntry> FindSolver(std::string_view name) {
  std::string known = "auto";
  for (const SolverEntry& entry : kSolvers) {
    if (entry.name == name) return entry;
    known += fmt::format(", {}", entry.name);
  }
  return NotFound("solver: got '{}', want one of {}", name, known);
}

}  // namespace bitplan::allocation
