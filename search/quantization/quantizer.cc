#include "search/quantization/quantizer.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/quantization/grouping.h"
#include "search/quantization/legal.h"
#include "search/quantization/levels.h"
#include "search/quantization/quantizer_table.h"
#include "search/quantization/range_rule_table.h"

namespace bitplan::quantization {
namespace {

absl::StatusOr<Grouping> CheckedGrouping(TensorView weight, int channel_axis, const Option& option,
                                         const QuantizerEntry& quantizer) {
  const auto num_weights = static_cast<int64_t>(weight.data.size());
  if (weight.shape == nullptr || NumElements(*weight.shape) != num_weights) {
    return InvalidArgument("weight: got {} values, want as many as its shape {} holds", num_weights,
                           weight.shape == nullptr ? "(none)" : ToString(*weight.shape));
  }
  if (num_weights == 0) return InvalidArgument("weight of shape {}: has no elements", ToString(*weight.shape));
  const bool reads_axis = option.granularity != Granularity::kPerTensor || quantizer.vectors != nullptr;
  if (reads_axis && (channel_axis < 0 || channel_axis >= std::ssize(*weight.shape))) {
    return InvalidArgument("channel_axis: got {}, want an axis of the weight's shape {}", channel_axis,
                           ToString(*weight.shape));
  }
  const Grouping grouping = GroupingOf(*weight.shape, channel_axis, option.granularity, option.group_size);
  const bool is_cut = option.granularity == Granularity::kPerGroup && quantizer.block_size == 0;
  if (is_cut && grouping.weights_per_slice() % option.group_size != 0) {
    return InvalidArgument("group_size: got {}, want a divisor of the {} weights of a channel", option.group_size,
                           grouping.weights_per_slice());
  }
  return grouping;
}

absl::Status CheckFinite(TensorView weight) {
  for (size_t i = 0; i < weight.data.size(); ++i) {
    if (!std::isfinite(weight.data[i])) {
      return InvalidArgument("weight[{}]: got {}, want a finite number", i, weight.data[i]);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckImportance(const QuantizerEntry& quantizer, TensorView weight, std::span<const float> importance) {
  if (!quantizer.takes_importance) return absl::OkStatus();
  if (importance.empty()) {
    return InvalidArgument("importance: {} needs that of each weight (a curvature diagonal), got none", quantizer.name);
  }
  if (importance.size() != weight.data.size()) {
    return InvalidArgument("importance: got {} values for {} weights", importance.size(), weight.data.size());
  }
  for (size_t i = 0; i < importance.size(); ++i) {
    if (!(importance[i] >= 0) || !std::isfinite(importance[i])) {
      return InvalidArgument("importance[{}]: got {}, want a finite number of at least 0", i, importance[i]);
    }
  }
  return absl::OkStatus();
}

// `values` group by group.
std::vector<float> Gathered(std::span<const float> values, const GroupOrder& groups) {
  std::vector<float> gathered(values.size());
  for (size_t i = 0; i < values.size(); ++i) gathered[i] = values[groups.order[i]];
  return gathered;
}

std::span<const float> GroupOf(const std::vector<float>& gathered, const GroupOrder& groups, size_t group) {
  return std::span(gathered).subspan(groups.begin[group], groups.begin[group + 1] - groups.begin[group]);
}

std::vector<Range> MinMax(std::span<const float> values, const Grouping& grouping) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  std::vector<Range> ranges(grouping.num_groups(), {.min = kLargest, .max = -kLargest});
  grouping.ForEach([&](int64_t i, int64_t group) {
    ranges[group].min = std::min(ranges[group].min, values[i]);
    ranges[group].max = std::max(ranges[group].max, values[i]);
  });
  return ranges;
}

RangeTarget TargetOf(const QuantizerEntry& quantizer, int bits) {
  if (quantizer.unit_levels != nullptr) {
    return {.bits = bits,
            .symmetric = true,
            .levels = quantizer.unit_levels(bits),
            .power_of_two_scale = quantizer.power_of_two_scale};
  }
  if (quantizer.has_zero_point) return {.bits = bits, .symmetric = false, .levels = {}};
  const QuantizationGrid grid = quantizer.grid({.min = -1, .max = 1}, bits);
  RangeTarget target{.bits = bits, .symmetric = true, .levels = {}};
  for (int32_t code = grid.min_code; code <= grid.max_code; ++code) target.levels.push_back(code);
  return target;
}

absl::StatusOr<std::vector<Range>> RangesOf(std::span<const float> values, const Grouping& grouping,
                                            const QuantizerEntry& quantizer, const Option& option) {
  if (option.range == kMinMax) return MinMax(values, grouping);
  BITPLAN_ASSIGN_OR_RETURN(const RangeRuleEntry rule, FindRangeRule(option.range));
  const RangeTarget target = TargetOf(quantizer, option.weight_bits);
  const GroupOrder groups = OrderByGroup(grouping);
  const std::vector<float> gathered = Gathered(values, groups);
  std::vector<Range> ranges;
  for (size_t g = 0; g + 1 < groups.begin.size(); ++g) {
    ranges.push_back(rule.rule(DistributionOf(GroupOf(gathered, groups, g)), target));
  }
  return ranges;
}

int32_t EncodeStochastic(const QuantizationGrid& grid, float w, double uniform) {
  const double code = std::floor(static_cast<double>(w) / grid.scale + uniform) + grid.zero_point;
  return static_cast<int32_t>(std::clamp<double>(code, grid.min_code, grid.max_code));
}

// How one weight becomes a code: to the nearest, or by a random draw a weight in storage order.
class Rounder {
 public:
  Rounder(Rounding rounding, const PerturbInputs& inputs)
      : is_stochastic_(rounding == Rounding::kStochastic), rng_(inputs.seed, inputs.stream) {}

  int32_t operator()(const QuantizationGrid& grid, float w) {
    return is_stochastic_ ? EncodeStochastic(grid, w, rng_.NextUniform()) : Encode(grid, w);
  }
  int32_t operator()(std::span<const double> levels, double x) {
    return is_stochastic_ ? StochasticLevel(levels, x, rng_.NextUniform()) : NearestLevel(levels, x);
  }

 private:
  bool is_stochastic_;
  Rng rng_;
};

void EncodeUniform(std::span<const float> values, const Grouping& grouping, const std::vector<Range>& ranges,
                   const QuantizerEntry& quantizer, int bits, Rounder& rounder, QuantizedWeight& out) {
  for (const Range& range : ranges) out.grids.push_back(quantizer.grid(range, bits));
  grouping.ForEach([&](int64_t i, int64_t group) { out.codes[i] = rounder(out.grids[group], values[i]); });
}

void EncodeLevels(std::span<const float> values, const Grouping& grouping, Rounder& rounder, QuantizedWeight& out) {
  const bool is_shared = out.levels.size() == 1;
  grouping.ForEach([&](int64_t i, int64_t group) {
    const double x = static_cast<double>(values[i]) / out.scales[group];
    out.codes[i] = rounder(out.levels[is_shared ? 0 : group], x);
  });
}

float LargestMagnitude(std::span<const float> values) {
  float largest = 0;
  for (const float x : values) largest = std::max(largest, std::abs(x));
  return largest;
}

// Fixed levels, one scale a group.
void ScaleLevels(std::span<const float> values, const std::vector<Range>& ranges, const QuantizerEntry& quantizer,
                 int bits, QuantizedWeight& out) {
  out.levels = {quantizer.unit_levels(bits)};
  const float tensor_largest = LargestMagnitude(values);
  for (const Range& range : ranges) {
    const WeightGroup group{.values = {}, .importance = {}, .range = range, .tensor_largest = tensor_largest};
    const double largest = std::max(std::abs(range.min), std::abs(range.max));
    out.scales.push_back(quantizer.scale != nullptr ? quantizer.scale(group)
                                                    : StableScale(largest, out.levels.front().back()));
  }
}

// Levels fitted to each group.
void FitLevels(std::span<const float> values, const Grouping& grouping, const QuantizerEntry& quantizer, int bits,
               const PerturbInputs& inputs, QuantizedWeight& out) {
  const GroupOrder groups = OrderByGroup(grouping);
  const std::vector<float> gathered = Gathered(values, groups);
  const bool is_weighted = quantizer.takes_importance;
  const std::vector<float> importance = is_weighted ? Gathered(inputs.importance, groups) : std::vector<float>{};
  for (size_t g = 0; g + 1 < groups.begin.size(); ++g) {
    WeightGroup group{.values = GroupOf(gathered, groups, g), .importance = {}, .range = {}};
    if (is_weighted) group.importance = GroupOf(importance, groups, g);
    const std::vector<float> levels = quantizer.codebook(group, bits);
    out.levels.emplace_back(levels.begin(), levels.end());
  }
  out.scales.assign(out.levels.size(), 1.0F);
}

// Index of the vector nearest to `part`, which may be shorter than the vectors; the first of equals.
int32_t NearestVector(const std::vector<float>& vectors, int size, std::span<const float> part) {
  double least = std::numeric_limits<double>::infinity();
  int32_t best = 0;
  for (size_t v = 0; v * size < vectors.size(); ++v) {
    double distance = 0;
    for (size_t j = 0; j < part.size(); ++j) {
      const double difference = static_cast<double>(vectors[v * size + j]) - part[j];
      distance += difference * difference;
    }
    if (distance < least) {
      least = distance;
      best = static_cast<int32_t>(v);
    }
  }
  return best;
}

// The weights channel by channel: what vectors are cut from.
GroupOrder OrderByChannel(const Shape& shape, int channel_axis) {
  return OrderByGroup(GroupingOf(shape, channel_axis, Granularity::kPerChannel, 0));
}

void EncodeVectors(TensorView weight, const QuantizerEntry& quantizer, int bits, const PerturbInputs& inputs,
                   QuantizedWeight& out) {
  const GroupOrder channels = OrderByChannel(*weight.shape, out.channel_axis);
  const std::vector<float> rows = Gathered(weight.data, channels);
  const int64_t row_length = channels.begin[1];
  VectorCodebook codebook = quantizer.vectors({.values = rows, .row_length = row_length}, bits, inputs);
  out.vectors = std::move(codebook.vectors);
  out.vector_size = codebook.vector_size;
  out.codes.clear();
  for (int64_t row = 0; row < std::ssize(rows); row += row_length) {
    for (int64_t i = 0; i < row_length; i += out.vector_size) {
      const int64_t size = std::min<int64_t>(out.vector_size, row_length - i);
      out.codes.push_back(NearestVector(out.vectors, out.vector_size, std::span(rows).subspan(row + i, size)));
    }
  }
}

std::vector<float> DecodeVectors(const QuantizedWeight& quantized, const Shape& shape) {
  const GroupOrder channels = OrderByChannel(shape, quantized.channel_axis);
  const int64_t row_length = channels.begin[1];
  const int64_t vectors_a_row = (row_length + quantized.vector_size - 1) / quantized.vector_size;
  std::vector<float> values(channels.order.size());
  for (int64_t i = 0; i < std::ssize(values); ++i) {
    const int64_t place = i % row_length;
    const int32_t code = quantized.codes[i / row_length * vectors_a_row + place / quantized.vector_size];
    values[channels.order[i]] =
        quantized.vectors[int64_t{code} * quantized.vector_size + place % quantized.vector_size];
  }
  return values;
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

absl::StatusOr<QuantizedWeight> Quantize(TensorView weight, int channel_axis, const Option& option,
                                         const PerturbInputs& inputs) {
  BITPLAN_ASSIGN_OR_RETURN(const QuantizerEntry quantizer, LegalQuantizer(option));
  BITPLAN_ASSIGN_OR_RETURN(const Grouping grouping, CheckedGrouping(weight, channel_axis, option, quantizer));
  BITPLAN_RETURN_IF_ERROR(CheckFinite(weight));
  BITPLAN_RETURN_IF_ERROR(CheckImportance(quantizer, weight, inputs.importance));
  QuantizedWeight quantized{.granularity = option.granularity,
                            .channel_axis = channel_axis,
                            .grids = {},
                            .codes = std::vector<int32_t>(weight.data.size()),
                            .group_size = option.group_size};
  if (quantizer.vectors != nullptr) {
    EncodeVectors(weight, quantizer, option.weight_bits, inputs, quantized);
    return quantized;
  }
  Rounder rounder(option.rounding, inputs);
  if (quantizer.codebook != nullptr) {
    FitLevels(weight.data, grouping, quantizer, option.weight_bits, inputs, quantized);
    EncodeLevels(weight.data, grouping, rounder, quantized);
    return quantized;
  }
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<Range> ranges, RangesOf(weight.data, grouping, quantizer, option));
  if (quantizer.grid != nullptr) {
    EncodeUniform(weight.data, grouping, ranges, quantizer, option.weight_bits, rounder, quantized);
  } else {
    ScaleLevels(weight.data, ranges, quantizer, option.weight_bits, quantized);
    EncodeLevels(weight.data, grouping, rounder, quantized);
  }
  return quantized;
}

std::vector<float> Dequantize(const QuantizedWeight& quantized, const Shape& shape) {
  if (quantized.vector_size > 0) return DecodeVectors(quantized, shape);
  const Grouping grouping = GroupingOf(shape, quantized.channel_axis, quantized.granularity, quantized.group_size);
  std::vector<float> values(quantized.codes.size());
  if (!quantized.grids.empty()) {
    grouping.ForEach([&](int64_t i, int64_t group) { values[i] = Decode(quantized.grids[group], quantized.codes[i]); });
    return values;
  }
  const bool is_shared = quantized.levels.size() == 1;
  grouping.ForEach([&](int64_t i, int64_t group) {
    const std::vector<double>& levels = quantized.levels[is_shared ? 0 : group];
    values[i] = static_cast<float>(quantized.scales[group] * levels[quantized.codes[i]]);
  });
  return values;
}

absl::StatusOr<Perturbation> Perturb(TensorView weight, int channel_axis, const Option& option,
                                     const PerturbInputs& inputs) {
  BITPLAN_ASSIGN_OR_RETURN(QuantizedWeight quantized, Quantize(weight, channel_axis, option, inputs));
  Perturbation perturbation{.delta = Dequantize(quantized, *weight.shape), .squared_norm = 0, .grids = {}};
  perturbation.grids = std::move(quantized.grids);
  for (size_t i = 0; i < weight.data.size(); ++i) {
    const float delta = perturbation.delta[i] - weight.data[i];
    perturbation.delta[i] = delta;
    perturbation.squared_norm += static_cast<double>(delta) * delta;
  }
  return perturbation;
}

}  // namespace bitplan::quantization
