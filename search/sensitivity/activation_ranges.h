#ifndef BITPLAN_SEARCH_SENSITIVITY_ACTIVATION_RANGES_H_
#define BITPLAN_SEARCH_SENSITIVITY_ACTIVATION_RANGES_H_

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/change_products.h"
#include "search/graph/activation_points.h"
#include "search/graph/graph.h"
#include "search/layer/layer.h"
#include "search/ops/objective.h"
#include "search/quantization/histogram.h"
#include "search/quantization/quantizer.h"

namespace bitplan {

// Where a network's activations are quantized, and over which ranges: static ones, of what they were on the calibration
// data, or dynamic ones, of what they are in each run (search/quantization/dynamic_range.h).
struct ActivationCalibration {
  std::vector<ActivationPoint> points;  // FindActivationPoints
  std::vector<Histogram> histograms;    // static: of each point's tensor
  std::string range = "minmax";         // a name of quantization::ActivationRangeNames
  std::vector<int64_t> row_sizes = {};  // dynamic: how many consecutive values of a point's tensor share a range
  std::vector<std::string> notes = {};  // one sentence each on ranges that are not what was asked for
};

namespace sensitivity {

// Static ranges: runs the float network over the objective's samples and counts the values of each point's tensor.
// `objective` is that of `graph`, `range` the rule that grids are to follow. Cost: one forward pass; memory: one
// histogram a point and thread, whatever the number of samples.
//
// Dynamic ranges: nothing runs, the objective is not looked at. With dynamic_sample, all of a sample's values of a
// tensor share a range. With dynamic_token, the values along the last axis do: a token of [samples, tokens, features],
// the whole sample of [samples, features]. A range can be taken out of a product's sum only if all that is added up
// shares it, so a tensor that a convolution reads ([samples, channels, height, width]), that is flattened or whose
// columns are added up (ReadByRows) has one range a sample there, too; a note names these tensors.
//
// Errors:   kNotFound (range), kInvalidArgument (static: a tensor with a value that is not finite, by name; one range a
//           sample: a tensor whose first axis is not that of the samples, by name), kCancelled, kDeadlineExceeded. A
//           graph of a fixed number of samples, more than one, must have them in the first axis of these tensors: that
//           cannot be checked.
// Progress: stage "activation ranges".
// Same bits for any number of threads.
absl::StatusOr<ActivationCalibration> CalibrateActivations(const Graph& graph, const Objective& objective,
                                                           std::string_view range, const RunContext& context);

// The grid of a point at 2..16 bits: affine codes over what the rule makes of its histogram; above 8 bits, where
// clipping gains nothing, over all of it. kInvalidArgument names the point where the rule fails; kFailedPrecondition
// for dynamic ranges, which have no grid before the network runs, and where binary or ternary levels take its place.
absl::StatusOr<QuantizationGrid> ActivationGridOf(const ActivationCalibration& calibration, size_t point, int bits);

// What simulates the activations of a choice: each point with bits[p] < 32 is fake-quantized on ActivationGridOf, on
// binary levels (1 bit) or ternary ones (2 bits with range "ternary"), or on a grid of each row (FakeQuantizeRows).
// bits[p] belongs to points[p] and is 1..16 or 32.
absl::StatusOr<std::map<ValueId, Substitution::Transform>> ActivationTransforms(
    const ActivationCalibration& calibration, std::span<const int> bits);

// What the options' activation bits do to each point's tensor, for Gauss-Newton forms and responses. Options of 32 bits
// leave it as it is.
absl::StatusOr<ActivationChanges> ActivationChangesOf(const ActivationCalibration& calibration,
                                                      const OptionTable& options);

// Widths by point that options[l] of each layer l mean: a point takes the width of the layer that owns it. Layers with
// a null option leave their points in float.
std::vector<int> WidthsOfPoints(const ActivationCalibration& calibration, std::span<const Option* const> options);

}  // namespace sensitivity
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_SENSITIVITY_ACTIVATION_RANGES_H_
