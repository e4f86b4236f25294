#include "search/onnx/constant_folding.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "search/base/status.h"
#include "search/onnx/tensor_decode.h"

namespace bitplan::onnx {
namespace {

using Ints = std::vector<int64_t>;

// From these versions on the axes of Squeeze and Unsqueeze and the bounds of Slice are inputs; before, attributes.
constexpr int64_t kAxesAreInputs = 13;
constexpr int64_t kSliceHasInputs = 10;

const ConstantRef* Input(const FoldRequest& request, size_t i) {
  return i < request.inputs.size() ? request.inputs[i] : nullptr;
}

absl::StatusOr<const ConstantRef*> RequiredInput(const FoldRequest& request, size_t i) {
  const ConstantRef* input = Input(request, i);
  if (input == nullptr) return InvalidArgument("input {} is missing", i);
  return input;
}

absl::StatusOr<const IntTensor*> IntInput(const FoldRequest& request, size_t i) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, i));
  if (input->ints == nullptr) return InvalidArgument("input {}: floating point, want integers", i);
  return input->ints;
}

// Input i as integers, or nothing if it is not given.
absl::StatusOr<std::optional<Ints>> OptionalInts(const FoldRequest& request, size_t i) {
  if (Input(request, i) == nullptr) return std::optional<Ints>();
  BITPLAN_ASSIGN_OR_RETURN(const IntTensor* ints, IntInput(request, i));
  return std::optional<Ints>(ints->data);
}

absl::StatusOr<int64_t> NormalizeAxis(int64_t axis, size_t rank) {
  const auto size = static_cast<int64_t>(rank);
  if (axis < -size || axis >= size) return InvalidArgument("axis {}: want {}..{}", axis, -size, size - 1);
  return axis < 0 ? axis + size : axis;
}

absl::StatusOr<Ints> NormalizeAxes(Ints axes, size_t rank) {
  for (int64_t& axis : axes) {
    BITPLAN_ASSIGN_OR_RETURN(axis, NormalizeAxis(axis, rank));
  }
  std::ranges::sort(axes);
  if (std::ranges::adjacent_find(axes) != axes.end()) return InvalidArgument("an axis occurs twice");
  return axes;
}

// Elements of a result, checked before it is allocated. Vectors may be empty, nothing else: sizes beside a 0 could be
// anything, and loops over them would never end.
absl::StatusOr<int64_t> CountElements(const FoldRequest& request, const Shape& shape) {
  const int64_t count = CheckedNumElements(shape, request.max_elements);
  if (count < 0) {
    return InvalidArgument(
        "shape {}: a size below 0, or more than the {} elements that computed constants may still have",
        ToString(shape), request.max_elements);
  }
  if (count == 0 && shape.size() != 1) return InvalidArgument("shape {}: no elements", ToString(shape));
  return count;
}

// A result whose element i is the element sources[i] of the input.
struct Rearrangement {
  Shape shape;
  Ints sources;
};

Constant Apply(Rearrangement rearrangement, const ConstantRef& input) {
  const auto pick = [&](const auto& from, auto& to) {
    to.shape = std::move(rearrangement.shape);
    to.data.reserve(rearrangement.sources.size());
    for (const int64_t source : rearrangement.sources) to.data.push_back(from.data[source]);
  };
  if (input.floats != nullptr) {
    Tensor out;
    pick(*input.floats, out);
    return out;
  }
  IntTensor out;
  pick(*input.ints, out);
  return out;
}

