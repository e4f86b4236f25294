#include <algorithm>
#include <string_view>
#include <utility>

#include "search/base/status.h"
#include "search/ops/index_map.h"
#include "search/ops/make_operators.h"
#include "search/ops/strided_copy.h"

namespace bitplan::ops {
namespace {

// Mode constant.
class PadOperator final : public LinearMap {
 public:
  PadOperator(Shape out, StridedRegion region, float value)
      : LinearMap(std::move(out)), region_(std::move(region)), value_(value) {}

  void Forward(Reads x, Writes y) const override {
    std::fill(y[0].begin(), y[0].end(), value_);
    region_.ForEach([&](int64_t i, int64_t o) { y[0][o] = x[0][i]; });
  }

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override {
    std::fill(y.begin(), y.end(), 0.0F);
    region_.ForEach([&](int64_t i, int64_t o) { y[o] = x[i]; });
  }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override {
    std::fill(x.begin(), x.end(), 0.0F);
    region_.ForEach([&](int64_t i, int64_t o) { x[i] = y[o]; });
  }

  StridedRegion region_;
  float value_;
};

// begin and end for every dimension. Attributes before opset 11, constant inputs from then on.
struct PadAmounts {
  std::vector<int64_t> begin;
  std::vector<int64_t> end;
};

absl::StatusOr<std::vector<int64_t>> PadAxes(const OpRequest& request) {
  std::vector<int64_t> axes;
  for (int64_t d = 0; d < request.rank(0); ++d) axes.push_back(d);
  if (!request.has_input(3)) return axes;
  BITPLAN_ASSIGN_OR_RETURN(axes, ConstantInts(request, 3, "axes"));
  for (int64_t& axis : axes) {
    BITPLAN_ASSIGN_OR_RETURN(axis, NormalizedAxis(axis, request.rank(0), "axes"));
  }
  std::vector<int64_t> sorted = axes;
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end()) return InvalidArgument("axes: an axis is listed twice");
  return axes;
}

absl::StatusOr<PadAmounts> ParsePads(const OpRequest& request) {
  std::vector<int64_t> pads;
  if (request.opset_version < 11) {
    BITPLAN_ASSIGN_OR_RETURN(pads, IntsAttribute(request.node, "pads", {}));
  } else {
    BITPLAN_ASSIGN_OR_RETURN(pads, ConstantInts(request, 1, "pads"));
  }
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, PadAxes(request));
  if (pads.size() != 2 * axes.size()) {
    return InvalidArgument("pads: got {} entries, want {}", pads.size(), 2 * axes.size());
  }
  constexpr int64_t kMaxPad = int64_t{1} << 31;  // far below overflow when added to a size
  const size_t rank = request.shape(0).size();
  PadAmounts amounts{.begin = std::vector<int64_t>(rank, 0), .end = std::vector<int64_t>(rank, 0)};
  for (size_t i = 0; i < axes.size(); ++i) {
    amounts.begin[axes[i]] = std::clamp(pads[i], -kMaxPad, kMaxPad);
    amounts.end[axes[i]] = std::clamp(pads[i + axes.size()], -kMaxPad, kMaxPad);
  }
  return amounts;
}

// The element of a dimension that stands at position i (may be outside) in mode edge, reflect or wrap.
int64_t PadSource(std::string_view mode, int64_t i, int64_t size) {
  if (mode == "edge" || size == 1) return std::clamp<int64_t>(i, 0, size - 1);
  const int64_t period = mode == "wrap" ? size : 2 * (size - 1);
  const int64_t phase = (i % period + period) % period;
  return phase < size ? phase : period - phase;
}

MadeOperator MakeRepeatingPad(const Shape& x, const PadAmounts& pads, std::string_view mode) {
  constexpr int64_t kMaxList = int64_t{1} << 24;  // the places of a padded dimension are written down
  const std::vector<int64_t> strides = RowMajorStrides(x);
  Offsets offsets = WholeTensor(x);
  for (size_t d = 0; d < x.size(); ++d) {
    if (pads.begin[d] == 0 && pads.end[d] == 0) continue;
    if (x[d] + pads.begin[d] + pads.end[d] > kMaxList) {
      return ResourceExhausted("pads: size {} of {} becomes more than {}", d, ToString(x), kMaxList);
    }
    std::vector<int64_t> list;
    for (int64_t i = -pads.begin[d]; i < x[d] + pads.end[d]; ++i) list.push_back(PadSource(mode, i, x[d]) * strides[d]);
    offsets[d] = AxisOffsets(std::move(list));
  }
  return MakeIndexMapOperator(offsets);
}

absl::StatusOr<float> PadValue(const OpRequest& request) {
  if (request.opset_version < 11) return FloatAttribute(request.node, "value", 0);
  return request.has_input(2) ? ConstantScalar(request, 2, "constant_value") : 0.0F;
}

}  // namespace

// Negative pads cut off, in every mode.
MadeOperator MakePad(const OpRequest& request) {
  const bool by_input = request.opset_version >= 11;
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, by_input ? 2 : 1, by_input ? 4 : 1, 1));
  BITPLAN_ASSIGN_OR_RETURN(const std::string mode, StringAttribute(request.node, "mode", "constant"));
  const bool repeats = mode == "edge" || mode == "reflect" || (mode == "wrap" && request.opset_version >= 19);
  if (!repeats && mode != "constant") {
    return InvalidArgument("mode: got '{}', want constant, edge, reflect or (from opset 19) wrap", mode);
  }
  BITPLAN_ASSIGN_OR_RETURN(const PadAmounts pads, ParsePads(request));
  BITPLAN_ASSIGN_OR_RETURN(const float value, PadValue(request));
  const Shape& x = request.shape(0);
  Shape out = x;
  for (size_t d = 0; d < x.size(); ++d) {
    out[d] = x[d] + pads.begin[d] + pads.end[d];
    if (out[d] < 1) return InvalidArgument("pads: size {} of {} becomes {}", d, ToString(x), out[d]);
  }
  BITPLAN_RETURN_IF_ERROR(CheckShape(out));
  if (repeats) return MakeRepeatingPad(x, pads, mode);
  StridedRegion region{.sizes = x, .x_strides = RowMajorStrides(x), .y_strides = RowMajorStrides(out)};
  for (size_t d = 0; d < x.size(); ++d) {
    const int64_t first = std::max<int64_t>(0, -pads.begin[d]);  // of x
    region.sizes[d] = std::min(x[d], x[d] + pads.end[d]) - first;
    region.x_offset += first * region.x_strides[d];
    region.y_offset += (first + pads.begin[d]) * region.y_strides[d];
  }
  return std::make_unique<PadOperator>(std::move(out), std::move(region), value);
}

}  // namespace bitplan::ops
