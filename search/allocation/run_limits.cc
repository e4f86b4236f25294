#include "search/allocation/run_limits.h"

#include <algorithm>
#include <chrono>

namespace bitplan::allocation {

RunContext WithTimeLimit(const RunContext& context, const SolverOptions& options) {
  constexpr double kForever_s = 1e9;  // about 30 years; longer ones would overflow the clock
  RunContext limited = context;
  if (!options.time_limit_s.has_value() || *options.time_limit_s > kForever_s) return limited;
  const auto now = std::chrono::steady_clock::now();
  const auto end = now + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                             std::chrono::duration<double>(*options.time_limit_s));
  limited.deadline = context.deadline.has_value() ? std::min(*context.deadline, end) : end;
  return limited;
}

std::optional<Termination> StopReason(const RunContext& context) {
  const absl::Status status = context.CheckStop();
  if (status.ok()) return std::nullopt;
  return status.code() == absl::StatusCode::kCancelled ? Termination::kCancelled : Termination::kTimeLimit;
}

RunContext WithoutProgress(RunContext context) {
  context.progress = nullptr;
  return context;
}

}  // namespace bitplan::allocation
