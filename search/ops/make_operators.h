#ifndef BITPLAN_SEARCH_OPS_MAKE_OPERATORS_H_
#define BITPLAN_SEARCH_OPS_MAKE_OPERATORS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "search/ops/operator.h"

// One Make function for each row of op_table.cc; each is defined in the file of its operator or family. Semantics are
// those of the ONNX operator specification at request.opset_version; what differs is said at the definition.
namespace bitplan::ops {

using MadeOperator = absl::StatusOr<std::unique_ptr<Operator>>;

// activations.cc: elementwise functions of one input
MadeOperator MakeClip(const OpRequest& request);
MadeOperator MakeErf(const OpRequest& request);
MadeOperator MakeExp(const OpRequest& request);
MadeOperator MakeHardSigmoid(const OpRequest& request);
MadeOperator MakeHardSwish(const OpRequest& request);
MadeOperator MakeLeakyRelu(const OpRequest& request);
MadeOperator MakeLog(const OpRequest& request);
MadeOperator MakeNeg(const OpRequest& request);
MadeOperator MakePow(const OpRequest& request);
MadeOperator MakeRelu(const OpRequest& request);
MadeOperator MakeSigmoid(const OpRequest& request);
MadeOperator MakeSoftplus(const OpRequest& request);
MadeOperator MakeSqrt(const OpRequest& request);
MadeOperator MakeTanh(const OpRequest& request);
// arithmetic.cc: elementwise functions of two inputs, broadcast
MadeOperator MakeAdd(const OpRequest& request);
MadeOperator MakeDiv(const OpRequest& request);
MadeOperator MakeMul(const OpRequest& request);
MadeOperator MakeSub(const OpRequest& request);
// products
MadeOperator MakeConv(const OpRequest& request);
MadeOperator MakeGemm(const OpRequest& request);
MadeOperator MakeMatMul(const OpRequest& request);
// normalisation
MadeOperator MakeBatchNormalization(const OpRequest& request);
MadeOperator MakeLogSoftmax(const OpRequest& request);
MadeOperator MakeSoftmax(const OpRequest& request);
// pooling and reduction
MadeOperator MakeAveragePool(const OpRequest& request);
MadeOperator MakeGlobalAveragePool(const OpRequest& request);
MadeOperator MakeGlobalMaxPool(const OpRequest& request);
MadeOperator MakeMaxPool(const OpRequest& request);
MadeOperator MakeReduceMean(const OpRequest& request);
// reshape.cc: same elements, another shape
MadeOperator MakeDropout(const OpRequest& request);
MadeOperator MakeFlatten(const OpRequest& request);
MadeOperator MakeIdentity(const OpRequest& request);
MadeOperator MakeReshape(const OpRequest& request);
MadeOperator MakeSqueeze(const OpRequest& request);
MadeOperator MakeUnsqueeze(const OpRequest& request);
// moving elements
MadeOperator MakeConcat(const OpRequest& request);
MadeOperator MakeConstant(const OpRequest& request);
MadeOperator MakePad(const OpRequest& request);
MadeOperator MakeTranspose(const OpRequest& request);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_MAKE_OPERATORS_H_