Ints RowMajorStrides(const Shape& shape) {
  Ints strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

// Element indices begin + sum_k index_k * strides[k] for all multi-indices of `shape`, the last running fastest.
Ints StridedSources(const Shape& shape, const Ints& strides, int64_t begin, int64_t count) {
  Ints sources;
  sources.reserve(count);
  Ints index(shape.size(), 0);
  for (int64_t source = begin; static_cast<int64_t>(sources.size()) < count;) {
    sources.push_back(source);
    for (size_t axis = shape.size(); axis-- > 0;) {
      source += strides[axis];
      if (++index[axis] < shape[axis]) break;
      source -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return sources;
}

// The input with another shape of as many elements.
absl::StatusOr<Constant> WithShape(const FoldRequest& request, Shape shape) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, 0));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t count, CountElements(request, shape));
  if (count != NumElements(input->shape())) {
    return InvalidArgument("shape {} does not fit the input {}", ToString(shape), ToString(input->shape()));
  }
  if (input->floats != nullptr) return Tensor{.shape = std::move(shape), .data = input->floats->data};
  return IntTensor{.shape = std::move(shape), .data = input->ints->data};
}

absl::StatusOr<Constant> FoldIdentity(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, 0));
  return WithShape(request, input->shape());
}

// Replaces the one -1 by the size that makes the element counts equal.
absl::Status InferWildcard(const Shape& input, Shape& shape) {
  const auto wildcard = std::ranges::find(shape, -1);
  if (wildcard == shape.end()) return absl::OkStatus();
  *wildcard = 1;
  const int64_t others = CheckedNumElements(shape, std::numeric_limits<int64_t>::max());
  if (others <= 0 || NumElements(input) % others != 0) {
    return InvalidArgument("shape: -1 cannot stand for a whole size, the input is {}", ToString(input));
  }
  *wildcard = NumElements(input) / others;
  return absl::OkStatus();
}

absl::StatusOr<Constant> FoldReshape(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, 0));
  BITPLAN_ASSIGN_OR_RETURN(const IntTensor* wanted, IntInput(request, 1));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t allow_zero, IntAttribute(request.node, "allowzero", 0));
  Shape shape = wanted->data;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != 0 || allow_zero != 0) continue;
    if (i >= input->shape().size()) return InvalidArgument("shape: 0 at {}, the input has no such dimension", i);
    shape[i] = input->shape()[i];
  }
  BITPLAN_RETURN_IF_ERROR(InferWildcard(input->shape(), shape));
  return WithShape(request, std::move(shape));
}

absl::StatusOr<Constant> FoldFlatten(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, 0));
  BITPLAN_ASSIGN_OR_RETURN(int64_t axis, IntAttribute(request.node, "axis", 1));
  const Shape& shape = input->shape();
  const auto rank = static_cast<int64_t>(shape.size());
  if (axis < -rank || axis > rank) return InvalidArgument("axis {}: want {}..{}", axis, -rank, rank);
  if (axis < 0) axis += rank;
  const Shape outer(shape.begin(), shape.begin() + axis);
  const Shape inner(shape.begin() + axis, shape.end());
  return WithShape(request, {NumElements(outer), NumElements(inner)});
}

absl::StatusOr<std::optional<Ints>> AxesOf(const FoldRequest& request) {
  if (request.opset_version >= kAxesAreInputs) return OptionalInts(request, 1);
  if (!request.node.attributes.contains("axes")) return std::optional<Ints>();
  BITPLAN_ASSIGN_OR_RETURN(Ints axes, IntsAttribute(request.node, "axes", {}));
  return std::optional<Ints>(std::move(axes));
}

absl::StatusOr<Constant> FoldSqueeze(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, 0));
  BITPLAN_ASSIGN_OR_RETURN(std::optional<Ints> axes, AxesOf(request));
  const Shape& from = input->shape();
  if (axes) {
    BITPLAN_ASSIGN_OR_RETURN(axes, NormalizeAxes(*std::move(axes), from.size()));
  }
  Shape shape;
  for (int64_t i = 0; i < static_cast<int64_t>(from.size()); ++i) {
    const bool drop = axes ? std::ranges::binary_search(*axes, i) : from[i] == 1;
    if (drop && from[i] != 1) return InvalidArgument("axis {} has size {}, want 1", i, from[i]);
    if (!drop) shape.push_back(from[i]);
  }
  return WithShape(request, std::move(shape));
}

