#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/quantization/legal.h"
#include "search/quantization/levels.h"
#include "search/quantization/quantizer.h"
#include "search/quantization/quantizer_table.h"
#include "search/quantization/range_rule_table.h"
#include "search/quantization/storage.h"

// What every row of the table of quantizers promises, at each width, granularity, range rule and rounding it has.

namespace bitplan::quantization {
namespace {

constexpr float kEpsilon = std::numeric_limits<float>::epsilon();
const Shape kShape = {4, 96};  // 96 weights a channel: groups of 16 and 32 divide it

std::vector<Option> OptionsOf(const QuantizerEntry& entry) {
  std::vector<Option> options;
  for (int bits = entry.min_bits; bits <= entry.max_bits; ++bits) {
    for (const Granularity granularity : kGranularities) {
      for (const RangeRuleEntry& rule : RangeRules()) {
        for (const Rounding rounding : kRoundings) {
          Option option{.weight_bits = bits,
                        .scheme = std::string(entry.name),
                        .granularity = granularity,
                        .range = std::string(rule.name),
                        .rounding = rounding};
          if (granularity == Granularity::kPerGroup) option.group_size = entry.block_size != 0 ? entry.block_size : 32;
          if (granularity == Granularity::kPerChannelGroup) option.group_size = 3;  // the last group has one channel
          if (LegalQuantizer(option).ok()) options.push_back(option);
        }
      }
    }
  }
  return options;
}

Tensor Weights(uint64_t stream) {
  Tensor weight = Tensor::Zeros(kShape);
  Rng(21, stream).FillGaussian(weight.data);
  for (int i = 0; i < 96; ++i) weight.data[i] *= 30;        // channel 0 is wider than the others
  for (int i = 96; i < 120; ++i) weight.data[i] = 0;        // zeros
  for (int i = 288; i < 384; ++i) weight.data[i] = -0.37F;  // channel 3 is constant
  return weight;
}

PerturbInputs Inputs(const QuantizerEntry& entry) {
  static const std::vector<float> kImportance = [] {
    std::vector<float> importance(384);
    Rng rng(22, 0);
    for (float& h : importance) h = static_cast<float>(0.1 + rng.NextUniform());
    return importance;
  }();
  return {.importance = entry.takes_importance ? std::span<const float>(kImportance) : std::span<const float>{},
          .seed = 5};
}

class EveryQuantizer : public ::testing::TestWithParam<QuantizerEntry> {};

TEST_P(EveryQuantizer, StaysWithinItsWidthAndDecodesToNumbers) {
  const Tensor weight = Weights(1);
  for (const Option& option : OptionsOf(GetParam())) {
    const auto quantized = Quantize(weight, 0, option, Inputs(GetParam()));
    ASSERT_TRUE(quantized.ok()) << Label(option) << quantized.status();
    for (const QuantizationGrid& grid : quantized->grids) {
      EXPECT_LE(grid.max_code - grid.min_code + 1, 1 << option.weight_bits) << Label(option);
    }
    for (const std::vector<double>& levels : quantized->levels) {
      EXPECT_LE(levels.size(), size_t{1} << option.weight_bits) << Label(option);
      EXPECT_TRUE(std::ranges::is_sorted(levels, std::less_equal<>())) << Label(option);
    }
    EXPECT_LE(quantized->vectors.size(), 256U * quantized->vector_size);
    for (const float value : Dequantize(*quantized, kShape)) EXPECT_TRUE(std::isfinite(value)) << Label(option);
  }
}

TEST_P(EveryQuantizer, WithItsOwnRepresentationTheResultIsAFixedPoint) {
  const Tensor weight = Weights(2);
  for (const Option& option : OptionsOf(GetParam())) {
    const auto quantized = Quantize(weight, 0, option, Inputs(GetParam()));
    ASSERT_TRUE(quantized.ok());
    const std::vector<float> values = Dequantize(*quantized, kShape);
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t channel = i / 96;
      const size_t group = option.granularity == Granularity::kPerTensor    ? 0
                           : option.granularity == Granularity::kPerChannel ? channel
                           : option.granularity == Granularity::kPerGroup   ? i / option.group_size
                                                                            : channel / option.group_size;
      if (!quantized->grids.empty()) {
        EXPECT_EQ(Encode(quantized->grids[group], values[i]), quantized->codes[i]) << Label(option);
      } else if (!quantized->levels.empty()) {
        const auto& levels = quantized->levels[quantized->levels.size() == 1 ? 0 : group];
        const double x = static_cast<double>(values[i]) / quantized->scales[group];
        EXPECT_EQ(NearestLevel(levels, x), quantized->codes[i]) << Label(option);
      }
    }
  }
}

TEST_P(EveryQuantizer, QuantizingTheResultAgainChangesNothing) {
  const Tensor weight = Weights(3);
  for (const Option& option : OptionsOf(GetParam())) {
    if (option.range != kMinMax || option.rounding != Rounding::kNearest) continue;
    const PerturbInputs inputs = Inputs(GetParam());
    const auto once = Dequantize(*Quantize(weight, 0, option, inputs), kShape);
    const auto again = Dequantize(*Quantize(TensorView(once, kShape), 0, option, inputs), kShape);
    if (GetParam().is_projection) {
      EXPECT_EQ(once, again) << Label(option);
    } else if (GetParam().grid != nullptr) {
      // The scale is the same up to a rounding, so the values are.
      for (size_t i = 0; i < once.size(); ++i) {
        EXPECT_NEAR(once[i], again[i], 4 * kEpsilon * std::abs(once[i])) << Label(option);
      }
    }
  }
}

TEST_P(EveryQuantizer, TakesTheNearestOfWhatItCanRepresent) {
  const Tensor weight = Weights(4);
  for (const Option& option : OptionsOf(GetParam())) {
    if (option.rounding != Rounding::kNearest || option.granularity != Granularity::kPerChannel) continue;
    const auto quantized = Quantize(weight, 0, option, Inputs(GetParam()));
    ASSERT_TRUE(quantized.ok());
    const std::vector<float> values = Dequantize(*quantized, kShape);
    for (size_t i = 0; i < values.size(); ++i) {
      double nearest = std::numeric_limits<double>::infinity();
      if (!quantized->grids.empty()) {
        const QuantizationGrid& grid = quantized->grids[i / 96];
        for (int32_t code = grid.min_code; code <= grid.max_code; ++code) {
          nearest = std::min<double>(nearest, std::abs(Decode(grid, code) - weight.data[i]));
        }
      } else {
        for (const double level : quantized->levels[quantized->levels.size() == 1 ? 0 : i / 96]) {
          nearest = std::min(nearest, std::abs(quantized->scales[i / 96] * level - weight.data[i]));
        }
      }
      EXPECT_LE(std::abs(values[i] - weight.data[i]),
                nearest + 4 * kEpsilon * (std::abs(weight.data[i]) + std::abs(values[i])))
          << Label(option);
    }
  }
}

TEST_P(EveryQuantizer, KeepsZeroWhereItSaysSo) {
  const Tensor weight = Weights(5);
  for (const Option& option : OptionsOf(GetParam())) {
    const auto perturbation = Perturb(weight, 0, option, Inputs(GetParam()));
    ASSERT_TRUE(perturbation.ok());
    if (!GetParam().keeps_zero) continue;
    for (int i = 96; i < 120; ++i) EXPECT_EQ(perturbation->delta[i], 0) << Label(option);
  }
}

TEST_P(EveryQuantizer, HandlesZeroConstantAndExtremeChannels) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  for (const Option& option : OptionsOf(GetParam())) {
    const auto zeros = Perturb(Tensor::Zeros(kShape), 0, option, Inputs(GetParam()));
    ASSERT_TRUE(zeros.ok()) << zeros.status();
    EXPECT_EQ(zeros->squared_norm, 0) << Label(option);
    Tensor extreme = Tensor::Zeros(kShape);
    for (size_t i = 0; i < extreme.data.size(); ++i) {
      const std::vector<float> values = {kTiny, -kTiny, kLargest / 4, -kLargest / 4, 1, 0};
      extreme.data[i] = i < 96 ? kTiny : i < 192 ? -kLargest / 4 : values[i % 6];
    }
    const auto quantized = Quantize(extreme, 0, option, Inputs(GetParam()));
    ASSERT_TRUE(quantized.ok()) << quantized.status();
    for (const float value : Dequantize(*quantized, kShape)) EXPECT_TRUE(std::isfinite(value)) << Label(option);
  }
}

