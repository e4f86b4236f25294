#include "search/quantization/dynamic_range.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "search/base/status.h"
#include "search/quantization/fake_quantize.h"
#include "search/quantization/few_levels.h"
#include "search/quantization/range_rule_table.h"

namespace bitplan::quantization {
namespace {

constexpr auto kDynamicRanges = std::to_array<DynamicRangeEntry>({
    {.name = "dynamic_sample",
     .summary = "smallest and largest value of each sample's tensor, at run time",
     .source = "Gholami et al. (2021), section III-C",
     .by_row = false},
    {.name = "dynamic_token",
     .summary = "smallest and largest value of each token: row of the tensor that a product adds up, at run time",
     .source = "Yao et al. (2022), ZeroQuant",
     .by_row = true},
});

Range FiniteRange(std::span<const float> values) {
  Range range;
  bool found = false;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    range.min = found ? std::min(range.min, value) : value;
    range.max = found ? std::max(range.max, value) : value;
    found = true;
  }
  return range;
}

}  // namespace

std::span<const DynamicRangeEntry> DynamicRanges() { return kDynamicRanges; }

const DynamicRangeEntry* FindDynamicRange(std::string_view name) {
  const auto* const found = std::ranges::find(kDynamicRanges, name, &DynamicRangeEntry::name);
  return found == kDynamicRanges.end() ? nullptr : found;
}

std::vector<std::string> ActivationRangeNames() {
  std::vector<std::string> names;
  for (const RangeRuleEntry& entry : RangeRules()) names.emplace_back(entry.name);
  names.emplace_back(kTernary);
  for (const DynamicRangeEntry& entry : kDynamicRanges) names.emplace_back(entry.name);
  return names;
}

absl::Status CheckActivationRange(std::string_view name) {
  const std::vector<std::string> names = ActivationRangeNames();
  if (std::ranges::find(names, name) != names.end()) return absl::OkStatus();
  return NotFound("range: got '{}', want one of {}", name, fmt::join(names, ", "));
}

void FakeQuantizeRows(int bits, int64_t row_size, std::span<float> values) {
  for (int64_t begin = 0; begin < std::ssize(values); begin += row_size) {
    const std::span<float> row = values.subspan(begin, row_size);
    if (bits == kBinaryBits) {
      FakeQuantizeToLevels(BinaryActivationLevels(row), row);
      continue;
    }
    FakeQuantize(ActivationGrid(FiniteRange(row), bits), row);
  }
}

}  // namespace bitplan::quantization
