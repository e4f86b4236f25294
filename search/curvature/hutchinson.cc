#include "search/curvature/hutchinson.h"

#include <cmath>
#include <cstddef>
#include <utility>

#include "search/base/status.h"
#include "search/curvature/probe_groups.h"

namespace bitplan {

absl::Status Validate(const ProbeOptions& options) {
  if (!(options.relative_error > 0) || !std::isfinite(options.relative_error)) {
    return InvalidArgument("traces: relative_error: got {}, want above 0", options.relative_error);
  }
  if (!(options.small_block_fraction >= 0) || !std::isfinite(options.small_block_fraction)) {
    return InvalidArgument("traces: small_block_fraction: got {}, want at least 0", options.small_block_fraction);
  }
  if (!(options.absolute_error >= 0) || !std::isfinite(options.absolute_error)) {
    return InvalidArgument("traces: absolute_error: got {}, want at least 0", options.absolute_error);
  }
  if (options.min_probes < 2) {
    return InvalidArgument("traces: min_probes: got {}, want at least 2 (one probe has no standard error)",
                           options.min_probes);
  }
  if (options.max_probes < options.min_probes) {
    return InvalidArgument("traces: max_probes: got {}, want at least min_probes, {}", options.max_probes,
                           options.min_probes);
  }
  if (options.probes_per_check < 1) {
    return InvalidArgument("traces: probes_per_check: got {}, want at least 1", options.probes_per_check);
  }
  return absl::OkStatus();
}

namespace curvature {
namespace {

std::string CheckpointKey(const ProbeOptions& options) {
  if (options.checkpoint_key.empty()) return {};
  return fmt::format("{}/hutchinson/{}/{}/{}/{}/{}/{}/{}", options.checkpoint_key, options.seed, options.relative_error,
                     options.small_block_fraction, options.absolute_error, options.min_probes, options.max_probes,
                     options.probes_per_check);
}

}  // namespace

absl::StatusOr<std::vector<TraceEstimate>> HutchinsonBlockTraces(const LinearOperator& A,
                                                                 std::span<const WeightSlice> blocks,
                                                                 const ProbeOptions& options,
                                                                 const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_RETURN_IF_ERROR(CheckBlocks(blocks, A.dimension()));
  ProbeGroup group{.A = &A, .blocks = {blocks.begin(), blocks.end()}, .checkpoint_key = CheckpointKey(options)};
  BITPLAN_ASSIGN_OR_RETURN(std::vector<std::vector<TraceEstimate>> estimates,
                           ProbeToTarget({&group, 1}, options, context));
  return std::move(estimates.front());
}

absl::StatusOr<TraceEstimate> HutchinsonTrace(const LinearOperator& A, const ProbeOptions& options,
                                              const RunContext& context) {
  const WeightSlice all{.offset = 0, .size = A.dimension()};
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<TraceEstimate> estimates,
                           HutchinsonBlockTraces(A, {&all, 1}, options, context));
  return estimates.front();
}

}  // namespace curvature
}  // namespace bitplan
