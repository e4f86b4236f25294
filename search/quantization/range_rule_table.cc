#include "search/quantization/range_rule_table.h"

#include <array>
#include <string>

#include "search/base/status.h"
#include "search/quantization/aciq.h"
#include "search/quantization/entropy.h"
#include "search/quantization/mean_squared_error.h"
#include "search/quantization/percentile.h"

namespace bitplan::quantization {
namespace {

Range MinMaxRange(const Distribution& numbers, const RangeTarget& /*target*/) { return numbers.range; }

constexpr auto kRangeRules = std::to_array<RangeRuleEntry>({
    {.name = kMinMax,
     .summary = "smallest and largest number, nothing is clipped",
     .source = "Gholami et al. (2021)",
     .rule = &MinMaxRange},
    {.name = "percentile",
     .summary = "clips the outermost 0.1 % of the numbers",
     .source = "McKinstry et al. (2019)",
     .rule = &PercentileRange},
    {.name = "kl",
     .summary = "least Kullback-Leibler divergence between the histograms before and after",
     .source = "Migacz (2017)",
     .rule = &EntropyRange},
    {.name = "mse",
     .summary = "least squared error (OMSE)",
     .source = "Choukroun et al. (2019)",
     .rule = &MeanSquaredErrorRange},
    {.name = "aciq",
     .summary = "least expected squared error of the Gauss or Laplace density that fits better",
     .source = "Banner et al. (2019)",
     .rule = &AciqRange},
});

}  // namespace

std::span<const RangeRuleEntry> RangeRules() { return kRangeRules; }

absl::StatusOr<RangeRuleEntry> FindRangeRule(std::string_view name) {
  std::string known;
  for (const RangeRuleEntry& entry : kRangeRules) {
    if (entry.name == name) return entry;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  return NotFound("range: got '{}', want one of {}", name, known);
}

RangeTarget IntegerTarget(int bits, bool symmetric) {
  RangeTarget target{.bits = bits, .symmetric = symmetric, .levels = {}};
  if (!symmetric) return target;
  const int largest = (1 << (bits - 1)) - 1;
  for (int code = -largest; code <= largest; ++code) target.levels.push_back(code);
  return target;
}

absl::StatusOr<Range> CalibrateRange(std::string_view rule, const Histogram& histogram, int bits, bool symmetric) {
  BITPLAN_ASSIGN_OR_RETURN(const RangeRuleEntry entry, FindRangeRule(rule));
  if (bits < 2 || bits > 8) return InvalidArgument("bits: got {}, want 2..8", bits);
  if (histogram.count() == 0) return InvalidArgument("histogram: holds no numbers to take a range of");
  return entry.rule(DistributionOf(histogram), IntegerTarget(bits, symmetric));
}

}  // namespace bitplan::quantization
