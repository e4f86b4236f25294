#ifndef BITPLAN_SEARCH_OPS_FLOAT_OPERANDS_H_
#define BITPLAN_SEARCH_OPS_FLOAT_OPERANDS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "search/ops/operator.h"

namespace bitplan::ops {

// Makes the operator of a node that takes floats where integers or booleans are legal too: `make` sees every constant
// IntTensor among the inputs as a Tensor of the same numbers, and the operator reads these numbers. Booleans are 0 and
// 1. For operators whose result is a float or a boolean: integer division, for one, means something else.
//
// kUnimplemented for integers beyond 2^24, which a float would round.
absl::StatusOr<std::unique_ptr<Operator>> MakeWithFloatOperands(
    const OpRequest& request, absl::StatusOr<std::unique_ptr<Operator>> (*make)(const OpRequest& request));

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_FLOAT_OPERANDS_H_
