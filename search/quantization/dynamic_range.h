#ifndef BITPLAN_SEARCH_QUANTIZATION_DYNAMIC_RANGE_H_
#define BITPLAN_SEARCH_QUANTIZATION_DYNAMIC_RANGE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace bitplan {

// One row of the table of dynamic ranges: activations are quantized over smallest and largest value of their own
// tensor, found when the network runs. Nothing is clipped and no calibration data are needed; the hardware looks at
// each tensor once more. Weights do not change at run time: they have range rules (range_rule_table.h).
struct DynamicRangeEntry {
  std::string_view name;     // spelling in files and on the wire, beside the names of range rules
  std::string_view summary;  // one line for help texts
  std::string_view source;
  bool by_row = false;  // a range for each row that a product adds up; else one for all of a sample's tensor
};

namespace quantization {

// The only list of dynamic ranges.
std::span<const DynamicRangeEntry> DynamicRanges();

// Null: not a dynamic range.
const DynamicRangeEntry* FindDynamicRange(std::string_view name);

// Everything that an activation range may be called: range rules, "ternary" (few_levels.h), dynamic ranges.
std::vector<std::string> ActivationRangeNames();

// kNotFound, listing the known names, unless `name` is one of them.
absl::Status CheckActivationRange(std::string_view name);

// FakeQuantize of each `row_size` consecutive values on ActivationGrid of their smallest and largest finite value; of 1
// bit on BinaryActivationLevels of the finite values. Infinities go to the ends, NaN stays. values.size() is a multiple
// of row_size; 1 <= bits <= kMaxActivationBits.
void FakeQuantizeRows(int bits, int64_t row_size, std::span<float> values);

}  // namespace quantization
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_QUANTIZATION_DYNAMIC_RANGE_H_
