#include "search/allocation/solver_options.h"

#include "search/base/status.h"

namespace bitplan::allocation {

absl::Status Validate(const SolverOptions& options) {
  if (!(options.relative_gap >= 0 && options.relative_gap < 1)) {
    return InvalidArgument("relative_gap: got {}, want 0 <= gap < 1", options.relative_gap);
  }
  if (options.time_limit_s.has_value() && !(*options.time_limit_s > 0)) {
    return InvalidArgument("time_limit_s: got {}, want more than 0", *options.time_limit_s);
  }
  if (options.node_limit < 1) return InvalidArgument("node_limit: got {}, want at least 1", options.node_limit);
  return absl::OkStatus();
}

}  // namespace bitplan::allocation
