#include <algorithm>
#include <utility>

#include "search/base/check.h"
#include "search/base/status.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// A float tensor that the importer did not fold. It has no inputs, so it never takes part in a derivative.
class ConstantOperator final : public Operator {
 public:
  explicit ConstantOperator(Tensor value) : Operator(value.shape), value_(std::move(value)) {}

  void Forward(Reads /*x*/, Writes y) const override { std::ranges::copy(value_.data, y[0].begin()); }
  void Jvp(const Primal& /*primal*/, Reads /*x_dot*/, Writes /*y_dot*/) const override { BITPLAN_CHECK(false); }
  void Vjp(const Primal& /*primal*/, Reads /*y_bar*/, Writes /*x_bar*/) const override {}

 private:
  Tensor value_;
};

MadeOperator Make(Tensor value) { return std::make_unique<ConstantOperator>(std::move(value)); }

}  // namespace

// Reads value (a float tensor), value_float or value_floats.
MadeOperator MakeConstant(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 0, 0));
  const Attributes& attributes = request.node.attributes;
  if (attributes.size() != 1) return InvalidArgument("attributes: got {}, want one value", attributes.size());
  const Attribute& value = attributes.begin()->second;
  if (const auto* tensor = std::get_if<Tensor>(&value)) return Make(*tensor);
  if (const auto* scalar = std::get_if<float>(&value)) return Make(Tensor{.shape = {}, .data = {*scalar}});
  if (const auto* list = std::get_if<std::vector<float>>(&value)) {
    return Make(Tensor{.shape = {static_cast<int64_t>(list->size())}, .data = FloatVector(list->begin(), list->end())});
  }
  return Unimplemented("{}: only float constants are computed at run time", attributes.begin()->first);
}

}  // namespace bitplan::ops
