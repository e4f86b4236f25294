#ifndef BITPLAN_TESTS_TESTING_REFERENCE_SELECTION_H_
#define BITPLAN_TESTS_TESTING_REFERENCE_SELECTION_H_

#include <functional>
#include <optional>
#include <vector>

#include "tests/testing/reference_node.h"

namespace bitplan::testing {

// y of `shape` with y[o] = x[source(o)].
template <typename T>
Array<T> Picked(const NodeInputs<T>& n, const Shape& shape, const std::function<Index(const Index&)>& source) {
  Array<T> y(shape);
  ForEachIndex(shape, [&](const Index& o) { y.At(o) = n.In(0).At(source(o)); });
  return y;
}

// The indices of Python's x[start:end:step].
inline Ints SliceIndices(int64_t start, int64_t end, int64_t step, int64_t size) {
  const auto inside = [&](int64_t bound) {
    if (bound < 0) bound += size;
    return step > 0 ? std::clamp<int64_t>(bound, 0, size) : std::clamp<int64_t>(bound, -1, size - 1);
  };
  Ints indices;
  for (int64_t i = inside(start); step > 0 ? i < inside(end) : i > inside(end); i += step) indices.push_back(i);
  return indices;
}

template <typename T>
Array<T> Slice(const NodeInputs<T>& n) {
  const bool by_input = n.graph.opset_version >= 10;
  const Ints starts = by_input ? n.IntsIn(1) : n.List("starts", {});
  const Ints ends = by_input ? n.IntsIn(2) : n.List("ends", {});
  Ints axes = by_input ? (n.Has(3) ? n.IntsIn(3) : Ints()) : n.List("axes", {});
  for (size_t k = axes.size(); k < starts.size(); ++k) axes.push_back(static_cast<int64_t>(k));
  const Ints steps = n.Has(4) ? n.IntsIn(4) : Ints(starts.size(), 1);
  std::vector<Ints> taken;
  for (const int64_t size : n.In(0).shape) taken.push_back(SliceIndices(0, size, 1, size));
  for (size_t k = 0; k < starts.size(); ++k) {
    const int64_t axis = axes[k] < 0 ? axes[k] + n.rank() : axes[k];
    taken[axis] = SliceIndices(starts[k], ends[k], steps[k], n.In(0).shape[axis]);
  }
  Shape shape;
  for (const Ints& indices : taken) shape.push_back(static_cast<int64_t>(indices.size()));
  return Picked<T>(n, shape, [&](const Index& o) {
    Index x = o;
    for (size_t d = 0; d < x.size(); ++d) x[d] = taken[d][o[d]];
    return x;
  });
}

template <typename T>
Array<T> Gather(const NodeInputs<T>& n) {
  const int64_t axis = n.Axis("axis", 0);
  const Shape& x = n.In(0).shape;
  const Array<T>& indices = n.In(1);
  Shape shape(x.begin(), x.begin() + axis);
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), x.begin() + axis + 1, x.end());
  const auto index_rank = static_cast<int64_t>(indices.shape.size());
  return Picked<T>(n, shape, [&](const Index& o) {
    auto index = static_cast<int64_t>(ValueOf(indices.At(Index(o.begin() + axis, o.begin() + axis + index_rank))));
    if (index < 0) index += x[axis];
    Index i(o.begin(), o.begin() + axis);
    i.push_back(index);
    i.insert(i.end(), o.begin() + axis + index_rank, o.end());
    return i;
  });
}

template <typename T>
std::vector<Array<T>> Split(const NodeInputs<T>& n) {
  const int64_t axis = n.Axis("axis", 0);
  const int64_t size = n.In(0).shape[axis];
  Ints sizes = n.graph.opset_version < 13 ? n.List("split", {}) : (n.Has(1) ? n.IntsIn(1) : Ints());
  const int64_t count = n.Int("num_outputs", static_cast<int64_t>(n.node.outputs.size()));
  for (int64_t left = size; sizes.empty() || left > 0;) {
    if (n.Has(1) || n.node.attributes.contains("split")) break;
    sizes.push_back(std::min(left, (size + count - 1) / count));
    left -= sizes.back();
  }
  std::vector<Array<T>> parts;
  int64_t first = 0;
  for (const int64_t part : sizes) {
    Shape shape = n.In(0).shape;
    shape[axis] = part;
    parts.push_back(Picked<T>(n, shape, [&](Index o) {
      o[axis] += first;
      return o;
    }));
    first += part;
  }
  return parts;
}

