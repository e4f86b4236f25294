#ifndef BITPLAN_SEARCH_QUANTIZATION_QUANTIZER_H_
#define BITPLAN_SEARCH_QUANTIZATION_QUANTIZER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "search/layer/layer.h"
#include "search/tensor/tensor.h"

namespace bitplan {

// Smallest and largest of the weights that share a scale; finite, min <= max.
struct Range {
  float min = 0;
  float max = 0;
};

// The numbers that can be represented:  x = scale * (q - zero_point),  q integer in [min_code, max_code].
// Invariants: scale is a normal positive float; min_code <= zero_point <= max_code, so 0 is represented exactly.
struct QuantizationGrid {
  float scale = 1;
  int32_t zero_point = 0;
  int32_t min_code = 0;
  int32_t max_code = 0;

  bool operator==(const QuantizationGrid&) const = default;
};

// A weight tensor as integer codes: grids[c] belongs to slice c along channel_axis (per_channel) or grids[0] to all.
struct QuantizedWeight {
  Granularity granularity = Granularity::kPerTensor;
  int channel_axis = 0;
  std::vector<QuantizationGrid> grids;
  std::vector<int32_t> codes;  // row-major like the weight
};

// What quantization adds to a weight: d = Q(W) - W.
struct Perturbation {
  std::vector<float> delta;             // row-major like the weight
  double squared_norm = 0;              // sum of delta^2, added in double
  std::vector<QuantizationGrid> grids;  // one, or one a channel
};

namespace quantization {

// Scale of a grid of num_steps equal steps over `width` >= 0. Never zero or subnormal: a width of zero gives 1, a scale
// below the smallest normal float is raised to it, so that division by it is safe.
float ScaleFor(double width, int num_steps);

// Code of w: round half to even of w / scale (in float, as runtimes do), plus zero_point, clamped to the codes.
int32_t Encode(const QuantizationGrid& grid, float w);
// scale * (code - zero_point), in float.
float Decode(const QuantizationGrid& grid, int32_t code);

// Quantizes `weight` as `option` says (weight_bits, scheme, granularity) with min-max calibrated ranges. Slices along
// `channel_axis` share a scale under per_channel; per_tensor ignores the axis.
//
// Errors: kInvalidArgument (empty tensor, NaN or infinity, axis or bits out of range), kNotFound (scheme).
absl::StatusOr<QuantizedWeight> Quantize(TensorView weight, int channel_axis, const Option& option);

// d = Q(W) - W and its squared norm, same arguments and errors as Quantize. Each |d_i| <= scale / 2 up to rounding.
absl::StatusOr<Perturbation> Perturb(TensorView weight, int channel_axis, const Option& option);

}  // namespace quantization
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_QUANTIZATION_QUANTIZER_H_
