#include "search/quantization/quantizer.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "search/base/status.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::quantization {
namespace {

// The tensor cut along one axis: slice c holds the elements (outer, c, inner). Under per_tensor there is one slice.
struct Slicing {
  int64_t outer = 1;
  int64_t num_slices = 1;
  int64_t inner = 1;

  // visit(element index, slice) for each element, in storage order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    int64_t index = 0;
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t slice = 0; slice < num_slices; ++slice) {
        for (int64_t i = 0; i < inner; ++i) visit(index++, slice);
      }
    }
  }
};

Slicing SliceAlong(const Shape& shape, int axis) {
  Slicing slicing;
  for (int d = 0; d < axis; ++d) slicing.outer *= shape[d];
  slicing.num_slices = shape[axis];
  for (size_t d = axis + 1; d < shape.size(); ++d) slicing.inner *= shape[d];
  return slicing;
}

absl::StatusOr<Slicing> MakeSlicing(TensorView weight, int channel_axis, Granularity granularity) {
  const auto num_weights = static_cast<int64_t>(weight.data.size());
  if (weight.shape == nullptr || NumElements(*weight.shape) != num_weights) {
    return InvalidArgument("weight: got {} values, want as many as its shape {} holds", num_weights,
                           weight.shape == nullptr ? "(none)" : ToString(*weight.shape));
  }
  if (num_weights == 0) return InvalidArgument("weight of shape {}: has no elements", ToString(*weight.shape));
  if (granularity == Granularity::kPerTensor) return Slicing{.outer = 1, .num_slices = 1, .inner = num_weights};
  if (channel_axis < 0 || channel_axis >= std::ssize(*weight.shape)) {
    return InvalidArgument("channel_axis: got {}, want an axis of the weight's shape {}", channel_axis,
                           ToString(*weight.shape));
  }
  return SliceAlong(*weight.shape, channel_axis);
}

absl::Status CheckFinite(TensorView weight) {
  for (size_t i = 0; i < weight.data.size(); ++i) {
    if (!std::isfinite(weight.data[i])) {
      return InvalidArgument("weight[{}]: got {}, want a finite number", i, weight.data[i]);
    }
  }
  return absl::OkStatus();
}

// Min-max calibration; `slicing` has no empty slice as the tensor has elements.
std::vector<Range> MinMax(TensorView weight, const Slicing& slicing) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  std::vector<Range> ranges(slicing.num_slices, {.min = kLargest, .max = -kLargest});
  slicing.ForEach([&](int64_t i, int64_t slice) {
    ranges[slice].min = std::min(ranges[slice].min, weight.data[i]);
    ranges[slice].max = std::max(ranges[slice].max, weight.data[i]);
  });
  return ranges;
}

absl::StatusOr<QuantizerEntry> QuantizerFor(const Option& option) {
  BITPLAN_ASSIGN_OR_RETURN(const QuantizerEntry quantizer, FindQuantizer(option.scheme));
  if (option.weight_bits < quantizer.min_bits || option.weight_bits > quantizer.max_bits) {
    return InvalidArgument("weight_bits: got {}, want {}..{} for {}", option.weight_bits, quantizer.min_bits,
                           quantizer.max_bits, quantizer.name);
  }
  return quantizer;
}

// What Quantize and Perturb share: how the tensor is cut, and the grid of each slice.
struct Calibration {
  Slicing slicing;
  std::vector<QuantizationGrid> grids;
};

absl::StatusOr<Calibration> Calibrate(TensorView weight, int channel_axis, const Option& option) {
  BITPLAN_ASSIGN_OR_RETURN(const QuantizerEntry quantizer, QuantizerFor(option));
  BITPLAN_ASSIGN_OR_RETURN(const Slicing slicing, MakeSlicing(weight, channel_axis, option.granularity));
  BITPLAN_RETURN_IF_ERROR(CheckFinite(weight));
  Calibration calibration{.slicing = slicing, .grids = {}};
  for (const Range& range : MinMax(weight, slicing)) {
    calibration.grids.push_back(quantizer.grid(range, option.weight_bits));
  }
  return calibration;
}

}  // namespace

float ScaleFor(double width, int num_steps) {
  if (width == 0) return 1.0F;
  const float scale = static_cast<float>(width / num_steps);
  return std::max(scale, std::numeric_limits<float>::min());
}

int32_t Encode(const QuantizationGrid& grid, float w) {
  // Clamped before it becomes an integer: the quotient may exceed int32 where the scale was raised or w is off range.
  const float code = std::nearbyint(w / grid.scale) + static_cast<float>(grid.zero_point);
  return static_cast<int32_t>(std::clamp(code, static_cast<float>(grid.min_code), static_cast<float>(grid.max_code)));
}

float Decode(const QuantizationGrid& grid, int32_t code) {
  return grid.scale * static_cast<float>(code - grid.zero_point);
}

absl::StatusOr<QuantizedWeight> Quantize(TensorView weight, int channel_axis, const Option& option) {
  BITPLAN_ASSIGN_OR_RETURN(Calibration calibration, Calibrate(weight, channel_axis, option));
  QuantizedWeight quantized{.granularity = option.granularity,
                            .channel_axis = channel_axis,
                            .grids = std::move(calibration.grids),
                            .codes = std::vector<int32_t>(weight.data.size())};
  calibration.slicing.ForEach(
      [&](int64_t i, int64_t slice) { quantized.codes[i] = Encode(quantized.grids[slice], weight.data[i]); });
  return quantized;
}

absl::StatusOr<Perturbation> Perturb(TensorView weight, int channel_axis, const Option& option) {
  BITPLAN_ASSIGN_OR_RETURN(Calibration calibration, Calibrate(weight, channel_axis, option));
  Perturbation perturbation{
      .delta = std::vector<float>(weight.data.size()), .squared_norm = 0, .grids = std::move(calibration.grids)};
  calibration.slicing.ForEach([&](int64_t i, int64_t slice) {
    const QuantizationGrid& grid = perturbation.grids[slice];
    const float delta = Decode(grid, Encode(grid, weight.data[i])) - weight.data[i];
    perturbation.delta[i] = delta;
    perturbation.squared_norm += static_cast<double>(delta) * delta;
  });
  return perturbation;
}

}  // namespace bitplan::quantization
