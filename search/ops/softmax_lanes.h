#ifndef BITPLAN_SEARCH_OPS_SOFTMAX_LANES_H_
#define BITPLAN_SEARCH_OPS_SOFTMAX_LANES_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "search/graph/graph.h"

namespace bitplan::ops {

// A tensor as `outer` blocks of `size` rows of `inner` entries; Softmax and LogSoftmax run over `size`.
struct SoftmaxLanes {
  int64_t axis = 0;  // first dimension that `size` covers
  int64_t outer = 1;
  int64_t size = 1;
  int64_t inner = 1;
};

// Before opset 13 the tensor is taken as a matrix split at `axis` (default 1); from then on `axis` (default -1) alone.
// Errors: kInvalidArgument: axis of another type or out of range.
absl::StatusOr<SoftmaxLanes> FindSoftmaxLanes(const Node& node, int64_t opset_version, const Shape& x);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_SOFTMAX_LANES_H_
