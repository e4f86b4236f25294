#include "search/quantization/quantizer_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "search/base/rng.h"
#include "search/quantization/quantizer.h"

// What every quantizer of uniform codes promises, asked of each row of the table at each of its bit widths. What all
// rows promise is in conformance_test.cc.

namespace bitplan::quantization {
namespace {

// Roundings in float: of the scale, of w / scale and of scale * code, each half a unit in the last place.
constexpr float kEpsilon = std::numeric_limits<float>::epsilon();

struct Case {
  QuantizerEntry quantizer;
  int bits = 2;
};

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (const QuantizerEntry& quantizer : Quantizers()) {
    if (quantizer.grid == nullptr) continue;
    for (int bits = quantizer.min_bits; bits <= quantizer.max_bits; ++bits) cases.push_back({quantizer, bits});
  }
  return cases;
}

// Ranges around zero, to one side of it, touching it, narrow, wide, empty.
const std::vector<Range> kRanges = {{-1, 1},  {-0.3F, 2.7F}, {-5, 0.01F},       {0, 4},         {-4, 0}, {0.5F, 0.6F},
                                    {-9, -8}, {0, 0},        {-1e-30F, 2e-30F}, {-3e30F, 1e30F}};

// Spread over the range: both ends, zero if inside, and random values.
std::vector<float> Sample(Range range) {
  std::vector<float> values = {range.min, range.max};
  if (range.min <= 0 && range.max >= 0) values.push_back(0);
  Rng rng(1, 1);
  for (int i = 0; i < 300; ++i) {
    const double u = rng.NextUniform();
    const auto value = static_cast<float>((1 - u) * range.min + u * range.max);
    values.push_back(std::clamp(value, range.min, range.max));
  }
  std::ranges::sort(values);
  return values;
}

class EveryUniformQuantizer : public ::testing::TestWithParam<Case> {
 protected:
  QuantizationGrid Grid(Range range) const { return GetParam().quantizer.grid(range, GetParam().bits); }
};

TEST_P(EveryUniformQuantizer, KeepsTheInvariantsOfAGrid) {
  for (const Range& range : kRanges) {
    const QuantizationGrid grid = Grid(range);
    EXPECT_TRUE(std::isnormal(grid.scale) && grid.scale > 0) << grid.scale;
    EXPECT_LE(grid.min_code, grid.zero_point);
    EXPECT_LE(grid.zero_point, grid.max_code);
    EXPECT_LE(grid.max_code - grid.min_code + 1, 1 << GetParam().bits);
  }
}

TEST_P(EveryUniformQuantizer, KeepsZeroExactly) {
  for (const Range& range : kRanges) {
    const QuantizationGrid grid = Grid(range);
    EXPECT_EQ(Encode(grid, 0), grid.zero_point);
    EXPECT_EQ(Decode(grid, Encode(grid, 0)), 0);
  }
}

TEST_P(EveryUniformQuantizer, ErrorIsAtMostHalfAStep) {
  for (const Range& range : kRanges) {
    const QuantizationGrid grid = Grid(range);
    for (const float w : Sample(range)) {
      const float rounding = 4 * kEpsilon * std::max(std::abs(w), grid.scale);
      EXPECT_LE(std::abs(Decode(grid, Encode(grid, w)) - w), grid.scale / 2 + rounding)
          << w << " in [" << range.min << ", " << range.max << "]";
    }
  }
}

TEST_P(EveryUniformQuantizer, PicksTheNearestGridPoint) {
  for (const Range& range : kRanges) {
    const QuantizationGrid grid = Grid(range);
    for (const float w : Sample(range)) {
      float nearest = std::numeric_limits<float>::max();
      for (int32_t code = grid.min_code; code <= grid.max_code; ++code) {
        nearest = std::min(nearest, std::abs(Decode(grid, code) - w));
      }
      const float rounding = 4 * kEpsilon * std::max(std::abs(w), grid.scale);
      EXPECT_LE(std::abs(Decode(grid, Encode(grid, w)) - w), nearest + rounding) << w;
    }
  }
}

TEST_P(EveryUniformQuantizer, IsIdempotent) {
  for (const Range& range : kRanges) {
    const QuantizationGrid grid = Grid(range);
    for (int32_t code = grid.min_code; code <= grid.max_code; ++code) EXPECT_EQ(Encode(grid, Decode(grid, code)), code);
  }
}

TEST_P(EveryUniformQuantizer, IsMonotone) {
  for (const Range& range : kRanges) {
    const QuantizationGrid grid = Grid(range);
    int32_t last = grid.min_code;
    for (const float w : Sample(range)) {
      EXPECT_GE(Encode(grid, w), last);
      last = Encode(grid, w);
    }
  }
}

TEST_P(EveryUniformQuantizer, ErrorOfAWholeTensorRespectsTheBoundAndShrinksWithTheRange) {
  Tensor weight = Tensor::Zeros({4, 50});
  Rng(3, 0).FillGaussian(weight.data);
  for (int i = 0; i < 50; ++i) weight.data[i] *= 100;  // channel 0 is a hundred times wider than the others
  Option option{.weight_bits = GetParam().bits, .scheme = std::string(GetParam().quantizer.name)};
  option.granularity = Granularity::kPerTensor;
  const auto per_tensor = Perturb(weight, 0, option);
  option.granularity = Granularity::kPerChannel;
  const auto per_channel = Perturb(weight, 0, option);
  ASSERT_TRUE(per_tensor.ok() && per_channel.ok());
  ASSERT_EQ(per_channel->grids.size(), 4U);
  double bound = 0;
  for (const QuantizationGrid& grid : per_channel->grids) bound += 50 * std::pow(grid.scale / 2.0, 2);
  EXPECT_LE(per_channel->squared_norm, bound * (1 + 1e-5));
  EXPECT_GT(per_channel->squared_norm, 0);
  EXPECT_LE(per_channel->squared_norm, per_tensor->squared_norm);
}

INSTANTIATE_TEST_SUITE_P(Table, EveryUniformQuantizer, ::testing::ValuesIn(AllCases()), [](const auto& info) {
  return std::string(info.param.quantizer.name) + "_" + std::to_string(info.param.bits);
});

TEST(QuantizerTable, NamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (const QuantizerEntry& entry : Quantizers()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_EQ(FindQuantizer(entry.name)->name, entry.name);
    EXPECT_FALSE(entry.summary.empty() || entry.source.empty());
  }
  EXPECT_EQ(FindQuantizer("log").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bitplan::quantization
