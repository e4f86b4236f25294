#include "search/sensitivity/activation_ranges.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "search/base/status.h"
#include "search/quantization/fake_quantize.h"

namespace bitplan::sensitivity {
namespace {

// Smallest and largest number of a stream that comes in pieces from several threads; in any order the same.
class Extremes {
 public:
  void Add(std::span<const float> values) {
    float min = values[0];
    float max = values[0];
    bool finite = true;
    for (const float value : values) {
      finite = finite && std::isfinite(value);
      min = std::min(min, value);
      max = std::max(max, value);
    }
    const std::lock_guard lock(mutex_);
    finite_ = finite_ && finite;
    range_ = empty_ ? Range{.min = min, .max = max}
                    : Range{.min = std::min(range_.min, min), .max = std::max(range_.max, max)};
    empty_ = false;
  }
  bool is_finite() const { return finite_; }
  Range range() const { return range_; }

 private:
  std::mutex mutex_;
  bool empty_ = true;
  bool finite_ = true;
  Range range_;
};

}  // namespace

absl::StatusOr<ActivationCalibration> CalibrateActivations(const Graph& graph, const Objective& objective,
                                                           const RunContext& context) {
  ActivationCalibration calibration{.points = FindActivationPoints(graph), .ranges = {}};
  std::vector<Extremes> extremes(calibration.points.size());
  Substitution look;  // transforms that only read
  for (size_t p = 0; p < calibration.points.size(); ++p) {
    look.transforms[calibration.points[p].value] = [&extremes, p](std::span<float> values, int64_t /*first*/,
                                                                  int64_t /*count*/) { extremes[p].Add(values); };
  }
  RunContext of_ranges = context;
  of_ranges.progress = [&context](const Progress& of_run) {
    Progress report = of_run;
    report.stage = "activation ranges";
    context.Report(report);
  };
  const auto ignore = [](int, int64_t, std::span<const float>, std::span<const double>) {};
  BITPLAN_RETURN_IF_ERROR(objective.RunSubstituted({&look, 1}, ignore, of_ranges));
  for (size_t p = 0; p < calibration.points.size(); ++p) {
    if (!extremes[p].is_finite()) {
      return InvalidArgument("activations: tensor '{}' has a value that is not finite",
                             graph.values[calibration.points[p].value].name);
    }
    calibration.ranges.push_back(extremes[p].range());
  }
  return calibration;
}

std::map<ValueId, Substitution::Transform> ActivationTransforms(const ActivationCalibration& calibration,
                                                                std::span<const int> bits) {
  std::map<ValueId, Substitution::Transform> transforms;
  for (size_t p = 0; p < calibration.points.size(); ++p) {
    if (bits[p] >= quantization::kFloatBits) continue;
    const QuantizationGrid grid = quantization::ActivationGrid(calibration.ranges[p], bits[p]);
    transforms[calibration.points[p].value] = [grid](std::span<float> values, int64_t /*first*/, int64_t /*count*/) {
      quantization::FakeQuantize(grid, values);
    };
  }
  return transforms;
}

std::vector<int> WidthsOfPoints(const ActivationCalibration& calibration, std::span<const Option* const> options) {
  std::vector<int> bits;
  for (const ActivationPoint& point : calibration.points) {
    const Option* option = options[point.layers[0]];
    bits.push_back(option == nullptr ? quantization::kFloatBits : option->activation_bits);
  }
  return bits;
}

}  // namespace bitplan::sensitivity
