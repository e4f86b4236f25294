#include <algorithm>
#include <numeric>
#include <utility>

#include "search/base/status.h"
#include "search/ops/make_operators.h"
#include "search/ops/strided_copy.h"

namespace bitplan::ops {
namespace {

// y[i_0, ..] = x with dimension d of y taken from dimension perm[d] of x.
class TransposeOperator final : public LinearMap {
 public:
  // Walks y in order; input_strides are those of x along y's dimensions.
  TransposeOperator(const Shape& out, std::vector<int64_t> input_strides)
      : LinearMap(out),
        region_{.sizes = out, .x_strides = std::move(input_strides), .y_strides = RowMajorStrides(out)} {}

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override {
    region_.ForEach([&](int64_t i, int64_t o) { y[o] = x[i]; });
  }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override {
    region_.ForEach([&](int64_t i, int64_t o) { x[i] = y[o]; });
  }

  StridedRegion region_;
};

}  // namespace

MadeOperator MakeTranspose(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  const Shape& x = request.shape(0);
  std::vector<int64_t> reversed(x.size());
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  BITPLAN_ASSIGN_OR_RETURN(const auto perm, IntsAttribute(request.node, "perm", reversed));
  std::vector<int64_t> sorted = perm;
  std::ranges::sort(sorted);
  std::ranges::reverse(reversed);
  if (sorted != reversed) {
    return InvalidArgument("perm: {} is no permutation of the {} dimensions", ToString(perm), x.size());
  }
  const std::vector<int64_t> strides = RowMajorStrides(x);
  Shape out;
  std::vector<int64_t> input_strides;
  for (const int64_t d : perm) {
    out.push_back(x[d]);
    input_strides.push_back(strides[d]);
  }
  return std::make_unique<TransposeOperator>(out, std::move(input_strides));
}

}  // namespace bitplan::ops
