#include "search/sensitivity/activation_ranges.h"

#include <mutex>
#include <utility>

#include "search/base/status.h"
#include "search/quantization/fake_quantize.h"
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

}  // namespace

absl::StatusOr<ActivationCalibration> CalibrateActivations(const Graph& graph, const Objective& objective,
                                                           std::string_view range, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(quantization::FindRangeRule(range).status());
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
  const Histogram& histogram = calibration.histograms[point];
  if (calibration.range == quantization::kMinMax || bits > kMaxClippedBits) {
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
    BITPLAN_ASSIGN_OR_RETURN(const QuantizationGrid grid, ActivationGridOf(calibration, p, bits[p]));
    transforms[calibration.points[p].value] = [grid](std::span<float> values, int64_t /*first*/, int64_t /*count*/) {
      quantization::FakeQuantize(grid, values);
    };
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
      BITPLAN_ASSIGN_OR_RETURN(const QuantizationGrid grid, ActivationGridOf(calibration, p, bits));
      errors.push_back([grid](std::span<const float> values, std::span<float> error) {
        std::ranges::copy(values, error.begin());
        quantization::FakeQuantize(grid, error);
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
