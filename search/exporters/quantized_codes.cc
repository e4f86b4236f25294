#include "search/exporters/quantized_codes.h"

#include <algorithm>
#include <cmath>

#include "search/quantization/grouping.h"

namespace bitplan::exporters {
namespace {

using onnx::CodeKind;
using onnx::QdqWeight;
using quantization::Grouping;

constexpr int32_t kLargestCode = 127;
constexpr double kExactRatio = 1e-9;

std::optional<LevelCodes> MultiplesOf(double unit, std::span<const double> levels) {
  LevelCodes result{.unit = unit, .codes = {}};
  for (const double level : levels) {
    const double ratio = level / unit;
    const double whole = std::nearbyint(ratio);
    if (std::abs(whole) > kLargestCode || std::abs(ratio - whole) > kExactRatio * std::abs(ratio)) return std::nullopt;
    result.codes.push_back(static_cast<int32_t>(whole));
  }
  return result;
}

// Bits of an 8-bit float below its sign.
struct Float8 {
  int exponent_bits, mantissa_bits, bias;
  int32_t first_special;  // codes from here on are infinities or NaN
};
constexpr Float8 kE4M3 = {.exponent_bits = 4, .mantissa_bits = 3, .bias = 7, .first_special = 0x7F};
constexpr Float8 kE5M2 = {.exponent_bits = 5, .mantissa_bits = 2, .bias = 15, .first_special = 0x7C};

double MagnitudeOf(const Float8& format, int32_t code) {
  const int32_t mantissa = code & ((1 << format.mantissa_bits) - 1);
  const int32_t exponent = code >> format.mantissa_bits;
  const int32_t hidden = exponent == 0 ? 0 : 1 << format.mantissa_bits;
  return std::ldexp(mantissa + hidden, std::max(exponent, 1) - format.bias - format.mantissa_bits);
}

std::optional<CodeKind> KindOf(std::string_view scheme) {
  if (scheme == "fp8_e4m3") return CodeKind::kFloat8E4M3;
  if (scheme == "fp8_e5m2") return CodeKind::kFloat8E5M2;
  return std::nullopt;
}

// Codes and scales of levels: by list of levels, which groups share or have one each. False where there are none.
bool EncodeLevels(const QuantizedWeight& quantized, const Grouping& grouping, std::string_view scheme,
                  QdqWeight& weight) {
  const std::optional<CodeKind> kind = KindOf(scheme);
  std::vector<LevelCodes> lists;
  for (const std::vector<double>& levels : quantized.levels) {
    std::optional<LevelCodes> list = LevelCodes{};
    if (!kind.has_value()) list = WholeMultiples(levels);
    if (!list.has_value()) return false;
    for (const double level : levels) {
      if (!kind.has_value()) break;
      const std::optional<int32_t> code = Float8Code(*kind, level);
      if (!code.has_value()) return false;
      list->codes.push_back(*code);
    }
    lists.push_back(*std::move(list));
  }
  weight.kind = kind.value_or(CodeKind::kInteger);
  const auto list_of = [&](int64_t group) -> const LevelCodes& { return lists[lists.size() == 1 ? 0 : group]; };
  for (int64_t g = 0; g < std::ssize(quantized.scales); ++g) {
    weight.scales.push_back(static_cast<float>(quantized.scales[g] * list_of(g).unit));
  }
  weight.codes.resize(quantized.codes.size());
  grouping.ForEach([&](int64_t i, int64_t group) { weight.codes[i] = list_of(group).codes[quantized.codes[i]]; });
  if (!kind.has_value()) weight.zero_points.assign(weight.scales.size(), 0);
  return true;
}

template <typename T>
std::vector<T> RepeatedForChannels(const std::vector<T>& by_group, const Grouping& grouping) {
  std::vector<T> by_channel;
  for (int64_t c = 0; c < grouping.num_slices && !by_group.empty(); ++c) {
    by_channel.push_back(by_group[c / grouping.slices_per_group]);
  }
  return by_channel;
}

}  // namespace

std::optional<LevelCodes> WholeMultiples(std::span<const double> levels) {
  double least = 0;
  for (const double level : levels) {
    if (level != 0 && (least == 0 || std::abs(level) < least)) least = std::abs(level);
  }
  if (least == 0) return LevelCodes{.unit = 1, .codes = std::vector<int32_t>(levels.size(), 0)};
  std::optional<LevelCodes> result = MultiplesOf(least, levels);
  return result.has_value() ? result : MultiplesOf(least / 2, levels);
}

std::optional<int32_t> Float8Code(CodeKind kind, double value) {
  constexpr int32_t kSign = 0x80;
  const Float8& format = kind == CodeKind::kFloat8E4M3 ? kE4M3 : kE5M2;
  for (int32_t code = 0; code < format.first_special; ++code) {
    if (MagnitudeOf(format, code) == std::abs(value)) return value < 0 ? code | kSign : code;
  }
  return std::nullopt;
}

QdqWeight ToQdqWeight(ValueId id, const QuantizedWeight& quantized, const Shape& shape, std::string_view scheme) {
  QdqWeight weight{.weight = id,
                   .values = quantization::Dequantize(quantized, shape),
                   .codes = {},
                   .scales = {},
                   .zero_points = {},
                   .channel_axis = quantized.channel_axis};
  if (quantized.vector_size > 0) return weight;
  const Grouping grouping =
      quantization::GroupingOf(shape, quantized.channel_axis, quantized.granularity, quantized.group_size);
  if (!quantized.grids.empty()) {
    weight.codes = quantized.codes;
    for (const QuantizationGrid& grid : quantized.grids) {
      weight.scales.push_back(grid.scale);
      weight.zero_points.push_back(grid.zero_point);
    }
  } else if (!EncodeLevels(quantized, grouping, scheme, weight)) {
    return weight;
  }
  if (quantized.granularity == Granularity::kPerGroup && grouping.groups_per_slice > 1) {
    weight.block_size = grouping.weights_per_group;
  } else if (quantized.granularity == Granularity::kPerChannelGroup) {
    weight.scales = RepeatedForChannels(weight.scales, grouping);
    weight.zero_points = RepeatedForChannels(weight.zero_points, grouping);
  }
  return weight;
}

}  // namespace bitplan::exporters