absl::StatusOr<Constant> FoldUnsqueeze(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, 0));
  BITPLAN_ASSIGN_OR_RETURN(std::optional<Ints> axes, AxesOf(request));
  if (!axes) return InvalidArgument("axes are missing");
  const size_t rank = input->shape().size() + axes->size();
  BITPLAN_ASSIGN_OR_RETURN(axes, NormalizeAxes(*std::move(axes), rank));
  Shape shape = input->shape();
  for (const int64_t axis : *axes) shape.insert(shape.begin() + axis, 1);
  return WithShape(request, std::move(shape));
}

absl::StatusOr<Constant> FoldTranspose(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, 0));
  Ints order(input->shape().size());
  std::iota(order.rbegin(), order.rend(), 0);
  BITPLAN_ASSIGN_OR_RETURN(order, IntsAttribute(request.node, "perm", std::move(order)));
  BITPLAN_ASSIGN_OR_RETURN(const Ints sorted, NormalizeAxes(order, input->shape().size()));
  if (sorted.size() != input->shape().size() || std::ranges::any_of(order, [](int64_t axis) { return axis < 0; })) {
    return InvalidArgument("perm: want each axis of {} once", ToString(input->shape()));
  }
  const Ints strides = RowMajorStrides(input->shape());
  Rearrangement result;
  Ints permuted;
  for (const int64_t axis : order) {
    result.shape.push_back(input->shape()[axis]);
    permuted.push_back(strides[axis]);
  }
  BITPLAN_ASSIGN_OR_RETURN(const int64_t count, CountElements(request, result.shape));
  result.sources = StridedSources(result.shape, permuted, 0, count);
  return Apply(std::move(result), *input);
}

// What Slice takes from each axis: begin, begin + step, ...
struct SliceBounds {
  Ints starts;
  Ints ends;
  Ints axes;
  Ints steps;
};

absl::StatusOr<SliceBounds> ReadSliceAttributes(const FoldRequest& request) {
  SliceBounds bounds;
  BITPLAN_ASSIGN_OR_RETURN(bounds.starts, IntsAttribute(request.node, "starts", {}));
  BITPLAN_ASSIGN_OR_RETURN(bounds.ends, IntsAttribute(request.node, "ends", {}));
  BITPLAN_ASSIGN_OR_RETURN(bounds.axes, IntsAttribute(request.node, "axes", {}));
  return bounds;
}

absl::StatusOr<SliceBounds> ReadSliceInputs(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const IntTensor* starts, IntInput(request, 1));
  BITPLAN_ASSIGN_OR_RETURN(const IntTensor* ends, IntInput(request, 2));
  BITPLAN_ASSIGN_OR_RETURN(std::optional<Ints> axes, OptionalInts(request, 3));
  BITPLAN_ASSIGN_OR_RETURN(std::optional<Ints> steps, OptionalInts(request, 4));
  return SliceBounds{.starts = starts->data,
                     .ends = ends->data,
                     .axes = std::move(axes).value_or(Ints()),
                     .steps = std::move(steps).value_or(Ints())};
}

absl::StatusOr<SliceBounds> ReadSliceBounds(const FoldRequest& request, size_t rank) {
  BITPLAN_ASSIGN_OR_RETURN(SliceBounds bounds, request.opset_version >= kSliceHasInputs ? ReadSliceInputs(request)
                                                                                        : ReadSliceAttributes(request));
  if (bounds.axes.empty()) {
    bounds.axes.resize(bounds.starts.size());
    std::iota(bounds.axes.begin(), bounds.axes.end(), 0);
  }
  if (bounds.steps.empty()) bounds.steps.resize(bounds.starts.size(), 1);
  const size_t count = bounds.starts.size();
  if (bounds.ends.size() != count || bounds.axes.size() != count || bounds.steps.size() != count) {
    return InvalidArgument("starts, ends, axes and steps differ in length");
  }
  BITPLAN_RETURN_IF_ERROR(NormalizeAxes(bounds.axes, rank).status());
  if (std::ranges::count(bounds.steps, 0) > 0) return InvalidArgument("steps: 0 is not a step");
  return bounds;
}

