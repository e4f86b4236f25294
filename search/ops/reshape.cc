// Operators that keep the elements in their order and change the shape at most.

#include <algorithm>
#include <utility>

#include "search/base/status.h"
#include "search/ops/axes.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

class CopyOperator final : public LinearMap {
 public:
  explicit CopyOperator(Shape out) : LinearMap(std::move(out)) {}

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override { std::copy(x.begin(), x.end(), y.begin()); }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override { Apply(y, x); }
};

MadeOperator MakeCopy(Shape out) { return std::make_unique<CopyOperator>(std::move(out)); }

absl::Status ReshapeMismatch(const Shape& x, const Shape& wanted) {
  const bool batch_is_baked_in = !x.empty() && !wanted.empty() && wanted[0] > 0 && wanted[0] != x[0];
  return InvalidArgument("shape: {} has {} elements and cannot become {}{}", ToString(x), NumElements(x),
                         ToString(wanted),
                         batch_is_baked_in ? "; was the model exported for a fixed number of samples? Export it with a "
                                             "dynamic first dimension, or declare the input's first dimension fixed"
                                           : "");
}

// 0 copies the input's size unless allowzero is set, -1 (once) takes what is left.
absl::StatusOr<Shape> ResolveReshape(const Shape& x, const Shape& wanted, bool allow_zero) {
  Shape out = wanted;
  int64_t rest = -1;
  for (size_t d = 0; d < out.size(); ++d) {
    if (out[d] == 0 && !allow_zero) {
      if (d >= x.size()) return InvalidArgument("shape: entry {} is 0, but the input has {} dimensions", d, x.size());
      out[d] = x[d];
    }
    if (out[d] < -1 || out[d] == 0) return InvalidArgument("shape: entry {} is {}, want a size or -1", d, out[d]);
    if (out[d] != -1) continue;
    if (rest >= 0) return InvalidArgument("shape: -1 more than once in {}", ToString(wanted));
    rest = static_cast<int64_t>(d);
    out[d] = 1;
  }
  const int64_t num_elements = NumElements(x);
  const int64_t known = CheckedNumElements(out, num_elements);
  if (known < 1 || num_elements % known != 0) return ReshapeMismatch(x, wanted);
  if (rest >= 0) out[rest] = num_elements / known;
  if (rest < 0 && known != num_elements) return ReshapeMismatch(x, wanted);
  return out;
}

}  // namespace

MadeOperator MakeIdentity(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  return MakeCopy(request.shape(0));
}

// Evaluation: the identity. A mask output is not supported.
MadeOperator MakeDropout(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 3, 1));
  if (request.node.outputs.size() > 1 && request.node.outputs[1] != kNoValue) {
    return Unimplemented("outputs[1]: the mask is not supported");
  }
  if (request.has_input(2)) {
    const auto* mode = std::get_if<IntTensor>(&request.inputs[2]->constant);
    const bool evaluates = mode != nullptr && mode->data == std::vector<int64_t>{0};
    if (!evaluates) return Unimplemented("training_mode: want the constant false");
  }
  return MakeCopy(request.shape(0));
}

MadeOperator MakeFlatten(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  const Shape& x = request.shape(0);
  const int64_t rank = request.rank(0);
  BITPLAN_ASSIGN_OR_RETURN(int64_t axis, IntAttribute(request.node, "axis", 1));
  if (axis != rank) {
    BITPLAN_ASSIGN_OR_RETURN(axis, NormalizedAxis(axis, rank, "axis"));
  }
  return MakeCopy({NumElements(Shape(x.begin(), x.begin() + axis)), NumElements(Shape(x.begin() + axis, x.end()))});
}

MadeOperator MakeReshape(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2, 1));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> wanted, ConstantInts(request, 1, "shape"));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t allow_zero, IntAttribute(request.node, "allowzero", 0));
  BITPLAN_ASSIGN_OR_RETURN(Shape out, ResolveReshape(request.shape(0), wanted, allow_zero != 0));
  return MakeCopy(std::move(out));
}

// axes: an attribute before opset 13, an optional constant input from then on; none means all sizes of 1.
MadeOperator MakeSqueeze(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, request.opset_version < 13 ? 1 : 2, 1));
  const Shape& x = request.shape(0);
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ReadAxes(request, 13, request.rank(0)));
  Shape out;
  for (int64_t d = 0; d < request.rank(0); ++d) {
    const bool listed = std::ranges::find(axes, d) != axes.end();
    if (listed && x[d] != 1) return InvalidArgument("axes: size {} of {} is not 1", d, ToString(x));
    if (!(axes.empty() ? x[d] == 1 : listed)) out.push_back(x[d]);
  }
  return MakeCopy(std::move(out));
}

// axes: an attribute before opset 13, a constant input from then on.
MadeOperator MakeUnsqueeze(const OpRequest& request) {
  const size_t num_inputs = request.opset_version < 13 ? 1 : 2;
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, num_inputs, num_inputs, 1));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t num_axes, CountAxes(request, 13));  // negative axes count from the new end
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ReadAxes(request, 13, request.rank(0) + num_axes));
  Shape out = request.shape(0);
  for (const int64_t axis : axes) out.insert(out.begin() + axis, 1);  // sorted, so each lands in its place
  return MakeCopy(std::move(out));
}

}  // namespace bitplan::ops
