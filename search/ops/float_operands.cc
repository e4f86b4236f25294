#include "search/ops/float_operands.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "search/base/status.h"

namespace bitplan::ops {
namespace {

constexpr int64_t kLargestExact = int64_t{1} << 24;

// An operator with constant operands put in where the graph has integers.
class WithConstants final : public Operator {
 public:
  // constants[i] is input i; empty where the graph's own tensor is read.
  WithConstants(std::unique_ptr<Operator> op, std::vector<FloatVector> constants)
      : Operator(op->output_shapes()), op_(std::move(op)), constants_(std::move(constants)) {}

  void Forward(Reads x, Writes y) const override { op_->Forward(Complete(x), y); }
  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    const auto x = Complete(primal.x);
    op_->Jvp({x, primal.y}, x_dot, y_dot);
  }
  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    const auto x = Complete(primal.x);
    op_->Vjp({x, primal.y}, y_bar, x_bar);
  }
  void VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const override {
    const auto x = Complete(primal.x);
    op_->VjpTangent({x, primal.y}, x_dot, y_bar, y_bar_dot, x_bar_dot);
  }
  std::optional<WeightUse> weight_use() const override { return op_->weight_use(); }
  absl::Status Prepare() override { return op_->Prepare(); }

 private:
  std::vector<std::span<const float>> Complete(Reads x) const {
    std::vector<std::span<const float>> all(x.begin(), x.end());
    for (size_t i = 0; i < all.size(); ++i) {
      if (!constants_[i].empty()) all[i] = constants_[i];
    }
    return all;
  }

  std::unique_ptr<Operator> op_;
  std::vector<FloatVector> constants_;
};

absl::StatusOr<Tensor> ToFloats(const IntTensor& ints) {
  for (const int64_t value : ints.data) {
    if (value < -kLargestExact || value > kLargestExact) {
      return Unimplemented("an integer beyond 2^24 ({}) among float operands", value);
    }
  }
  return Tensor{.shape = ints.shape, .data = FloatVector(ints.data.begin(), ints.data.end())};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Operator>> MakeWithFloatOperands(
    const OpRequest& request, absl::StatusOr<std::unique_ptr<Operator>> (*make)(const OpRequest& request)) {
  OpRequest with_floats = request;
  std::vector<Value> values(request.inputs.size());
  std::vector<FloatVector> constants(request.inputs.size());
  bool any = false;
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const auto* ints = request.has_input(i) ? std::get_if<IntTensor>(&request.inputs[i]->constant) : nullptr;
    if (ints == nullptr) continue;
    BITPLAN_ASSIGN_OR_RETURN(Tensor floats, ToFloats(*ints));
    constants[i] = floats.data;
    values[i] = Value{.name = request.inputs[i]->name, .constant = std::move(floats)};
    with_floats.inputs[i] = &values[i];
    any = true;
  }
  if (!any) return make(request);
  BITPLAN_ASSIGN_OR_RETURN(std::unique_ptr<Operator> op, make(with_floats));
  return std::make_unique<WithConstants>(std::move(op), std::move(constants));
}

}  // namespace bitplan::ops