TEST_P(EveryQuantizer, RefusesWhatIsNoWeight) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Tensor weight = Weights(6);
    weight.data[200] = bad;
    const Option option = OptionsOf(GetParam()).front();
    EXPECT_EQ(Quantize(weight, 0, option, Inputs(GetParam())).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_P(EveryQuantizer, SameInputsSameBits) {
  const Tensor weight = Weights(7);
  for (const Option& option : OptionsOf(GetParam())) {
    const auto once = Perturb(weight, 0, option, Inputs(GetParam()));
    const auto again = Perturb(weight, 0, option, Inputs(GetParam()));
    EXPECT_EQ(once->delta, again->delta);
  }
}

// Squared error at a clip range [-clip, clip] of all weights.
double ErrorAtClip(const QuantizerEntry& entry, int bits, std::span<const float> values, float clip) {
  double error = 0;
  if (entry.grid != nullptr) {
    const QuantizationGrid grid = entry.grid({-clip, clip}, bits);
    for (const float w : values) error += std::pow(static_cast<double>(Decode(grid, Encode(grid, w))) - w, 2);
    return error;
  }
  const std::vector<double> levels = entry.unit_levels(bits);
  const float scale = entry.scale != nullptr ? entry.scale({.values = {}, .importance = {}, .range = {-clip, clip}})
                                             : clip / static_cast<float>(levels.back());
  for (const float w : values) {
    const double x = static_cast<double>(w) / scale;
    error += std::pow(static_cast<float>(scale * levels[NearestLevel(levels, x)]) - static_cast<double>(w), 2);
  }
  return error;
}

TEST_P(EveryQuantizer, UnderTheMseRuleNoClipIsBetter) {
  if (!GetParam().takes_range || GetParam().has_zero_point) return;
  Tensor weight = Tensor::Zeros({384});
  Rng(23, 1).FillGaussian(weight.data);
  const float largest = std::abs(*std::ranges::max_element(weight.data, {}, [](float w) { return std::abs(w); }));
  for (int bits = GetParam().min_bits; bits <= GetParam().max_bits; ++bits) {
    const Option option{.weight_bits = bits,
                        .scheme = std::string(GetParam().name),
                        .granularity = Granularity::kPerTensor,
                        .range = "mse"};
    const double least = Perturb(weight, 0, option)->squared_norm;
    for (int i = 1; i <= 1000; ++i) {
      const float clip = 1.5F * largest * static_cast<float>(i) / 1000;
      // The scale is rounded to a float: a few parts in 10^7 of each value, in the error relative to that of 8 bits
      // 1e-5.
      EXPECT_LE(least, ErrorAtClip(GetParam(), bits, weight.data, clip) * (1 + 1e-5)) << bits << " " << clip;
    }
  }
}

// The two representable numbers around w: equal if w is one or lies outside.
std::pair<double, double> Neighbours(const QuantizedWeight& quantized, float w) {
  std::vector<double> levels;
  if (quantized.grids.empty()) {
    for (const double level : quantized.levels.front()) levels.push_back(quantized.scales.front() * level);
  } else {
    const QuantizationGrid& grid = quantized.grids.front();
    for (int32_t code = grid.min_code; code <= grid.max_code; ++code) levels.push_back(Decode(grid, code));
  }
  const auto above = std::ranges::lower_bound(levels, w);
  if (above == levels.begin() || above == levels.end()) return {w, w};
  return {*(above - 1), *above};
}

TEST_P(EveryQuantizer, StochasticRoundingIsUnbiased) {
  constexpr int kDraws = 400;
  Tensor weight = Tensor::Zeros({64});
  Rng(24, 1).FillGaussian(weight.data);
  for (int bits = GetParam().min_bits; bits <= GetParam().max_bits; ++bits) {
    const Option option{.weight_bits = bits,
                        .scheme = std::string(GetParam().name),
                        .granularity = Granularity::kPerTensor,
                        .rounding = Rounding::kStochastic};
    if (!LegalQuantizer(option).ok()) continue;
    std::vector<double> sum(64, 0.0);
    for (uint64_t seed = 0; seed < kDraws; ++seed) {
      const auto perturbation = Perturb(weight, 0, option, {.seed = seed, .stream = 3});
      ASSERT_TRUE(perturbation.ok());
      for (size_t i = 0; i < 64; ++i) sum[i] += perturbation->delta[i];
    }
    const auto quantized = Quantize(weight, 0, option);
    for (size_t i = 0; i < 64; ++i) {
      const float w = weight.data[i];
      const auto [lower, upper] = Neighbours(*quantized, w);
      if (lower == upper) continue;  // at an end, or clipped
      // Variance of a draw is (w - lower) (upper - w); four standard errors, and four draws where one side is rare.
      const double standard_error = std::sqrt((w - lower) * (upper - w) / kDraws);
      const double tolerance = 4 * standard_error + 4 * (upper - lower) / kDraws;
      EXPECT_LE(std::abs(sum[i] / kDraws), tolerance) << bits << " " << w;
    }
  }
}

// Bits of what Quantize returned, counted from the representation itself.
int64_t BitsOf(const QuantizerEntry& entry, const QuantizedWeight& quantized, int bits) {
  if (entry.vectors != nullptr) return std::ssize(quantized.codes) * 8 + int64_t{256} * quantized.vector_size * 32;
  int64_t total = std::ssize(quantized.codes) * bits + entry.tensor_parameters * 32;
  if (entry.parameters != nullptr) return total + std::ssize(quantized.levels) * entry.parameters(bits) * 32;
  const auto groups = static_cast<int64_t>(std::max(quantized.grids.size(), quantized.scales.size()));
  return total + groups * ((entry.scale_bits == 0 ? 32 : entry.scale_bits) + (entry.has_zero_point ? bits : 0));
}

TEST_P(EveryQuantizer, TakesTheStorageThatItsShapeSays) {
  for (const auto& [shape, axis] : {std::pair<Shape, int>{{4, 96}, 0}, {{96, 4}, 1}, {{4, 32, 3}, 0}}) {
    Tensor weight = Tensor::Zeros(shape);
    Rng(25, 0).FillGaussian(weight.data);
    const Layer layer{.name = "l", .weight_shape = shape, .output_channel_axis = axis, .num_weights = 384};
    for (const Option& option : OptionsOf(GetParam())) {
      const auto quantized = Quantize(weight, axis, option, Inputs(GetParam()));
      ASSERT_TRUE(quantized.ok()) << quantized.status();
      EXPECT_EQ(StorageBits(layer, option), BitsOf(GetParam(), *quantized, option.weight_bits)) << Label(option);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EveryQuantizer, ::testing::ValuesIn(Quantizers().begin(), Quantizers().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(QuantizerTable, EachRowHasOneRepresentation) {
  for (const QuantizerEntry& entry : Quantizers()) {
    const int kinds = (entry.grid != nullptr ? 1 : 0) + (entry.unit_levels != nullptr ? 1 : 0) +
                      (entry.codebook != nullptr ? 1 : 0) + (entry.vectors != nullptr ? 1 : 0);
    EXPECT_EQ(kinds, 1) << entry.name;
    EXPECT_EQ(entry.codebook != nullptr, entry.parameters != nullptr) << entry.name;
    EXPECT_NE(entry.granularities, 0U) << entry.name;
  }
}

// First five columns of the rows of the table in docs/quantizers.md that begins with `header`.
std::vector<std::string> DocumentedRows(const std::string& header, int columns) {
  std::ifstream page(std::string(BITPLAN_SOURCE_DIR) + "/docs/quantizers.md");
  std::vector<std::string> rows;
  bool in_table = false;
  for (std::string line; std::getline(page, line);) {
    if (in_table && line.starts_with("| ---")) continue;
    if (in_table && !line.starts_with("|")) break;
    size_t end = 0;
    for (int bars = 0; end < line.size() && bars <= columns; ++end) bars += line[end] == '|' ? 1 : 0;
    if (in_table) rows.push_back(line.substr(0, end));
    in_table |= line.starts_with(header);
  }
  return rows;
}

std::string GranularitiesText(const QuantizerEntry& entry) {
  if (entry.block_size != 0) return fmt::format("blocks of {}", entry.block_size);
  if (entry.granularities == kAnyGranularity) return "any";
  if (entry.granularities == kWholeChannels) return "whole channels";
  return "per_tensor";
}

TEST(QuantizerTable, IsWhatTheDocumentationSays) {
  std::vector<std::string> rows;
  for (const QuantizerEntry& entry : Quantizers()) {
    rows.push_back(fmt::format("| `{}` | {} | {} | {} | {} | {} |", entry.name, WidthsText(entry),
                               GranularitiesText(entry), entry.takes_range ? "yes" : "no",
                               entry.keeps_zero ? "yes" : "no", entry.is_projection ? "yes" : "no"));
  }
  EXPECT_EQ(DocumentedRows("| scheme |", 6), rows);
  rows.clear();
  for (const RangeRuleEntry& entry : RangeRules()) rows.push_back(fmt::format("| `{}` |", entry.name));
  EXPECT_EQ(DocumentedRows("| range rule |", 1), rows);
}

}  // namespace
}  // namespace bitplan::quantization
