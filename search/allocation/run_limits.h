#ifndef BITPLAN_SEARCH_ALLOCATION_RUN_LIMITS_H_
#define BITPLAN_SEARCH_ALLOCATION_RUN_LIMITS_H_

#include <optional>

#include "search/allocation/solution.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// `context` with its deadline brought forward to options.time_limit_s from now, if that is sooner.
RunContext WithTimeLimit(const RunContext& context, const SolverOptions& options);

// kCancelled after a stop request, kTimeLimit after the deadline, else nothing.
std::optional<Termination> StopReason(const RunContext& context);

// The same context without progress: for a search in between, whose objective is not that of the whole.
RunContext WithoutProgress(RunContext context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_RUN_LIMITS_H_
