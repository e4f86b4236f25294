// Operators that pick elements: Gather, Slice.

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "search/base/status.h"
#include "search/ops/embedding.h"
#include "search/ops/index_map.h"
#include "search/ops/make_operators.h"
#include "search/ops/strided_copy.h"

namespace bitplan::ops {
namespace {

// What Slice takes from each axis it names.
struct SliceBounds {
  std::vector<int64_t> starts;
  std::vector<int64_t> ends;
  std::vector<int64_t> axes;
  std::vector<int64_t> steps;
};

// Attributes before opset 10, constant inputs from then on.
absl::StatusOr<SliceBounds> ReadSliceBounds(const OpRequest& request) {
  SliceBounds bounds;
  if (request.opset_version < 10) {
    BITPLAN_ASSIGN_OR_RETURN(bounds.starts, IntsAttribute(request.node, "starts", {}));
    BITPLAN_ASSIGN_OR_RETURN(bounds.ends, IntsAttribute(request.node, "ends", {}));
    BITPLAN_ASSIGN_OR_RETURN(bounds.axes, IntsAttribute(request.node, "axes", {}));
  } else {
    BITPLAN_ASSIGN_OR_RETURN(bounds.starts, ConstantInts(request, 1, "starts"));
    BITPLAN_ASSIGN_OR_RETURN(bounds.ends, ConstantInts(request, 2, "ends"));
    if (request.has_input(3)) {
      BITPLAN_ASSIGN_OR_RETURN(bounds.axes, ConstantInts(request, 3, "axes"));
    }
    if (request.has_input(4)) {
      BITPLAN_ASSIGN_OR_RETURN(bounds.steps, ConstantInts(request, 4, "steps"));
    }
  }
  if (bounds.axes.empty()) {
    bounds.axes.resize(bounds.starts.size());
    std::iota(bounds.axes.begin(), bounds.axes.end(), 0);
  }
  if (bounds.steps.empty()) bounds.steps.resize(bounds.starts.size(), 1);
  const size_t count = bounds.starts.size();
  if (bounds.ends.size() != count || bounds.axes.size() != count || bounds.steps.size() != count) {
    return InvalidArgument("starts, ends, axes and steps: got {}, {}, {} and {} entries, want as many of each", count,
                           bounds.ends.size(), bounds.axes.size(), bounds.steps.size());
  }
  return bounds;
}

// Indices start, start + step, .. before end, of a dimension of `size`, as offsets of one element each. Bounds count
// from the end where negative and are clamped.
absl::StatusOr<AxisOffsets> SliceIndices(int64_t start, int64_t end, int64_t step, int64_t size) {
  if (step == 0) return InvalidArgument("steps: got 0, want another number");
  const auto clamped = [&](int64_t bound, int64_t low, int64_t high) {
    return std::clamp(bound < 0 && bound >= -size ? bound + size : bound, low, high);
  };
  const bool forward = step > 0;
  const int64_t first = clamped(start, 0, forward ? size : size - 1);
  const int64_t last = clamped(end, forward ? 0 : -1, forward ? size : size - 1);
  const int64_t span = forward ? last - first : first - last;
  if (span <= 0) return Unimplemented("starts and ends: {}..{} of a size of {} is empty", start, end, size);
  const int64_t stride = std::clamp(step, -size, size);  // longer steps take one element as well
  return AxisOffsets((span + std::abs(stride) - 1) / std::abs(stride), stride, first);
}

}  // namespace

// Gather: the indices are constant, or a computed integer.
MadeOperator MakeGather(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2, 1));
  BITPLAN_ASSIGN_OR_RETURN(int64_t axis, IntAttribute(request.node, "axis", 0));
  BITPLAN_ASSIGN_OR_RETURN(axis, NormalizedAxis(axis, request.rank(0), "axis"));
  if (request.inputs[1]->integer) return MakeLookup(request, axis);
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> indices, ConstantInts(request, 1, "indices"));
  const Shape& x = request.shape(0);
  Offsets offsets = WholeTensor(x);
  const int64_t stride = RowMajorStrides(x)[axis];
  std::vector<int64_t> picked;
  for (const int64_t index : indices) {
    if (index < -x[axis] || index >= x[axis]) {
      return InvalidArgument("indices: got {}, want {}..{}", index, -x[axis], x[axis] - 1);
    }
    picked.push_back((index < 0 ? index + x[axis] : index) * stride);
  }
  if (indices.empty()) return Unimplemented("indices: none, so the result is empty");
  offsets[axis] = AxisOffsets(std::move(picked));
  Shape out(x.begin(), x.begin() + axis);
  out.insert(out.end(), request.shape(1).begin(), request.shape(1).end());
  out.insert(out.end(), x.begin() + axis + 1, x.end());
  BITPLAN_RETURN_IF_ERROR(CheckShape(out));
  return MakeIndexMapOperator(std::move(out), offsets);
}

MadeOperator MakeSlice(const OpRequest& request) {
  const bool by_input = request.opset_version >= 10;
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, by_input ? 3 : 1, by_input ? 5 : 1, 1));
  BITPLAN_ASSIGN_OR_RETURN(const SliceBounds bounds, ReadSliceBounds(request));
  const Shape& x = request.shape(0);
  const std::vector<int64_t> strides = RowMajorStrides(x);
  Offsets offsets = WholeTensor(x);
  std::vector<bool> seen(x.size(), false);
  for (size_t i = 0; i < bounds.axes.size(); ++i) {
    BITPLAN_ASSIGN_OR_RETURN(const int64_t axis, NormalizedAxis(bounds.axes[i], request.rank(0), "axes"));
    if (seen[axis]) return InvalidArgument("axes: axis {} is listed twice", axis);
    seen[axis] = true;
    BITPLAN_ASSIGN_OR_RETURN(offsets[axis], SliceIndices(bounds.starts[i], bounds.ends[i], bounds.steps[i], x[axis]));
    offsets[axis].first *= strides[axis];
    offsets[axis].step *= strides[axis];
  }
  return MakeIndexMapOperator(offsets);
}

}  // namespace bitplan::ops
