#ifndef BITPLAN_SEARCH_OPS_AXES_H_
#define BITPLAN_SEARCH_OPS_AXES_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "search/ops/operator.h"

namespace bitplan::ops {

// The `axes` of a node: an attribute before `input_since`, from then on constant input 1. Counted from 0 for tensors of
// `rank` dimensions, sorted; empty if not given. kInvalidArgument for axes out of range or given twice.
absl::StatusOr<std::vector<int64_t>> ReadAxes(const OpRequest& request, int64_t input_since, int64_t rank);

// How many of them there are.
absl::StatusOr<int64_t> CountAxes(const OpRequest& request, int64_t input_since);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_AXES_H_