// Clamps a bound as the specification says: forward to 0..size, backward to -1..size-1.
int64_t ClampBound(int64_t bound, int64_t size, int64_t step, bool is_end) {
  if (size == 0) return 0;
  if (bound < 0 && bound >= -size) bound += size;
  if (step > 0) return std::clamp<int64_t>(bound, 0, size);
  return std::clamp<int64_t>(bound, is_end ? -1 : 0, size - 1);
}

absl::StatusOr<Constant> FoldSlice(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, 0));
  const Shape& from = input->shape();
  BITPLAN_ASSIGN_OR_RETURN(const SliceBounds bounds, ReadSliceBounds(request, from.size()));
  Rearrangement result{.shape = from};
  Ints strides = RowMajorStrides(from);
  int64_t begin = 0;
  for (size_t i = 0; i < bounds.axes.size(); ++i) {
    BITPLAN_ASSIGN_OR_RETURN(const int64_t axis, NormalizeAxis(bounds.axes[i], from.size()));
    // A step longer than the axis takes one element, whatever its length.
    const int64_t step = std::clamp<int64_t>(bounds.steps[i], -from[axis] - 1, from[axis] + 1);
    const int64_t first = ClampBound(bounds.starts[i], from[axis], step, false);
    const int64_t last = ClampBound(bounds.ends[i], from[axis], step, true);
    const int64_t span = step > 0 ? last - first : first - last;
    result.shape[axis] = std::max<int64_t>(0, (span + std::abs(step) - 1) / std::abs(step));
    begin += first * strides[axis];
    strides[axis] *= step;
  }
  BITPLAN_ASSIGN_OR_RETURN(const int64_t count, CountElements(request, result.shape));
  result.sources = StridedSources(result.shape, strides, begin, count);
  return Apply(std::move(result), *input);
}

absl::StatusOr<Constant> FoldGather(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, 0));
  BITPLAN_ASSIGN_OR_RETURN(const IntTensor* indices, IntInput(request, 1));
  BITPLAN_ASSIGN_OR_RETURN(int64_t axis, IntAttribute(request.node, "axis", 0));
  const Shape& from = input->shape();
  BITPLAN_ASSIGN_OR_RETURN(axis, NormalizeAxis(axis, from.size()));
  const int64_t outer = NumElements(Shape(from.begin(), from.begin() + axis));
  const int64_t inner = NumElements(Shape(from.begin() + axis + 1, from.end()));
  Rearrangement result{.shape = Shape(from.begin(), from.begin() + axis)};
  result.shape.insert(result.shape.end(), indices->shape.begin(), indices->shape.end());
  result.shape.insert(result.shape.end(), from.begin() + axis + 1, from.end());
  BITPLAN_RETURN_IF_ERROR(CountElements(request, result.shape).status());
  for (int64_t i = 0; i < outer; ++i) {
    for (const int64_t index : indices->data) {
      if (index < -from[axis] || index >= from[axis]) {
        return InvalidArgument("index {}: want {}..{}", index, -from[axis], from[axis] - 1);
      }
      const int64_t first = (i * from[axis] + (index < 0 ? index + from[axis] : index)) * inner;
      for (int64_t k = 0; k < inner; ++k) result.sources.push_back(first + k);
    }
  }
  return Apply(std::move(result), *input);
}

// The result's shape; all inputs agree outside `axis`.
absl::StatusOr<Shape> ConcatShape(const FoldRequest& request, int64_t axis, Shape shape) {
  for (size_t i = 1; i < request.inputs.size(); ++i) {
    BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, i));
    Shape other = input->shape();
    if (other.size() != shape.size()) return InvalidArgument("input {} has {} dimensions", i, other.size());
    if (__builtin_add_overflow(shape[axis], other[axis], &shape[axis])) return InvalidArgument("sizes overflow");
    other[axis] = shape[axis];
    if (other != shape) {
      return InvalidArgument("input {}: shape {} does not fit", i, ToString(input->shape()));
    }
  }
  return shape;
}

