#include "search/sensitivity/activation_ranges.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <utility>

#include "search/base/status.h"
#include "search/ops/infer_shapes.h"
#include "search/quantization/dynamic_range.h"
#include "search/quantization/fake_quantize.h"
#include "search/quantization/few_levels.h"
#include "search/quantization/range_rule_table.h"

namespace bitplan::sensitivity {
namespace {

// The histogram of a stream that comes in pieces of samples from several threads, merged in the order of the samples.
class OrderedHistogram {
 public:
  void Add(std::span<const float> values, int64_t first, int64_t count) {
    Part part{.count = count, .histogram = {}};
    const bool finite = part.histogram.Add(values).ok();
    const std::lock_guard lock(mutex_);
    finite_ = finite_ && finite;
    waiting_[first] = std::move(part);
    for (auto next = waiting_.find(next_); next != waiting_.end(); next = waiting_.find(next_)) {
      merged_.Merge(next->second.histogram);
      next_ += next->second.count;
      waiting_.erase(next);
    }
  }
  bool is_finite() const { return finite_; }
  const Histogram& merged() const { return merged_; }

 private:
  struct Part {
    int64_t count = 0;
    Histogram histogram;
  };
  std::mutex mutex_;
  bool finite_ = true;
  int64_t next_ = 0;  // sample whose turn it is
  std::map<int64_t, Part> waiting_;
  Histogram merged_;
};

// Shapes of all values of a graph.
struct ShapesOfSamples {
  int64_t batch = 1;          // samples that the graph takes at least
  std::vector<Shape> one;     // of `batch` samples
  std::vector<Shape> of_two;  // of 2, where the graph takes as many as one likes; else empty
};

absl::StatusOr<ShapesOfSamples> FindShapes(const Graph& graph) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t fixed, ops::FixedBatch(graph));
  ShapesOfSamples shapes{.batch = std::max<int64_t>(fixed, 1), .one = {}, .of_two = {}};
  BITPLAN_ASSIGN_OR_RETURN(shapes.one, ops::InferShapes(graph, shapes.batch));
  if (fixed > 0) return shapes;
  absl::StatusOr<std::vector<Shape>> of_two = ops::InferShapes(graph, 2);
  if (of_two.ok()) shapes.of_two = *std::move(of_two);  // else constants in the graph fix the number to 1
  return shapes;
}

// How many values of a tensor belong to one sample.
absl::StatusOr<int64_t> SampleSize(const Graph& graph, const ShapesOfSamples& shapes, ValueId value) {
  const Shape& shape = shapes.one[value];
  bool has_axis = !shape.empty() && shape[0] % shapes.batch == 0;
  if (has_axis && !shapes.of_two.empty()) {
    Shape wanted = shape;
    wanted[0] *= 2;
    has_axis = shapes.of_two[value] == wanted;
  }
  if (has_axis) return NumElements(shape) / shapes.batch;
  return InvalidArgument(
      "activations: tensor '{}' of shape {} for {} samples does not have them in its first axis, so they cannot have a "
      "range each; use a static range",
      graph.values[value].name, ToString(shape), shapes.batch);
}

absl::StatusOr<ActivationCalibration> DynamicRangesOf(const Graph& graph, const DynamicRangeEntry& range) {
  ActivationCalibration calibration{
      .points = FindActivationPoints(graph), .histograms = {}, .range = std::string(range.name)};
  BITPLAN_ASSIGN_OR_RETURN(const ShapesOfSamples shapes, FindShapes(graph));
  std::vector<bool> by_row(calibration.points.size(), false);
  if (range.by_row) by_row = ReadByRows(graph, calibration.points, shapes.one);
  std::vector<std::string_view> of_samples;
  for (size_t p = 0; p < by_row.size(); ++p) {
    const ValueId value = calibration.points[p].value;
    int64_t size = 0;
    if (by_row[p]) {
      size = shapes.one[value].back();
    } else {
      BITPLAN_ASSIGN_OR_RETURN(size, SampleSize(graph, shapes, value));
      of_samples.push_back(graph.values[value].name);
    }
    calibration.row_sizes.push_back(size);
  }
  if (range.by_row && !of_samples.empty()) {
    calibration.notes.push_back(fmt::format(
        "{}: {} of {} activation tensors have one range a sample, because layers add up more than a row of them: {}",
        range.name, of_samples.size(), by_row.size(), fmt::join(of_samples, ", ")));
  }
  return calibration;
}

// Whether a static range means levels in place of a grid: binary, ternary.
bool HasFewLevels(std::string_view range, int bits) {
  return bits == quantization::kBinaryBits || (bits == quantization::kMinGridBits && range == quantization::kTernary);
}

// Quantizes a tensor of one or several samples in place.
using Quantize = std::function<void(std::span<float> values)>;

