#ifndef BITPLAN_SEARCH_SENSITIVITY_ACTIVATION_RANGES_H_
#define BITPLAN_SEARCH_SENSITIVITY_ACTIVATION_RANGES_H_

#include <map>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/graph/activation_points.h"
#include "search/graph/graph.h"
#include "search/ops/objective.h"
#include "search/quantization/quantizer.h"

namespace bitplan {

// Where a network's activations are quantized and what they span on the calibration data.
struct ActivationCalibration {
  std::vector<ActivationPoint> points;  // FindActivationPoints
  std::vector<Range> ranges;            // of each point
};

namespace sensitivity {

// Runs the float network over the objective's samples and notes smallest and largest value of each point's tensor.
// `objective` is that of `graph`. Cost: one forward pass; memory: two numbers a point.
// Errors:   kInvalidArgument (a tensor with a value that is not finite, by name), kCancelled, kDeadlineExceeded.
// Progress: stage "activation ranges".
// Same bits for any number of threads.
absl::StatusOr<ActivationCalibration> CalibrateActivations(const Graph& graph, const Objective& objective,
                                                           const RunContext& context);

// What simulates the activations of a choice: each point with bits[p] < 32 is fake-quantized to bits[p] over its range
// (quantization::ActivationGrid). bits[p] belongs to points[p] and is 2..16 or 32.
std::map<ValueId, Substitution::Transform> ActivationTransforms(const ActivationCalibration& calibration,
                                                                std::span<const int> bits);

// Widths by point that options[l] of each layer l mean: a point takes the width of the layer that owns it. Layers with
// a null option leave their points in float.
std::vector<int> WidthsOfPoints(const ActivationCalibration& calibration, std::span<const Option* const> options);

}  // namespace sensitivity
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_SENSITIVITY_ACTIVATION_RANGES_H_