template <typename T>
Array<T> DepthAndSpace(const NodeInputs<T>& n) {
  const int64_t b = n.Int("blocksize", 1);
  const Shape& x = n.In(0).shape;
  if (n.Is("SpaceToDepth")) {
    return Picked<T>(n, {x[0], x[1] * b * b, x[2] / b, x[3] / b}, [&](const Index& o) {
      const int64_t block = o[1] / x[1];
      return Index{o[0], o[1] % x[1], o[2] * b + block / b, o[3] * b + block % b};
    });
  }
  const int64_t channels = x[1] / (b * b);
  const bool depth_first = n.Text("mode", "DCR") == "DCR";
  return Picked<T>(n, {x[0], channels, x[2] * b, x[3] * b}, [&](const Index& o) {
    const int64_t block = o[2] % b * b + o[3] % b;
    const int64_t channel = depth_first ? block * channels + o[1] : o[1] * b * b + block;
    return Index{o[0], channel, o[2] / b, o[3] / b};
  });
}

template <typename T>
Array<T> Tile(const NodeInputs<T>& n) {
  Shape shape = n.In(0).shape;
  const Ints repeats = n.IntsIn(1);
  for (size_t d = 0; d < shape.size(); ++d) shape[d] *= repeats[d];
  return Picked<T>(n, shape, [&](Index o) {
    for (size_t d = 0; d < o.size(); ++d) o[d] %= n.In(0).shape[d];
    return o;
  });
}

template <typename T>
Array<T> Trilu(const NodeInputs<T>& n) {
  const int64_t k = n.Has(1) ? n.IntsIn(1)[0] : 0;
  const bool upper = n.Int("upper", 1) != 0;
  Array<T> y = n.In(0);
  ForEachIndex(y.shape, [&](const Index& i) {
    const int64_t above = i.back() - i[i.size() - 2];
    if (upper ? above < k : above > k) y.At(i) = T(0.0);
  });
  return y;
}

template <typename T>
Array<T> Where(const NodeInputs<T>& n) {
  Array<T> y(n.Broadcast(n.Broadcast(n.In(0).shape, n.In(1).shape), n.In(2).shape));
  ForEachIndex(y.shape, [&](const Index& i) {
    const bool holds = ValueOf(n.In(0).At(n.Fold(i, n.In(0).shape))) != 0;
    y.At(i) = holds ? n.In(1).At(n.Fold(i, n.In(1).shape)) : n.In(2).At(n.Fold(i, n.In(2).shape));
  });
  return y;
}

// The outputs of a node that picks, repeats or rearranges elements; nothing for other nodes.
template <typename T>
std::optional<std::vector<Array<T>>> RunSelection(const NodeInputs<T>& n) {
  using Results = std::vector<Array<T>>;
  if (n.Is("Slice")) return Results{Slice(n)};
  if (n.Is("Gather")) return Results{Gather(n)};
  if (n.Is("Split")) return Split(n);
  if (n.Is("DepthToSpace") || n.Is("SpaceToDepth")) return Results{DepthAndSpace(n)};
  if (n.Is("Tile")) return Results{Tile(n)};
  if (n.Is("Trilu")) return Results{Trilu(n)};
  if (n.Is("Where")) return Results{Where(n)};
  if (n.Is("Expand")) {
    const Shape shape = n.Broadcast(n.In(0).shape, n.IntsIn(1));
    return Results{Picked<T>(n, shape, [&](const Index& o) { return n.Fold(o, n.In(0).shape); })};
  }
  return std::nullopt;
}

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_REFERENCE_SELECTION_H_
