#ifndef BITPLAN_SEARCH_OPS_MAKE_OPERATORS_H_
#define BITPLAN_SEARCH_OPS_MAKE_OPERATORS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "search/ops/operator.h"

// One Make function for each row of op_table.cc; each is defined in the file of its operator or family. Semantics are
// those of the ONNX operator specification at request.opset_version; what differs is said at the definition.
namespace bitplan::ops {

using MadeOperator = absl::StatusOr<std::unique_ptr<Operator>>;

// activations.cc: activation functions
MadeOperator MakeCelu(const OpRequest& request);
MadeOperator MakeClip(const OpRequest& request);
MadeOperator MakeElu(const OpRequest& request);
MadeOperator MakeGelu(const OpRequest& request);
MadeOperator MakeHardSigmoid(const OpRequest& request);
MadeOperator MakeHardSwish(const OpRequest& request);
MadeOperator MakeLeakyRelu(const OpRequest& request);
MadeOperator MakeMish(const OpRequest& request);
MadeOperator MakeRelu(const OpRequest& request);
MadeOperator MakeSelu(const OpRequest& request);
MadeOperator MakeSigmoid(const OpRequest& request);
MadeOperator MakeSoftplus(const OpRequest& request);
MadeOperator MakeSoftsign(const OpRequest& request);
MadeOperator MakeTanh(const OpRequest& request);
MadeOperator MakeThresholdedRelu(const OpRequest& request);
// math_functions.cc: other functions of one input
MadeOperator MakeAbs(const OpRequest& request);
MadeOperator MakeCeil(const OpRequest& request);
MadeOperator MakeCos(const OpRequest& request);
MadeOperator MakeErf(const OpRequest& request);
MadeOperator MakeExp(const OpRequest& request);
MadeOperator MakeFloor(const OpRequest& request);
MadeOperator MakeLog(const OpRequest& request);
MadeOperator MakeNeg(const OpRequest& request);
MadeOperator MakeReciprocal(const OpRequest& request);
MadeOperator MakeRound(const OpRequest& request);
MadeOperator MakeSign(const OpRequest& request);
MadeOperator MakeSin(const OpRequest& request);
MadeOperator MakeSqrt(const OpRequest& request);
// x^exponent; a second input that holds the exponent is not read.
MadeOperator MakeScalarPower(const OpRequest& request, float exponent);
// arithmetic.cc, variadic.cc: several inputs, broadcast
MadeOperator MakeAdd(const OpRequest& request);
MadeOperator MakeDiv(const OpRequest& request);
MadeOperator MakeMax(const OpRequest& request);
MadeOperator MakeMean(const OpRequest& request);
MadeOperator MakeMin(const OpRequest& request);
MadeOperator MakeMul(const OpRequest& request);
MadeOperator MakePRelu(const OpRequest& request);
MadeOperator MakePow(const OpRequest& request);
MadeOperator MakeSub(const OpRequest& request);
MadeOperator MakeSum(const OpRequest& request);
// comparisons.cc, where.cc, cast.cc: booleans as 0 and 1
MadeOperator MakeAnd(const OpRequest& request);
MadeOperator MakeCast(const OpRequest& request);
// Whether the node is a Cast to integers; bool is none.
bool IsCastToInteger(const Node& node);
MadeOperator MakeEqual(const OpRequest& request);
MadeOperator MakeGreater(const OpRequest& request);
MadeOperator MakeGreaterOrEqual(const OpRequest& request);
MadeOperator MakeLess(const OpRequest& request);
MadeOperator MakeLessOrEqual(const OpRequest& request);
MadeOperator MakeNot(const OpRequest& request);
MadeOperator MakeOr(const OpRequest& request);
MadeOperator MakeWhere(const OpRequest& request);
MadeOperator MakeXor(const OpRequest& request);
// products
MadeOperator MakeConv(const OpRequest& request);
MadeOperator MakeConvTranspose(const OpRequest& request);
MadeOperator MakeGemm(const OpRequest& request);
MadeOperator MakeMatMul(const OpRequest& request);
// normalisation
MadeOperator MakeBatchNormalization(const OpRequest& request);
MadeOperator MakeGroupNormalization(const OpRequest& request);
MadeOperator MakeInstanceNormalization(const OpRequest& request);
MadeOperator MakeLayerNormalization(const OpRequest& request);
MadeOperator MakeLogSoftmax(const OpRequest& request);
MadeOperator MakeLpNormalization(const OpRequest& request);
MadeOperator MakeLrn(const OpRequest& request);
MadeOperator MakeRmsNormalization(const OpRequest& request);
MadeOperator MakeSoftmax(const OpRequest& request);
// pooling
MadeOperator MakeAveragePool(const OpRequest& request);
MadeOperator MakeGlobalAveragePool(const OpRequest& request);
MadeOperator MakeGlobalMaxPool(const OpRequest& request);
MadeOperator MakeMaxPool(const OpRequest& request);
// reductions.cc, arg_extreme.cc, cum_sum.cc: along axes
MadeOperator MakeArgMax(const OpRequest& request);
MadeOperator MakeArgMin(const OpRequest& request);
MadeOperator MakeCumSum(const OpRequest& request);
MadeOperator MakeReduceL1(const OpRequest& request);
MadeOperator MakeReduceL2(const OpRequest& request);
MadeOperator MakeReduceLogSum(const OpRequest& request);
MadeOperator MakeReduceLogSumExp(const OpRequest& request);
MadeOperator MakeReduceMax(const OpRequest& request);
MadeOperator MakeReduceMean(const OpRequest& request);
MadeOperator MakeReduceMin(const OpRequest& request);
MadeOperator MakeReduceSum(const OpRequest& request);
MadeOperator MakeReduceSumSquare(const OpRequest& request);
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
MadeOperator MakeDepthToSpace(const OpRequest& request);
MadeOperator MakeExpand(const OpRequest& request);
MadeOperator MakeGather(const OpRequest& request);
MadeOperator MakePad(const OpRequest& request);
MadeOperator MakeResize(const OpRequest& request);
MadeOperator MakeSlice(const OpRequest& request);
MadeOperator MakeSpaceToDepth(const OpRequest& request);
MadeOperator MakeSplit(const OpRequest& request);
MadeOperator MakeTile(const OpRequest& request);
MadeOperator MakeTranspose(const OpRequest& request);
MadeOperator MakeTrilu(const OpRequest& request);
MadeOperator MakeUpsample(const OpRequest& request);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_MAKE_OPERATORS_H_
