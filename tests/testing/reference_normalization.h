#ifndef BITPLAN_TESTS_TESTING_REFERENCE_NORMALIZATION_H_
#define BITPLAN_TESTS_TESTING_REFERENCE_NORMALIZATION_H_

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "tests/testing/reference_node.h"

namespace bitplan::testing {

// (x - mean) / sqrt(variance + epsilon) over the elements that `group_of` puts together.
template <typename T>
Array<T> Normalized(const NodeInputs<T>& n, bool centered, const std::function<Index(const Index&)>& group_of) {
  struct Statistics {
    T sum = T(0.0);
    T squares = T(0.0);
    double count = 0;
  };
  std::map<Index, Statistics> groups;
  ForEachIndex(n.In(0).shape, [&](const Index& i) {
    Statistics& group = groups[group_of(i)];
    group.sum = group.sum + n.In(0).At(i);
    group.count += 1;
  });
  const auto centred = [&](const Index& i, const Statistics& group) {
    return centered ? n.In(0).At(i) - group.sum / T(group.count) : n.In(0).At(i);
  };
  ForEachIndex(n.In(0).shape, [&](const Index& i) {
    Statistics& group = groups[group_of(i)];
    const T difference = centred(i, group);
    group.squares = group.squares + difference * difference;
  });
  Array<T> y(n.In(0).shape);
  ForEachIndex(y.shape, [&](const Index& i) {
    const Statistics& group = groups[group_of(i)];
    y.At(i) = centred(i, group) / Power(group.squares / T(group.count) + T(n.Float("epsilon", 1e-5)), 0.5);
  });
  return y;
}

template <typename T>
Array<T> OverLastDimensions(const NodeInputs<T>& n) {
  const int64_t axis = n.Axis("axis", -1);
  Array<T> y =
      Normalized<T>(n, n.Is("LayerNormalization"), [&](const Index& i) { return Index(i.begin(), i.begin() + axis); });
  ForEachIndex(y.shape, [&](const Index& i) {
    y.At(i) = y.At(i) * n.In(1).At(n.Fold(i, n.In(1).shape));
    if (n.Has(2)) y.At(i) = y.At(i) + n.In(2).At(n.Fold(i, n.In(2).shape));
  });
  return y;
}

template <typename T>
Array<T> OverChannels(const NodeInputs<T>& n) {
  const int64_t channels = n.In(0).shape[1];
  const int64_t groups = n.Is("InstanceNormalization") ? channels : n.Int("num_groups", 0);
  const int64_t parameters = n.Is("GroupNormalization") && n.graph.opset_version < 21 ? groups : channels;
  Array<T> y = Normalized<T>(n, true, [&](const Index& i) { return Index{i[0], i[1] / (channels / groups)}; });
  ForEachIndex(y.shape, [&](const Index& i) {
    const int64_t p = i[1] / (channels / parameters);
    y.At(i) = y.At(i) * n.In(1).data[p] + n.In(2).data[p];
  });
  return y;
}

template <typename T>
Array<T> LpNormalization(const NodeInputs<T>& n) {
  Shape kept = n.In(0).shape;
  kept[n.Axis("axis", -1)] = 1;
  const bool squared = n.Int("p", 2) == 2;
  Array<T> norms(kept);
  ForEachIndex(n.In(0).shape, [&](const Index& i) {
    const T& x = n.In(0).At(i);
    T& sum = norms.At(n.Fold(i, kept));
    sum = squared ? sum + x * x : (ValueOf(x) < 0 ? sum - x : sum + x);
  });
  Array<T> y(n.In(0).shape);
  ForEachIndex(y.shape, [&](const Index& i) {
    const T& sum = norms.At(n.Fold(i, kept));
    y.At(i) = n.In(0).At(i) / (squared ? Power(sum, 0.5) : sum);
  });
  return y;
}

template <typename T>
Array<T> Lrn(const NodeInputs<T>& n) {
  const int64_t size = n.Int("size", 0);
  Array<T> y(n.In(0).shape);
  ForEachIndex(y.shape, [&](const Index& i) {
    T sum(0.0);
    Index k = i;
    for (k[1] = i[1] - (size - 1) / 2; k[1] <= i[1] + size / 2; ++k[1]) {
      if (k[1] >= 0 && k[1] < y.shape[1]) sum = sum + n.In(0).At(k) * n.In(0).At(k);
    }
    const T scale = T(n.Float("bias", 1)) + T(n.Float("alpha", 1e-4) / static_cast<double>(size)) * sum;
    y.At(i) = n.In(0).At(i) * Power(scale, -n.Float("beta", 0.75));
  });
  return y;
}

// The outputs of a node that normalises; nothing for other nodes.
template <typename T>
std::optional<std::vector<Array<T>>> RunNormalization(const NodeInputs<T>& n) {
  using Results = std::vector<Array<T>>;
  if (n.Is("LayerNormalization") || n.Is("RMSNormalization")) return Results{OverLastDimensions(n)};
  if (n.Is("InstanceNormalization") || n.Is("GroupNormalization")) return Results{OverChannels(n)};
  if (n.Is("LpNormalization")) return Results{LpNormalization(n)};
  if (n.Is("LRN")) return Results{Lrn(n)};
  return std::nullopt;
}

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_REFERENCE_NORMALIZATION_H_
