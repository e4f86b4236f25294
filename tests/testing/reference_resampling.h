#ifndef BITPLAN_TESTS_TESTING_REFERENCE_RESAMPLING_H_
#define BITPLAN_TESTS_TESTING_REFERENCE_RESAMPLING_H_

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/testing/reference_node.h"

namespace bitplan::testing {

// Every product x * w added where the kernel's position lands, dimension by dimension: o = i stride + k dilation - pad.
template <typename T>
Array<T> ConvTranspose(const NodeInputs<T>& n) {
  const Shape& x = n.In(0).shape;
  const Shape& w = n.In(1).shape;
  const size_t rank = x.size() - 2;
  const int64_t groups = n.Int("group", 1);
  const Ints strides = n.List("strides", Ints(rank, 1));
  const Ints dilations = n.List("dilations", Ints(rank, 1));
  const Ints padding = n.List("output_padding", Ints(rank, 0));
  const Ints wanted = n.List("output_shape", {});
  const std::string auto_pad = n.Text("auto_pad", "NOTSET");
  Ints begin = n.List("pads", Ints(2 * rank, 0));
  Shape shape = {x[0], w[1] * groups};
  for (size_t d = 0; d < rank; ++d) {
    const int64_t whole = strides[d] * (x[d + 2] - 1) + padding[d] + (w[d + 2] - 1) * dilations[d] + 1;
    int64_t size = whole - begin[d] - begin[d + rank];
    if (!wanted.empty()) size = wanted[d];
    if (auto_pad != "NOTSET") size = x[d + 2] * strides[d];
    if (!wanted.empty() || auto_pad != "NOTSET") {
      const int64_t total = std::max<int64_t>(whole - size, 0);
      begin[d] = auto_pad == "SAME_UPPER" ? total / 2 : (total + 1) / 2;
    }
    shape.push_back(size);
  }
  Array<T> y(shape);
  ForEachIndex(y.shape, [&](const Index& o) { y.At(o) = n.Has(2) ? n.In(2).data[o[1]] : T(0.0); });
  const int64_t in_per_group = x[1] / groups;
  ForEachIndex(x, [&](const Index& i) {
    ForEachIndex(Shape(w.begin() + 1, w.end()), [&](const Index& k) {
      Index o = {i[0], i[1] / in_per_group * w[1] + k[0]};
      for (size_t d = 0; d < rank; ++d) {
        o.push_back(i[d + 2] * strides[d] + k[d + 1] * dilations[d] - begin[d]);
        if (o.back() < 0 || o.back() >= shape[d + 2]) return;
      }
      Index from = {i[1]};
      from.insert(from.end(), k.begin(), k.end());
      y.At(o) = y.At(o) + n.In(0).At(i) * n.In(1).At(from);
    });
  });
  return y;
}

// What Resize reads for one output along one axis: positions and their weights.
using Samples = std::vector<std::pair<int64_t, double>>;

struct ResizeRule {
  std::string mode;
  std::string coordinates;
  std::string nearest;
  double a = -0.75;
  bool exclude_outside = false;

  double Position(int64_t o, double in, double out, double scale) const {
    const auto x = static_cast<double>(o);
    if (coordinates == "asymmetric") return x / scale;
    if (coordinates == "align_corners") return out == 1 ? 0 : x * (in - 1) / (out - 1);
    if (coordinates == "pytorch_half_pixel" && out == 1) return 0;
    if (coordinates == "half_pixel_symmetric") {
      return in / 2 * (1 - out / (scale * in)) + (x + 0.5) / scale - 0.5;
    }
    return (x + 0.5) / scale - 0.5;
  }

  int64_t Nearest(double p) const {
    constexpr double kTie = 1e-5;  // positions of the cases are computed with other roundings than the kernel's
    if (nearest == "floor") return static_cast<int64_t>(std::floor(p + kTie));
    if (nearest == "ceil") return static_cast<int64_t>(std::ceil(p - kTie));
    if (nearest == "round_prefer_ceil") return static_cast<int64_t>(std::floor(p + 0.5 + kTie));
    return static_cast<int64_t>(std::ceil(p - 0.5 - kTie));
  }