template <typename T>
absl::StatusOr<Constant> ConcatTensors(const FoldRequest& request, int64_t axis, Shape shape,
                                       const T* ConstantRef::*member) {
  T out;
  const int64_t outer = NumElements(Shape(shape.begin(), shape.begin() + axis));
  for (int64_t i = 0; i < outer; ++i) {
    for (size_t k = 0; k < request.inputs.size(); ++k) {
      const T* part = request.inputs[k]->*member;
      if (part == nullptr) return InvalidArgument("input {}: integers and floating point are mixed", k);
      const auto length = static_cast<int64_t>(part->data.size()) / outer;
      out.data.insert(out.data.end(), part->data.begin() + i * length, part->data.begin() + (i + 1) * length);
    }
  }
  out.shape = std::move(shape);
  return out;
}

absl::StatusOr<Constant> FoldConcat(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* first, RequiredInput(request, 0));
  BITPLAN_ASSIGN_OR_RETURN(int64_t axis, IntAttribute(request.node, "axis", 0));
  BITPLAN_ASSIGN_OR_RETURN(axis, NormalizeAxis(axis, first->shape().size()));
  BITPLAN_ASSIGN_OR_RETURN(Shape shape, ConcatShape(request, axis, first->shape()));
  BITPLAN_RETURN_IF_ERROR(CountElements(request, shape).status());
  if (first->floats != nullptr) return ConcatTensors(request, axis, std::move(shape), &ConstantRef::floats);
  return ConcatTensors(request, axis, std::move(shape), &ConstantRef::ints);
}

absl::StatusOr<int64_t> ToInteger(float value) {
  // 2^63 is a float, the largest int64 is not.
  if (!(value >= -0x1p63F && value < 0x1p63F)) return InvalidArgument("{} is beyond int64", value);
  return static_cast<int64_t>(value);
}

// Values of a narrower integer type wrap in ONNX; here they must fit, which shapes do.
absl::StatusOr<Constant> FoldCast(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, 0));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t type, IntAttribute(request.node, "to", 0));
  const auto to = static_cast<int>(std::clamp<int64_t>(type, 0, std::numeric_limits<int>::max()));
  if (IsFloatType(to)) {
    if (input->floats != nullptr) return *input->floats;
    return Tensor{.shape = input->shape(), .data = {input->ints->data.begin(), input->ints->data.end()}};
  }
  if (to != kTypeInt64 && to != kTypeInt32 && to != kTypeBool) return Unimplemented("cast to {}", TypeName(to));
  IntTensor out{.shape = input->shape()};
  if (input->ints != nullptr) out.data = input->ints->data;
  if (input->floats != nullptr) {
    for (const float value : input->floats->data) {
      int64_t integer = value != 0 ? 1 : 0;
      if (to != kTypeBool) {
        BITPLAN_ASSIGN_OR_RETURN(integer, ToInteger(value));
      }
      out.data.push_back(integer);
    }
  }
  for (int64_t& value : out.data) {
    if (to == kTypeBool) value = value != 0 ? 1 : 0;
    if (to == kTypeInt32 && !std::in_range<int32_t>(value)) return InvalidArgument("{} is beyond int32", value);
  }
  return out;
}

absl::StatusOr<Constant> FoldConstantOfShape(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const IntTensor* wanted, IntInput(request, 0));
  Shape shape = wanted->data;
  BITPLAN_ASSIGN_OR_RETURN(const int64_t count, CountElements(request, shape));
  const auto found = request.node.attributes.find("value");
  if (found == request.node.attributes.end()) {
    return Tensor{.shape = std::move(shape), .data = FloatVector(count, 0.0F)};
  }
  if (const auto* value = std::get_if<Tensor>(&found->second); value != nullptr && value->data.size() == 1) {
    return Tensor{.shape = std::move(shape), .data = FloatVector(count, value->data[0])};
  }
  if (const auto* value = std::get_if<IntTensor>(&found->second); value != nullptr && value->data.size() == 1) {
    return IntTensor{.shape = std::move(shape), .data = Ints(count, value->data[0])};
  }
  return InvalidArgument("attribute 'value': want a tensor of one element");
}

