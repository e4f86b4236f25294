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

// Where a network's activations are quantized and what they were on the calibration data.
struct ActivationCalibration {
  std::vector<ActivationPoint> points;  // FindActivationPoints
  std::vector<Histogram> histograms;    // of each point's tensor
  std::string range = "minmax";         // a name of quantization::RangeRules
};

namespace sensitivity {

// Runs the float network over the objective's samples and counts the values of each point's tensor. `objective` is that
// of `graph`, `range` the rule that grids are to follow. Cost: one forward pass; memory: one histogram a point and
// thread, whatever the number of samples.
// Errors:   kNotFound (range), kInvalidArgument (a tensor with a value that is not finite, by name), kCancelled,
//           kDeadlineExceeded.
// Progress: stage "activation ranges".
// Same bits for any number of threads.
absl::StatusOr<ActivationCalibration> CalibrateActivations(const Graph& graph, const Objective& objective,
                                                           std::string_view range, const RunContext& context);

// The grid of a point at 2..16 bits: affine codes over what the rule makes of its histogram; above 8 bits, where
// clipping gains nothing, over all of it. kInvalidArgument names the point where the rule fails.
absl::StatusOr<QuantizationGrid> ActivationGridOf(const ActivationCalibration& calibration, size_t point, int bits);

// What simulates the activations of a choice: each point with bits[p] < 32 is fake-quantized on ActivationGridOf.
// bits[p] belongs to points[p] and is 2..16 or 32.
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