  // Keys (1981).
  double Cubic(double distance) const {
    const double d = std::abs(distance);
    if (d <= 1) return (a + 2) * d * d * d - (a + 3) * d * d + 1;
    return d < 2 ? a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a : 0;
  }

  Samples At(double p, int64_t in) const {
    const auto edge = [in](int64_t i) { return std::clamp<int64_t>(i, 0, in - 1); };
    if (mode == "nearest") return {{edge(Nearest(p)), 1.0}};
    const auto floor = static_cast<int64_t>(std::floor(p));
    if (mode == "linear") {
      const double right = p - static_cast<double>(floor);
      return {{edge(floor), 1 - right}, {edge(floor + 1), right}};
    }
    Samples samples;
    double sum = 0;
    for (int64_t i = floor - 1; i <= floor + 2; ++i) {
      if (exclude_outside && i != edge(i)) continue;
      samples.push_back({edge(i), Cubic(p - static_cast<double>(i))});
      sum += samples.back().second;
    }
    for (auto& [index, weight] : samples) weight /= exclude_outside ? sum : 1;
    return samples;
  }
};

template <typename T>
Array<T> Resize(const NodeInputs<T>& n) {
  const bool old = n.graph.opset_version < 11;
  const ResizeRule rule{.mode = n.Text("mode", "nearest"),
                        .coordinates = n.Text("coordinate_transformation_mode", old ? "asymmetric" : "half_pixel"),
                        .nearest = n.Text("nearest_mode", old ? "floor" : "round_prefer_floor"),
                        .a = n.Float("cubic_coeff_a", -0.75),
                        .exclude_outside = n.Int("exclude_outside", 0) != 0};
  const size_t scales_at = old ? 1 : 2;
  const bool by_scales = n.Has(scales_at);
  const Array<T>& given = n.In(by_scales ? scales_at : 3);
  Ints axes = n.List("axes", {});
  for (size_t d = axes.size(); d < given.data.size(); ++d) axes.push_back(static_cast<int64_t>(d));
  const Shape& x = n.In(0).shape;
  std::vector<std::vector<Samples>> samples(x.size());
  Shape shape = x;
  std::vector<double> scales(x.size(), 1);
  for (size_t k = 0; k < axes.size(); ++k) {
    const int64_t d = axes[k] < 0 ? axes[k] + n.rank() : axes[k];
    const double value = ValueOf(given.data[k]);
    shape[d] = static_cast<int64_t>(by_scales ? std::floor(static_cast<double>(x[d]) * value) : value);
    scales[d] = by_scales ? value : value / static_cast<double>(x[d]);
  }
  for (size_t d = 0; d < x.size(); ++d) {
    for (int64_t o = 0; o < shape[d]; ++o) {
      const bool same = shape[d] == x[d] && scales[d] == 1;
      const double p = rule.Position(o, static_cast<double>(x[d]), static_cast<double>(shape[d]), scales[d]);
      samples[d].push_back(same ? Samples{{o, 1.0}} : rule.At(p, x[d]));
    }
  }
  Array<T> y(shape);
  ForEachIndex(shape, [&](const Index& o) {
    Shape taps;
    for (size_t d = 0; d < o.size(); ++d) taps.push_back(static_cast<int64_t>(samples[d][o[d]].size()));
    T sum(0.0);
    ForEachIndex(taps, [&](const Index& t) {
      Index from = o;
      double weight = 1;
      for (size_t d = 0; d < o.size(); ++d) {
        from[d] = samples[d][o[d]][t[d]].first;
        weight *= samples[d][o[d]][t[d]].second;
      }
      sum = sum + T(weight) * n.In(0).At(from);
    });
    y.At(o) = sum;
  });
  return y;
}

// ConvTranspose, Resize, Upsample; nothing for other operators.
template <typename T>
std::optional<std::vector<Array<T>>> RunResampling(const NodeInputs<T>& n) {
  if (n.Is("ConvTranspose")) return std::vector{ConvTranspose(n)};
  if (n.Is("Resize") || n.Is("Upsample")) return std::vector{Resize(n)};
  return std::nullopt;
}

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_REFERENCE_RESAMPLING_H_