absl::StatusOr<Quantize> QuantizeOf(const ActivationCalibration& calibration, size_t point, int bits) {
  if (quantization::FindDynamicRange(calibration.range) != nullptr) {
    return [bits, row_size = calibration.row_sizes[point]](std::span<float> values) {
      quantization::FakeQuantizeRows(bits, row_size, values);
    };
  }
  if (HasFewLevels(calibration.range, bits)) {
    const Histogram& histogram = calibration.histograms[point];
    return [levels = bits == quantization::kBinaryBits ? quantization::BinaryActivationLevels(histogram)
                                                       : quantization::TernaryActivationLevels(histogram)](
               std::span<float> values) { quantization::FakeQuantizeToLevels(levels, values); };
  }
  BITPLAN_ASSIGN_OR_RETURN(const QuantizationGrid grid, ActivationGridOf(calibration, point, bits));
  return [grid](std::span<float> values) { quantization::FakeQuantize(grid, values); };
}

}  // namespace

absl::StatusOr<ActivationCalibration> CalibrateActivations(const Graph& graph, const Objective& objective,
                                                           std::string_view range, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(quantization::CheckActivationRange(range));
  if (const DynamicRangeEntry* dynamic = quantization::FindDynamicRange(range)) return DynamicRangesOf(graph, *dynamic);
  ActivationCalibration calibration{
      .points = FindActivationPoints(graph), .histograms = {}, .range = std::string(range)};
  std::vector<OrderedHistogram> histograms(calibration.points.size());
  Substitution look;  // transforms that only read
  for (size_t p = 0; p < calibration.points.size(); ++p) {
    look.transforms[calibration.points[p].value] = [&histograms, p](std::span<float> values, int64_t first,
                                                                    int64_t count) {
      histograms[p].Add(values, first, count);
    };
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
    if (!histograms[p].is_finite()) {
      return InvalidArgument("activations: tensor '{}' has a value that is not finite",
                             graph.values[calibration.points[p].value].name);
    }
    calibration.histograms.push_back(histograms[p].merged());
  }
  return calibration;
}

absl::StatusOr<QuantizationGrid> ActivationGridOf(const ActivationCalibration& calibration, size_t point, int bits) {
  constexpr int kMaxClippedBits = 8;
  if (calibration.histograms.empty()) {
    return FailedPrecondition(
        "activations: ranges are dynamic ({}), there is no grid of point {} before the network "
        "runs",
        calibration.range, point);
  }
  const Histogram& histogram = calibration.histograms[point];
  if (HasFewLevels(calibration.range, bits)) {
    return FailedPrecondition("activations: {} bits of range '{}' are levels, not a grid", bits, calibration.range);
  }
  if (calibration.range == quantization::kMinMax || calibration.range == quantization::kTernary ||
      bits > kMaxClippedBits) {
    return quantization::ActivationGrid({.min = histogram.min(), .max = histogram.max()}, bits);
  }
  const absl::StatusOr<Range> range =
      quantization::CalibrateRange(calibration.range, histogram, bits, /*symmetric=*/false);
  if (!range.ok()) return WithContext(range.status(), fmt::format("activation point {}", point));
  return quantization::ActivationGrid(*range, bits);
}

absl::StatusOr<std::map<ValueId, Substitution::Transform>> ActivationTransforms(
    const ActivationCalibration& calibration, std::span<const int> bits) {
  std::map<ValueId, Substitution::Transform> transforms;
  for (size_t p = 0; p < calibration.points.size(); ++p) {
    if (bits[p] >= quantization::kFloatBits) continue;
    BITPLAN_ASSIGN_OR_RETURN(const Quantize quantize, QuantizeOf(calibration, p, bits[p]));
    transforms[calibration.points[p].value] = [quantize](std::span<float> values, int64_t /*first*/,
                                                         int64_t /*count*/) { quantize(values); };
  }
  return transforms;
}

absl::StatusOr<ActivationChanges> ActivationChangesOf(const ActivationCalibration& calibration,
                                                      const OptionTable& options) {
  ActivationChanges changes;
  std::vector<std::vector<int>> widths(options.options.size());  // of each layer's changes
  for (size_t l = 0; l < options.options.size(); ++l) {
    std::vector<int>& of_option = changes.of_option.emplace_back();
    for (const Option& option : options.options[l]) {
      const int bits = option.activation_bits;
      const auto known = std::ranges::find(widths[l], bits);
      of_option.push_back(bits == quantization::kFloatBits ? -1 : static_cast<int>(known - widths[l].begin()));
      if (of_option.back() == std::ssize(widths[l])) widths[l].push_back(bits);
    }
  }
  for (size_t p = 0; p < calibration.points.size(); ++p) {
    std::vector<ActivationChanges::Error>& errors = changes.errors.emplace_back();
    for (const int bits : widths[calibration.points[p].layers[0]]) {
      BITPLAN_ASSIGN_OR_RETURN(const Quantize quantize, QuantizeOf(calibration, p, bits));
      errors.push_back([quantize](std::span<const float> values, std::span<float> error) {
        std::ranges::copy(values, error.begin());
        quantize(error);
        for (size_t i = 0; i < values.size(); ++i) error[i] -= values[i];
      });
    }
  }
  return changes;
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
