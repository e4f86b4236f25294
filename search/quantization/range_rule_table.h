#ifndef BITPLAN_SEARCH_QUANTIZATION_RANGE_RULE_TABLE_H_
#define BITPLAN_SEARCH_QUANTIZATION_RANGE_RULE_TABLE_H_

#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/quantization/distribution.h"
#include "search/quantization/histogram.h"
#include "search/quantization/quantizer.h"

namespace bitplan {

// What a range is wanted for.
struct RangeTarget {
  int bits = 8;
  bool symmetric = true;  // the numbers are scale * level for fixed levels around zero; false: affine codes
  // Levels of scale 1, ascending, zero among them; the clip range [a, b] gives the smallest scale with
  // scale * levels.front() <= a (if a < 0) and b <= scale * levels.back(). Empty if not symmetric.
  std::vector<double> levels;
  bool power_of_two_scale = false;  // the scale is rounded to a power of two
};

// One row of the table of range rules: which part [min, max] of the numbers is mapped to codes; the rest is clipped.
struct RangeRuleEntry {
  std::string_view name;     // spelling in files, on the wire and in Option::range
  std::string_view summary;  // one line for help texts
  std::string_view source;
  Range (*rule)(const Distribution& numbers, const RangeTarget& target) = nullptr;
};

namespace quantization {

inline constexpr std::string_view kMinMax = "minmax";

// The only list of range rules; help texts, capability lists and the conformance tests read it.
std::span<const RangeRuleEntry> RangeRules();

// kNotFound, listing the known names.
absl::StatusOr<RangeRuleEntry> FindRangeRule(std::string_view name);

// The target of plain integer codes: -(2^(bits-1) - 1) .. 2^(bits-1) - 1 if symmetric, else affine codes.
RangeTarget IntegerTarget(int bits, bool symmetric);

// Range of the numbers that a histogram summarises, by the rule of that name, for integer codes: what activations are
// calibrated with. Accurate to the width of a bin, about 1/1000 of the numbers' range; minmax is exact.
// Errors: kNotFound (rule), kInvalidArgument (empty histogram, bits outside 2..8).
absl::StatusOr<Range> CalibrateRange(std::string_view rule, const Histogram& histogram, int bits, bool symmetric);

}  // namespace quantization
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_QUANTIZATION_RANGE_RULE_TABLE_H_
