#ifndef BITPLAN_TESTS_TESTING_REFERENCE_REDUCTION_H_
#define BITPLAN_TESTS_TESTING_REFERENCE_REDUCTION_H_

#include <optional>
#include <string>
#include <vector>

#include "tests/testing/reference_node.h"

namespace bitplan::testing {

// One of the Reduce operators: what an element adds to the result so far, and what is done at the end.
template <typename T>
Array<T> Reduce(const NodeInputs<T>& n) {
  const Ints axes = n.Axes(n.Is("ReduceSum") ? 13 : 18, n.rank());
  const bool all = axes.empty() && n.Int("noop_with_empty_axes", 0) == 0;
  Shape kept = n.In(0).shape;
  Shape squeezed;
  for (int64_t d = 0; d < n.rank(); ++d) {
    if (all || n.Contains(axes, d)) {
      kept[d] = 1;
    } else {
      squeezed.push_back(kept[d]);
    }
  }
  Array<T> y(kept);
  std::vector<bool> seen(y.data.size(), false);
  ForEachIndex(n.In(0).shape, [&](const Index& i) {
    T& result = y.At(n.Fold(i, kept));
    const size_t flat = &result - y.data.data();
    const T& x = n.In(0).At(i);
    if (n.Is("ReduceMax") || n.Is("ReduceMin")) {
      const bool better = n.Is("ReduceMax") ? ValueOf(x) > ValueOf(result) : ValueOf(x) < ValueOf(result);
      if (!seen[flat] || better) result = x;
    } else if (n.Is("ReduceL1")) {
      result = ValueOf(x) < 0 ? result - x : result + x;
    } else if (n.Is("ReduceL2") || n.Is("ReduceSumSquare")) {
      result = result + x * x;
    } else if (n.Is("ReduceLogSumExp")) {
      result = result + Exp(x);
    } else {
      result = result + x;
    }
    seen[flat] = true;
  });
  const double count = static_cast<double>(n.In(0).data.size()) / static_cast<double>(y.data.size());
  for (T& result : y.data) {
    if (n.Is("ReduceMean")) result = result / T(count);
    if (n.Is("ReduceL2")) result = Power(result, 0.5);
    if (n.Is("ReduceLogSum") || n.Is("ReduceLogSumExp")) result = Log(result);
  }
  if (n.Int("keepdims", 1) == 0) y.shape = squeezed;
  return y;
}

template <typename T>
Array<T> ArgExtreme(const NodeInputs<T>& n) {
  const int64_t axis = n.Axis("axis", 0);
  const bool largest = n.Is("ArgMax");
  const bool last = n.Int("select_last_index", 0) != 0;
  Shape kept = n.In(0).shape;
  kept[axis] = 1;
  Array<T> y(kept);
  ForEachIndex(kept, [&](const Index& o) {
    Index best = o;
    Index i = o;
    for (i[axis] = 0; i[axis] < n.In(0).shape[axis]; ++i[axis]) {
      const double difference = ValueOf(n.In(0).At(i)) - ValueOf(n.In(0).At(best));
      if ((largest ? difference > 0 : difference < 0) || (last && difference == 0)) best = i;
    }
    y.At(o) = T(static_cast<double>(best[axis]));
  });
  if (n.Int("keepdims", 1) == 0) y.shape.erase(y.shape.begin() + axis);
  return y;
}

template <typename T>
Array<T> CumSum(const NodeInputs<T>& n) {
  int64_t axis = n.IntsIn(1)[0];
  axis += axis < 0 ? n.rank() : 0;
  const bool exclusive = n.Int("exclusive", 0) != 0;
  const bool reverse = n.Int("reverse", 0) != 0;
  Array<T> y(n.In(0).shape);
  ForEachIndex(y.shape, [&](const Index& o) {
    Index i = o;
    for (i[axis] = 0; i[axis] < y.shape[axis]; ++i[axis]) {
      const int64_t ahead = reverse ? i[axis] - o[axis] : o[axis] - i[axis];
      if (ahead > 0 || (ahead == 0 && !exclusive)) y.At(o) = y.At(o) + n.In(0).At(i);
    }
  });
  return y;
}

// The outputs of a node that reduces or accumulates along axes; nothing for other nodes.
template <typename T>
std::optional<std::vector<Array<T>>> RunReduction(const NodeInputs<T>& n) {
  using Results = std::vector<Array<T>>;
  if (n.node.op_type.starts_with("Reduce")) return Results{Reduce(n)};
  if (n.Is("ArgMax") || n.Is("ArgMin")) return Results{ArgExtreme(n)};
  if (n.Is("CumSum")) return Results{CumSum(n)};
  return std::nullopt;
}

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_REFERENCE_REDUCTION_H_
