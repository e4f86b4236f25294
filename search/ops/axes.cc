#include "search/ops/axes.h"

#include <algorithm>

#include "search/base/status.h"

namespace bitplan::ops {
namespace {

absl::StatusOr<std::vector<int64_t>> RawAxes(const OpRequest& request, int64_t input_since) {
  if (request.opset_version < input_since) return IntsAttribute(request.node, "axes", {});
  if (!request.has_input(1)) return std::vector<int64_t>();
  return ConstantInts(request, 1, "axes");
}

}  // namespace

absl::StatusOr<int64_t> CountAxes(const OpRequest& request, int64_t input_since) {
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, RawAxes(request, input_since));
  return static_cast<int64_t>(axes.size());
}

absl::StatusOr<std::vector<int64_t>> ReadAxes(const OpRequest& request, int64_t input_since, int64_t rank) {
  BITPLAN_ASSIGN_OR_RETURN(std::vector<int64_t> axes, RawAxes(request, input_since));
  for (int64_t& axis : axes) {
    BITPLAN_ASSIGN_OR_RETURN(axis, NormalizedAxis(axis, rank, "axes"));
  }
  std::ranges::sort(axes);
  if (std::ranges::adjacent_find(axes) != axes.end()) return InvalidArgument("axes: an axis is listed twice");
  return axes;
}

}  // namespace bitplan::ops
