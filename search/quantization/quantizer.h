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

// A weight tensor as codes. What they stand for depends on the scheme; exactly one of grids, levels, vectors is there:
//
//   grids    uniform codes: one grid a group of weights that share a scale (groups in the order of their channel, then
//            of their weights)
//   levels   scales[g] * levels[code]: one list of ascending levels for all groups, or one a group
//   vectors  code v stands for the vector_size weights vectors[v * vector_size ..]: consecutive weights of one output
//            channel, the last vector of a channel being cut to what is left; channels in order
struct QuantizedWeight {
  Granularity granularity = Granularity::kPerTensor;
  int channel_axis = 0;
  std::vector<QuantizationGrid> grids;
  std::vector<int32_t> codes;  // row-major like the weight; vectors: one a vector
  int64_t group_size = 0;      // as in the option
  std::vector<float> scales;
  std::vector<std::vector<double>> levels;
  std::vector<float> vectors;
  int vector_size = 0;
};

// What quantization adds to a weight: d = Q(W) - W.
struct Perturbation {
  std::vector<float> delta;             // row-major like the weight
  double squared_norm = 0;              // sum of delta^2, added in double
  std::vector<QuantizationGrid> grids;  // of uniform codes: one a group; else none
};

// What some schemes and roundings need besides the weight. Random draws come from Rng(seed, stream), in storage order.
struct PerturbInputs {
  std::span<const float> importance = {};  // one a weight, >= 0: what an error of 1 costs there (a curvature diagonal)
  uint64_t seed = 0;
  uint64_t stream = 0;  // the index of the layer in a measurement
};

namespace quantization {

// Scale of a grid of num_steps equal steps over `width` >= 0. Never zero or subnormal: a width of zero gives 1, a scale
// below the smallest normal float is raised to it, so that division by it is safe.
float ScaleFor(double width, int num_steps);

// Code of w: round half to even of w / scale (in float, as runtimes do), plus zero_point, clamped to the codes.
int32_t Encode(const QuantizationGrid& grid, float w);
// scale * (code - zero_point), in float.
float Decode(const QuantizationGrid& grid, int32_t code);

// Quantizes `weight` as `option` says (weight_bits, scheme, granularity, group_size, range, rounding). Slices along
// `channel_axis` are the output channels; per_tensor ignores the axis.
//
// Errors: kInvalidArgument (empty tensor, NaN or infinity, axis or bits out of range, a granularity, range rule or
// rounding that the scheme does not have, a group size that does not divide the weights of a channel, importance
// missing or of another size), kNotFound (scheme, range rule).
absl::StatusOr<QuantizedWeight> Quantize(TensorView weight, int channel_axis, const Option& option,
                                         const PerturbInputs& inputs = {});

// The weights that the codes stand for, row-major; `shape` is that of the quantized weight.
std::vector<float> Dequantize(const QuantizedWeight& quantized, const Shape& shape);

// d = Q(W) - W and its squared norm, same arguments and errors as Quantize. Under nearest rounding and min-max ranges
// each |d_i| of uniform codes is at most scale / 2 up to rounding.
absl::StatusOr<Perturbation> Perturb(TensorView weight, int channel_axis, const Option& option,
                                     const PerturbInputs& inputs = {});

}  // namespace quantization
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_QUANTIZATION_QUANTIZER_H_