absl::StatusOr<int64_t> IntScalar(const FoldRequest& request, size_t i) {
  if (Input(request, i) != nullptr && Input(request, i)->floats != nullptr) {
    return Unimplemented("floating-point constants are not supported");
  }
  BITPLAN_ASSIGN_OR_RETURN(const IntTensor* tensor, IntInput(request, i));
  if (tensor->data.size() != 1) return InvalidArgument("input {}: want one number", i);
  return tensor->data[0];
}

// Terms of start, start + delta, ... before limit. Unsigned differences cannot overflow.
uint64_t RangeLength(int64_t start, int64_t limit, int64_t delta) {
  if (delta > 0 ? start >= limit : start <= limit) return 0;
  const auto from = static_cast<uint64_t>(delta > 0 ? start : limit);
  const auto to = static_cast<uint64_t>(delta > 0 ? limit : start);
  const uint64_t step = delta > 0 ? static_cast<uint64_t>(delta) : -static_cast<uint64_t>(delta);
  return (to - from - 1) / step + 1;
}

absl::StatusOr<Constant> FoldRange(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t start, IntScalar(request, 0));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t limit, IntScalar(request, 1));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t delta, IntScalar(request, 2));
  if (delta == 0) return InvalidArgument("delta: want another number than 0");
  const uint64_t length = RangeLength(start, limit, delta);
  if (length > static_cast<uint64_t>(request.max_elements)) {
    return InvalidArgument("more than {} elements", request.max_elements);
  }
  const auto count = static_cast<int64_t>(length);
  IntTensor out{.shape = {count}, .data = Ints(count)};
  int64_t value = start;
  for (int64_t& element : out.data) {
    element = value;
    if (__builtin_add_overflow(value, delta, &value)) break;  // only ever after the last element
  }
  return out;
}

bool CheckedAdd(int64_t a, int64_t b, int64_t* out) { return !__builtin_add_overflow(a, b, out); }
bool CheckedSub(int64_t a, int64_t b, int64_t* out) { return !__builtin_sub_overflow(a, b, out); }
bool CheckedMul(int64_t a, int64_t b, int64_t* out) { return !__builtin_mul_overflow(a, b, out); }
bool CheckedDiv(int64_t a, int64_t b, int64_t* out) {
  if (b == 0 || (b == -1 && a == std::numeric_limits<int64_t>::min())) return false;
  *out = a / b;
  return true;
}

using IntFunction = bool (*)(int64_t, int64_t, int64_t*);

// Strides that read `shape` as if it were broadcast to `wide` (NumPy's rule): 0 along stretched axes.
Ints BroadcastStrides(const Shape& shape, const Shape& wide) {
  const Ints strides = RowMajorStrides(shape);
  Ints out(wide.size(), 0);
  const size_t lead = wide.size() - shape.size();
  for (size_t i = 0; i < shape.size(); ++i) out[lead + i] = shape[i] == 1 ? 0 : strides[i];
  return out;
}

absl::StatusOr<Shape> BroadcastShape(const Shape& a, const Shape& b) {
  Shape wide(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < wide.size(); ++i) {
    const int64_t from_a = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t from_b = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (from_a != from_b && from_a != 1 && from_b != 1) {
      return InvalidArgument("shapes {} and {} do not fit together", ToString(a), ToString(b));
    }
    wide[wide.size() - 1 - i] = from_a == 1 ? from_b : from_a;
  }
  return wide;
}

