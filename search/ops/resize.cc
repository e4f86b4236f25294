// Resize and Upsample: interpolation along each axis by itself.
//
//   y[.., o, ..] = sum_k weight[o, k] x[.., index[o, k], ..],   index and weight from the position of o in the input.
//
// Positions are computed in float, as ONNX Runtime does: which neighbour is nearest depends on it.

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "search/base/status.h"
#include "search/ops/index_map.h"
#include "search/ops/make_operators.h"
#include "search/ops/strided_copy.h"

namespace bitplan::ops {
namespace {

// One axis.
struct Axis {
  int64_t in = 1;
  int64_t out = 1;
  float scale = 1;

  bool changes() const { return in != out || scale != 1; }
};

struct Settings {
  std::string mode = "nearest";
  std::string coordinates = "half_pixel";
  std::string nearest = "round_prefer_floor";
  float cubic_coefficient = -0.75F;
  bool exclude_outside = false;
};

// Where output o lies in the input.
float Position(const Settings& settings, const Axis& axis, int64_t o) {
  const auto x = static_cast<float>(o);
  const auto in = static_cast<float>(axis.in);
  const auto out = static_cast<float>(axis.out);
  if (settings.coordinates == "asymmetric") return x / axis.scale;
  if (settings.coordinates == "align_corners") return axis.out == 1 ? 0.0F : x * (in - 1) / (out - 1);
  if (settings.coordinates == "pytorch_half_pixel" && axis.out == 1) return 0.0F;
  if (settings.coordinates == "tf_half_pixel_for_nn") return (x + 0.5F) / axis.scale;
  const float half_pixel = (x + 0.5F) / axis.scale - 0.5F;
  if (settings.coordinates != "half_pixel_symmetric") return half_pixel;
  return in / 2 * (1 - out / (axis.scale * in)) + half_pixel;
}

int64_t Nearest(const std::string& rule, float position) {
  const float floor = std::floor(position);
  float chosen = floor;
  if (rule == "ceil") chosen = std::ceil(position);
  if (rule == "round_prefer_floor") chosen = position == floor + 0.5F ? floor : std::round(position);
  if (rule == "round_prefer_ceil") chosen = position == floor + 0.5F ? floor + 1 : std::round(position);
  return static_cast<int64_t>(chosen);
}

// The input positions that an output reads, and their weights; those outside stand for the edge.
struct Tap {
  int64_t index = 0;
  float weight = 0;
};
using Taps = std::vector<Tap>;

Taps LinearTaps(const Axis& axis, float position) {
  const float inside = std::clamp(position, 0.0F, static_cast<float>(axis.in - 1));
  const auto left = static_cast<int64_t>(inside);
  const float fraction = inside - static_cast<float>(left);
  if (fraction == 0) return {{left, 1}};
  return {{left, 1 - fraction}, {left + 1, fraction}};
}

// Keys' cubic convolution with four taps.
Taps CubicTaps(const Settings& settings, const Axis& axis, float position) {
  const float a = settings.cubic_coefficient;
  const float floor = std::floor(position);
  const float t = position - floor;
  const float u = 1 - t;
  const std::array<float, 4> weights = {((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a,
                                        ((a + 2) * t - (a + 3)) * t * t + 1, ((a + 2) * u - (a + 3)) * u * u + 1,
                                        ((a * (u + 1) - 5 * a) * (u + 1) + 8 * a) * (u + 1) - 4 * a};
  Taps taps;
  float sum = 0;
  for (int64_t k = 0; k < 4; ++k) {
    const int64_t index = static_cast<int64_t>(floor) - 1 + k;
    if (settings.exclude_outside && (index < 0 || index >= axis.in)) continue;
    taps.push_back({std::clamp<int64_t>(index, 0, axis.in - 1), weights[k]});
    sum += weights[k];
  }
  for (Tap& tap : taps) tap.weight /= settings.exclude_outside ? sum : 1.0F;
  return taps;
}

// What the operators of this file are made of. Tables are as long as the output is wide, so Prepare builds them.
struct Sampling {
  Settings settings;
  std::vector<Axis> axes;
  Shape x;
};

class NearestOperator final : public LinearMap {
 public:
  NearestOperator(Shape out, Sampling sampling) : LinearMap(std::move(out)), sampling_(std::move(sampling)) {}

  absl::Status Prepare() override {
    const std::vector<int64_t> strides = RowMajorStrides(sampling_.x);
    Offsets offsets = WholeTensor(sampling_.x);
    for (size_t d = 0; d < strides.size(); ++d) {
      const Axis& axis = sampling_.axes[d];
      if (!axis.changes()) continue;
      std::vector<int64_t> picked(axis.out);
      for (int64_t o = 0; o < axis.out; ++o) {
        const int64_t index = Nearest(sampling_.settings.nearest, Position(sampling_.settings, axis, o));
        picked[o] = std::clamp<int64_t>(index, 0, axis.in - 1) * strides[d];
      }
      offsets[d] = AxisOffsets(std::move(picked));
    }
    map_.emplace(offsets);
    return absl::OkStatus();
  }

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override { map_->Apply(x, y); }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override { map_->ApplyTransposed(y, x); }

  Sampling sampling_;
  std::optional<IndexMap> map_;
};

// Interpolation along axes of a tensor, one after the other.
class InterpolateOperator final : public LinearMap {
 public:
  InterpolateOperator(Shape out, Sampling sampling) : LinearMap(std::move(out)), sampling_(std::move(sampling)) {}

  absl::Status Prepare() override {
    Shape x = sampling_.x;
    for (size_t d = 0; d < x.size(); ++d) {
      const Axis& axis = sampling_.axes[d];
      if (!axis.changes()) continue;
      const auto at = x.begin() + static_cast<int64_t>(d);
      Step step{
          .outer = NumElements(Shape(x.begin(), at)), .in = axis.in, .inner = NumElements(Shape(at + 1, x.end()))};
      for (int64_t o = 0; o < axis.out; ++o) {
        const float position = Position(sampling_.settings, axis, o);
        step.taps.push_back(sampling_.settings.mode == "cubic" ? CubicTaps(sampling_.settings, axis, position)
                                                               : LinearTaps(axis, position));
      }
      x[d] = axis.out;
      steps_.push_back(std::move(step));
    }
    return absl::OkStatus();
  }

 private:
  // A tensor of [outer, in, inner] becomes [outer, taps.size(), inner].
  struct Step {
    int64_t outer = 1;
    int64_t in = 1;
    int64_t inner = 1;
    std::vector<Taps> taps;

    int64_t out_size() const { return outer * static_cast<int64_t>(taps.size()) * inner; }
    int64_t in_size() const { return outer * in * inner; }
  };

  void Apply(std::span<const float> x, std::span<float> y) const override {
    FloatVector from(x.begin(), x.end());
    for (const Step& step : steps_) {
      FloatVector to(step.out_size(), 0.0F);
      ForEachTap(step, [&](int64_t i, int64_t o, float weight) {
        for (int64_t k = 0; k < step.inner; ++k) to[o + k] += weight * from[i + k];
      });
      from = std::move(to);
    }
    std::copy(from.begin(), from.end(), y.begin());
  }

  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override {
    FloatVector from(y.begin(), y.end());
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
      FloatVector to(step->in_size(), 0.0F);
      ForEachTap(*step, [&](int64_t i, int64_t o, float weight) {
        for (int64_t k = 0; k < step->inner; ++k) to[i + k] += weight * from[o + k];
      });
      from = std::move(to);
    }
    std::copy(from.begin(), from.end(), x.begin());
  }

  // Calls fn(input offset, output offset, weight) for runs of `inner` elements.
  template <typename Fn>
  static void ForEachTap(const Step& step, Fn fn) {
    int64_t o = 0;
    for (int64_t outer = 0; outer < step.outer; ++outer) {
      for (const Taps& taps : step.taps) {
        for (const Tap& tap : taps) fn((outer * step.in + tap.index) * step.inner, o, tap.weight);
        o += step.inner;
      }
    }
  }

  Sampling sampling_;
  std::vector<Step> steps_;
};

MadeOperator Make(const Settings& settings, const std::vector<Axis>& axes, const Shape& x) {
  Shape out;
  for (const Axis& axis : axes) out.push_back(axis.out);
  BITPLAN_RETURN_IF_ERROR(CheckShape(out));
  Sampling sampling{.settings = settings, .axes = axes, .x = x};
  if (settings.mode == "nearest") return std::make_unique<NearestOperator>(std::move(out), std::move(sampling));
  if (settings.mode == "linear" || settings.mode == "bilinear" || settings.mode == "cubic") {
    return std::make_unique<InterpolateOperator>(std::move(out), std::move(sampling));
  }
  return InvalidArgument("mode: got '{}', want nearest, linear or cubic", settings.mode);
}

// The axes that scales or sizes are for: all of them, or those of the attribute.
absl::StatusOr<std::vector<int64_t>> ReadAxes(const OpRequest& request, size_t count) {
  std::vector<int64_t> all;
  for (int64_t d = 0; d < request.rank(0); ++d) all.push_back(d);
  BITPLAN_ASSIGN_OR_RETURN(std::vector<int64_t> axes, IntsAttribute(request.node, "axes", all));
  if (axes.size() != count) return InvalidArgument("scales or sizes: got {} entries, want {}", count, axes.size());
  for (int64_t& axis : axes) {
    BITPLAN_ASSIGN_OR_RETURN(axis, NormalizedAxis(axis, request.rank(0), "axes"));
  }
  return axes;
}

std::vector<Axis> Unchanged(const Shape& x) {
  std::vector<Axis> axes;
  for (const int64_t size : x) axes.push_back({.in = size, .out = size});
  return axes;
}

absl::StatusOr<std::vector<Axis>> AxesByScales(const OpRequest& request, std::span<const float> scales) {
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> places, ReadAxes(request, scales.size()));
  std::vector<Axis> axes = Unchanged(request.shape(0));
  for (size_t i = 0; i < places.size(); ++i) {
    Axis& axis = axes[places[i]];
    const double size = std::floor(static_cast<double>(axis.in) * scales[i]);
    if (!(scales[i] > 0) || size > static_cast<double>(kMaxValueElements)) {
      return InvalidArgument("scales: got {} for a size of {}", scales[i], axis.in);
    }
    axis.scale = scales[i];
    axis.out = static_cast<int64_t>(size);
  }
  return axes;
}

// A size of 0 leaves the axis as it is (the importer writes it for the number of samples).
absl::StatusOr<std::vector<Axis>> AxesBySizes(const OpRequest& request, const std::vector<int64_t>& sizes) {
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> places, ReadAxes(request, sizes.size()));
  BITPLAN_ASSIGN_OR_RETURN(const std::string policy,
                           StringAttribute(request.node, "keep_aspect_ratio_policy", "stretch"));
  if (policy != "stretch") return Unimplemented("keep_aspect_ratio_policy: '{}'", policy);
  std::vector<Axis> axes = Unchanged(request.shape(0));
  for (size_t i = 0; i < places.size(); ++i) {
    if (sizes[i] == 0) continue;
    Axis& axis = axes[places[i]];
    axis.out = sizes[i];
    axis.scale = static_cast<float>(sizes[i]) / static_cast<float>(axis.in);
  }
  return axes;
}

absl::Status CheckWord(std::string_view what, const std::string& got, std::initializer_list<std::string_view> known) {
  if (std::ranges::find(known, got) != known.end()) return absl::OkStatus();
  return Unimplemented("{}: '{}'", what, got);
}

absl::StatusOr<Settings> ReadSettings(const OpRequest& request) {
  Settings settings;
  const Node& node = request.node;
  BITPLAN_ASSIGN_OR_RETURN(settings.mode, StringAttribute(node, "mode", settings.mode));
  BITPLAN_ASSIGN_OR_RETURN(settings.coordinates,
                           StringAttribute(node, "coordinate_transformation_mode", settings.coordinates));
  BITPLAN_ASSIGN_OR_RETURN(settings.nearest, StringAttribute(node, "nearest_mode", settings.nearest));
  BITPLAN_ASSIGN_OR_RETURN(settings.cubic_coefficient,
                           FloatAttribute(node, "cubic_coeff_a", settings.cubic_coefficient));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t exclude_outside, IntAttribute(node, "exclude_outside", 0));
  settings.exclude_outside = exclude_outside != 0;
  BITPLAN_ASSIGN_OR_RETURN(const int64_t antialias, IntAttribute(node, "antialias", 0));
  if (antialias != 0) return Unimplemented("antialias");
  BITPLAN_RETURN_IF_ERROR(CheckWord("coordinate_transformation_mode", settings.coordinates,
                                    {"asymmetric", "align_corners", "half_pixel", "half_pixel_symmetric",
                                     "pytorch_half_pixel", "tf_half_pixel_for_nn"}));
  BITPLAN_RETURN_IF_ERROR(
      CheckWord("nearest_mode", settings.nearest, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  return settings;
}

// Upsample, and Resize of opset 10: scales as input 1, positions from the left edge.
MadeOperator MakeByScales(const OpRequest& request) {
  Settings settings{.coordinates = "asymmetric", .nearest = "floor"};
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2, 1));
  BITPLAN_ASSIGN_OR_RETURN(settings.mode, StringAttribute(request.node, "mode", settings.mode));
  BITPLAN_ASSIGN_OR_RETURN(const Tensor* scales, ConstantTensor(request, 1, "scales"));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<Axis> axes, AxesByScales(request, scales->data));
  return Make(settings, axes, request.shape(0));
}

}  // namespace

MadeOperator MakeUpsample(const OpRequest& request) { return MakeByScales(request); }

// Scales or sizes must be constant; regions of interest are read by tf_crop_and_resize only, which is not supported.
MadeOperator MakeResize(const OpRequest& request) {
  if (request.opset_version < 11) return MakeByScales(request);
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 4, 1));
  BITPLAN_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(request));
  const bool by_sizes = request.has_input(3) && request.shape(3) != Shape{0};
  const bool by_scales = request.has_input(2) && request.shape(2) != Shape{0};
  if (by_sizes == by_scales) return InvalidArgument("scales and sizes: want one of them");
  std::vector<Axis> axes;
  if (by_sizes) {
    BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, ConstantInts(request, 3, "sizes"));
    BITPLAN_ASSIGN_OR_RETURN(axes, AxesBySizes(request, sizes));
  } else {
    BITPLAN_ASSIGN_OR_RETURN(const Tensor* scales, ConstantTensor(request, 2, "scales"));
    BITPLAN_ASSIGN_OR_RETURN(axes, AxesByScales(request, scales->data));
  }
  return Make(settings, axes, request.shape(0));
}

}  // namespace bitplan::ops
