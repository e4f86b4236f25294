#include "search/ops/operator.h"

#include <algorithm>

#include "search/base/status.h"

namespace bitplan::ops {

void Operator::VjpTangent(const Primal& primal, Reads /*x_dot*/, Reads /*y_bar*/, Reads y_bar_dot,
                          Writes x_bar_dot) const {
  Vjp(primal, y_bar_dot, x_bar_dot);
}

std::optional<double> Operator::WeightGradientSquaredNorm(Reads /*x*/, Reads /*y_bar*/, int /*input*/) const {
  return std::nullopt;
}

void BilinearMap::Forward(Reads x, Writes y) const {
  Product(x[0], x[1], x.size() > 2 ? x[2] : In(), y[0], /*accumulate=*/false);
}

void BilinearMap::Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const {
  const bool left = !x_dot[0].empty();
  const bool right = !x_dot[1].empty();
  if (!left || !right || !ProductTangent(primal.x[0], primal.x[1], x_dot[0], x_dot[1], y_dot[0])) {
    if (left) Product(x_dot[0], primal.x[1], {}, y_dot[0], /*accumulate=*/false);
    if (right) Product(primal.x[0], x_dot[1], {}, y_dot[0], /*accumulate=*/left);
  }
  if (x_dot.size() > 2 && !x_dot[2].empty()) {
    if (!left && !right) std::fill(y_dot[0].begin(), y_dot[0].end(), 0.0F);
    AddBias(x_dot[2], y_dot[0]);
  }
}

void BilinearMap::Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const {
  if (!x_bar[0].empty()) LeftGradient(y_bar[0], primal.x[1], x_bar[0], /*accumulate=*/false);
  if (!x_bar[1].empty()) RightGradient(primal.x[0], y_bar[0], x_bar[1], /*accumulate=*/false);
  if (x_bar.size() > 2 && !x_bar[2].empty()) BiasGradient(y_bar[0], x_bar[2]);
}

void BilinearMap::VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const {
  const bool both = !x_bar_dot[0].empty() && !x_bar_dot[1].empty() && !x_dot[0].empty() && !x_dot[1].empty();
  const bool bias = x_bar_dot.size() > 2 && !x_bar_dot[2].empty();
  if (both && !bias &&
      GradientTangents({primal.x[0], primal.x[1], y_bar[0], x_dot[0], x_dot[1], y_bar_dot[0]}, x_bar_dot[0],
                       x_bar_dot[1])) {
    return;
  }
  Vjp(primal, y_bar_dot, x_bar_dot);
  if (!x_bar_dot[0].empty() && !x_dot[1].empty()) LeftGradient(y_bar[0], x_dot[1], x_bar_dot[0], /*accumulate=*/true);
  if (!x_bar_dot[1].empty() && !x_dot[0].empty()) RightGradient(x_dot[0], y_bar[0], x_bar_dot[1], /*accumulate=*/true);
}

absl::Status CheckArity(const OpRequest& request, size_t min_inputs, size_t max_inputs, size_t num_floats) {
  size_t given = request.inputs.size();
  while (given > 0 && request.inputs[given - 1] == nullptr) --given;
  for (size_t i = 0; i < min_inputs; ++i) {
    if (!request.has_input(i)) return InvalidArgument("inputs: input {} is missing, want at least {}", i, min_inputs);
  }
  if (given > max_inputs) return InvalidArgument("inputs: got {}, want at most {}", given, max_inputs);
  for (size_t i = 0; i < std::min(given, num_floats); ++i) {
    if (request.has_input(i) && std::holds_alternative<IntTensor>(request.inputs[i]->constant)) {
      return Unimplemented("inputs[{}] '{}': an integer tensor, want float", i, request.inputs[i]->name);
    }
  }
  const std::vector<ValueId>& outputs = request.node.outputs;
  if (outputs.empty() || outputs[0] == kNoValue) return InvalidArgument("outputs: output 0 is missing");
  return absl::OkStatus();
}

absl::Status CheckShape(const Shape& shape) {
  for (const int64_t size : shape) {
    if (size < 1) return InvalidArgument("shape {}: sizes must be at least 1", ToString(shape));
  }
  if (CheckedNumElements(shape, kMaxValueElements) < 0) {
    return ResourceExhausted("shape {}: more than {} elements", ToString(shape), kMaxValueElements);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> ConstantInts(const OpRequest& request, size_t input, std::string_view what) {
  const auto& constant = request.inputs[input]->constant;
  if (const auto* ints = std::get_if<IntTensor>(&constant)) return ints->data;
  if (std::holds_alternative<Tensor>(constant)) return InvalidArgument("{}: got a float tensor, want integers", what);
  return Unimplemented("{}: computed at run time, want a constant", what);
}

absl::StatusOr<float> ConstantScalar(const OpRequest& request, size_t input, std::string_view what) {
  const auto& constant = request.inputs[input]->constant;
  if (!request.inputs[input]->is_constant()) return Unimplemented("{}: computed at run time, want a constant", what);
  if (NumElements(request.shape(input)) != 1) {
    return InvalidArgument("{}: got shape {}, want one element", what, ToString(request.shape(input)));
  }
  if (const auto* ints = std::get_if<IntTensor>(&constant)) return static_cast<float>(ints->data[0]);
  return std::get<Tensor>(constant).data[0];
}

absl::StatusOr<const Tensor*> ConstantTensor(const OpRequest& request, size_t input, std::string_view what) {
  if (const auto* tensor = std::get_if<Tensor>(&request.inputs[input]->constant)) return tensor;
  return Unimplemented("{}: want a constant float tensor", what);
}

absl::StatusOr<int64_t> NormalizedAxis(int64_t axis, int64_t rank, std::string_view what) {
  if (axis < -rank || axis >= rank) return InvalidArgument("{}: got {}, want -{}..{}", what, axis, rank, rank - 1);
  return axis < 0 ? axis + rank : axis;
}

}  // namespace bitplan::ops