template <IntFunction kFunction>
absl::StatusOr<Constant> FoldArithmetic(const FoldRequest& request) {
  for (const ConstantRef* input : request.inputs) {
    if (input != nullptr && input->floats != nullptr)
      return Unimplemented("floating-point constants are not supported");
  }
  BITPLAN_ASSIGN_OR_RETURN(const IntTensor* a, IntInput(request, 0));
  BITPLAN_ASSIGN_OR_RETURN(const IntTensor* b, IntInput(request, 1));
  BITPLAN_ASSIGN_OR_RETURN(Shape shape, BroadcastShape(a->shape, b->shape));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t count, CountElements(request, shape));
  const Ints from_a = StridedSources(shape, BroadcastStrides(a->shape, shape), 0, count);
  const Ints from_b = StridedSources(shape, BroadcastStrides(b->shape, shape), 0, count);
  IntTensor out{.shape = std::move(shape), .data = Ints(count)};
  for (int64_t i = 0; i < count; ++i) {
    if (!kFunction(a->data[from_a[i]], b->data[from_b[i]], &out.data[i])) {
      return InvalidArgument("overflow or division by 0 in integer arithmetic");
    }
  }
  return out;
}

bool CheckedMod(int64_t a, int64_t b, int64_t* out) {  // the sign of the divisor, as Python's
  if (b == 0 || b == -1) {
    *out = 0;
    return b != 0;
  }
  *out = a % b;
  if (*out != 0 && (*out < 0) != (b < 0)) *out += b;
  return true;
}
bool Write(bool value, int64_t* out) {
  *out = value ? 1 : 0;
  return true;
}
bool IsEqual(int64_t a, int64_t b, int64_t* out) { return Write(a == b, out); }
bool IsGreater(int64_t a, int64_t b, int64_t* out) { return Write(a > b, out); }
bool IsGreaterOrEqual(int64_t a, int64_t b, int64_t* out) { return Write(a >= b, out); }
bool IsLess(int64_t a, int64_t b, int64_t* out) { return Write(a < b, out); }
bool IsLessOrEqual(int64_t a, int64_t b, int64_t* out) { return Write(a <= b, out); }
bool LogicalAnd(int64_t a, int64_t b, int64_t* out) { return Write(a != 0 && b != 0, out); }
bool LogicalOr(int64_t a, int64_t b, int64_t* out) { return Write(a != 0 || b != 0, out); }
bool Largest(int64_t a, int64_t b, int64_t* out) {
  *out = std::max(a, b);
  return true;
}
bool Smallest(int64_t a, int64_t b, int64_t* out) {
  *out = std::min(a, b);
  return true;
}

absl::StatusOr<Constant> FoldMod(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t fmod, IntAttribute(request.node, "fmod", 0));
  if (fmod != 0) return Unimplemented("fmod");
  return FoldArithmetic<&CheckedMod>(request);
}

// Of two; more are left to the operator table, which knows floats only.
template <IntFunction kFunction>
absl::StatusOr<Constant> FoldPair(const FoldRequest& request) {
  if (request.inputs.size() != 2) return Unimplemented("other than two inputs");
  return FoldArithmetic<kFunction>(request);
}

absl::StatusOr<const IntTensor*> OnlyInts(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, 0));
  if (input->floats != nullptr) return Unimplemented("floating-point constants are not supported");
  return input->ints;
}

absl::StatusOr<Constant> FoldNot(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const IntTensor* input, OnlyInts(request));
  IntTensor out = *input;
  for (int64_t& value : out.data) value = value == 0 ? 1 : 0;
  return out;
}

absl::StatusOr<Constant> FoldNeg(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const IntTensor* input, OnlyInts(request));
  IntTensor out = *input;
  for (int64_t& value : out.data) {
    if (!CheckedSub(0, value, &value)) return InvalidArgument("overflow in integer arithmetic");
  }
  return out;
}

// The input spread to a shape, whose sizes of 1 the input fills.
absl::StatusOr<Constant> FoldExpand(const FoldRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, 0));
  BITPLAN_ASSIGN_OR_RETURN(const IntTensor* wanted, IntInput(request, 1));
  BITPLAN_ASSIGN_OR_RETURN(Shape shape, BroadcastShape(input->shape(), wanted->data));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t count, CountElements(request, shape));
  Ints sources = StridedSources(shape, BroadcastStrides(input->shape(), shape), 0, count);
  return Apply({.shape = std::move(shape), .sources = std::move(sources)}, *input);
}

