#include <algorithm>
#include <numeric>
#include <utility>

#include "search/base/status.h"
#include "search/ops/index_map.h"
#include "search/ops/make_operators.h"
#include "search/ops/strided_copy.h"

namespace bitplan::ops {
namespace {

// y = x with dimension d of y taken from dimension perm[d] of x. The transpose is the inverse permutation: both ways
// read all over and write in order.
class TransposeOperator final : public LinearMap {
 public:
  TransposeOperator(Shape out, const Offsets& from_x, const Offsets& from_y)
      : LinearMap(std::move(out)), from_x_(from_x), from_y_(from_y) {}

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override { from_x_.Apply(x, y); }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override { from_y_.Apply(y, x); }

  IndexMap from_x_;
  IndexMap from_y_;
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
  Shape out;
  for (const int64_t d : perm) out.push_back(x[d]);
  const std::vector<int64_t> x_strides = RowMajorStrides(x);
  const std::vector<int64_t> y_strides = RowMajorStrides(out);
  Offsets from_x = WholeTensor(out);
  Offsets from_y = WholeTensor(x);
  for (size_t d = 0; d < x.size(); ++d) {
    from_x[d].step = x_strides[perm[d]];
    from_y[perm[d]].step = y_strides[d];
  }
  return std::make_unique<TransposeOperator>(std::move(out), from_x, from_y);
}

}  // namespace bitplan::ops
