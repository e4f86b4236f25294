#include <algorithm>
#include <utility>

#include "search/base/status.h"
#include "search/ops/float_operands.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// Matrices in the last two dimensions: y_ij = x_ij where j - i >= k (upper) or j - i <= k (lower), else 0.
class TriluOperator final : public LinearMap {
 public:
  TriluOperator(const Shape& shape, int64_t k, bool upper)
      : LinearMap(shape), rows_(shape[shape.size() - 2]), columns_(shape.back()), k_(k), upper_(upper) {}

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override {
    const int64_t num_lines = static_cast<int64_t>(x.size()) / columns_;
    for (int64_t line = 0; line < num_lines; ++line) {
      const int64_t diagonal = line % rows_ + k_;
      const int64_t begin = upper_ ? std::clamp<int64_t>(diagonal, 0, columns_) : 0;
      const int64_t end = upper_ ? columns_ : std::clamp<int64_t>(diagonal + 1, 0, columns_);
      const auto out = y.subspan(line * columns_, columns_);
      std::fill(out.begin(), out.end(), 0.0F);
      std::copy_n(x.begin() + line * columns_ + begin, end - begin, out.begin() + begin);
    }
  }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override { Apply(y, x); }

  int64_t rows_;
  int64_t columns_;
  int64_t k_;
  bool upper_;
};

MadeOperator MakeTriluOfFloats(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 2, 1));
  if (request.rank(0) < 2) return InvalidArgument("inputs[0]: shape {}, want [.., M, N]", ToString(request.shape(0)));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t upper, IntAttribute(request.node, "upper", 1));
  float k = 0;
  if (request.has_input(1)) {
    BITPLAN_ASSIGN_OR_RETURN(k, ConstantScalar(request, 1, "k"));
  }
  return std::make_unique<TriluOperator>(request.shape(0), static_cast<int64_t>(k), upper != 0);
}

}  // namespace

// Trilu: k must be constant. A constant mask of booleans or integers becomes floats.
MadeOperator MakeTrilu(const OpRequest& request) { return MakeWithFloatOperands(request, &MakeTriluOfFloats); }

}  // namespace bitplan::ops