// Of integers; floats are left to the operator table.
absl::StatusOr<Constant> FoldWhere(const FoldRequest& request) {
  for (size_t i = 0; i < 3; ++i) {
    BITPLAN_ASSIGN_OR_RETURN(const ConstantRef* input, RequiredInput(request, i));
    if (input->floats != nullptr) return Unimplemented("floating-point constants are not supported");
  }
  const std::array<const IntTensor*, 3> in = {request.inputs[0]->ints, request.inputs[1]->ints,
                                              request.inputs[2]->ints};
  BITPLAN_ASSIGN_OR_RETURN(Shape shape, BroadcastShape(in[0]->shape, in[1]->shape));
  BITPLAN_ASSIGN_OR_RETURN(shape, BroadcastShape(shape, in[2]->shape));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t count, CountElements(request, shape));
  std::array<Ints, 3> sources;
  for (size_t i = 0; i < 3; ++i) {
    sources[i] = StridedSources(shape, BroadcastStrides(in[i]->shape, shape), 0, count);
  }
  IntTensor out{.shape = std::move(shape), .data = Ints(count)};
  for (int64_t k = 0; k < count; ++k) {
    const size_t from = in[0]->data[sources[0][k]] != 0 ? 1 : 2;
    out.data[k] = in[from]->data[sources[from][k]];
  }
  return out;
}

struct FoldEntry {
  std::string_view op_type;
  absl::StatusOr<Constant> (*fold)(const FoldRequest&);
};

constexpr auto kFolds = std::to_array<FoldEntry>({{"Add", &FoldArithmetic<&CheckedAdd>},
                                                  {"And", &FoldArithmetic<&LogicalAnd>},
                                                  {"Cast", &FoldCast},
                                                  {"Concat", &FoldConcat},
                                                  {"ConstantOfShape", &FoldConstantOfShape},
                                                  {"Div", &FoldArithmetic<&CheckedDiv>},
                                                  {"Equal", &FoldArithmetic<&IsEqual>},
                                                  {"Expand", &FoldExpand},
                                                  {"Flatten", &FoldFlatten},
                                                  {"Gather", &FoldGather},
                                                  {"Greater", &FoldArithmetic<&IsGreater>},
                                                  {"GreaterOrEqual", &FoldArithmetic<&IsGreaterOrEqual>},
                                                  {"Identity", &FoldIdentity},
                                                  {"Less", &FoldArithmetic<&IsLess>},
                                                  {"LessOrEqual", &FoldArithmetic<&IsLessOrEqual>},
                                                  {"Max", &FoldPair<&Largest>},
                                                  {"Min", &FoldPair<&Smallest>},
                                                  {"Mod", &FoldMod},
                                                  {"Mul", &FoldArithmetic<&CheckedMul>},
                                                  {"Neg", &FoldNeg},
                                                  {"Not", &FoldNot},
                                                  {"Or", &FoldArithmetic<&LogicalOr>},
                                                  {"Range", &FoldRange},
                                                  {"Reshape", &FoldReshape},
                                                  {"Slice", &FoldSlice},
                                                  {"Squeeze", &FoldSqueeze},
                                                  {"Sub", &FoldArithmetic<&CheckedSub>},
                                                  {"Transpose", &FoldTranspose},
                                                  {"Unsqueeze", &FoldUnsqueeze},
                                                  {"Where", &FoldWhere}});

const FoldEntry* FindFold(std::string_view op_type) {
  const auto found = std::ranges::find(kFolds, op_type, &FoldEntry::op_type);
  return found == kFolds.end() ? nullptr : &*found;
}

}  // namespace

bool CanFold(std::string_view op_type) { return FindFold(op_type) != nullptr; }

absl::StatusOr<Constant> Fold(const FoldRequest& request) {
  const FoldEntry* entry = FindFold(request.node.op_type);
  if (entry == nullptr) return Unimplemented("not supported between constants");
  return entry->fold(request);
}

}  // namespace bitplan::onnx
