#include "search/quantization/legal.h"

#include "search/base/status.h"
#include "search/quantization/range_rule_table.h"

namespace bitplan::quantization {

std::string WidthsText(const QuantizerEntry& quantizer) {
  if (quantizer.min_bits == quantizer.max_bits) return fmt::format("{}", quantizer.min_bits);
  return fmt::format("{}..{}", quantizer.min_bits, quantizer.max_bits);
}

absl::StatusOr<QuantizerEntry> LegalQuantizer(const Option& option) {
  BITPLAN_ASSIGN_OR_RETURN(const QuantizerEntry quantizer, FindQuantizer(option.scheme));
  if (!quantizer.Has(option.weight_bits)) {
    return InvalidArgument("weight_bits: got {}, want {} for {}", option.weight_bits, WidthsText(quantizer),
                           quantizer.name);
  }
  BITPLAN_RETURN_IF_ERROR(ValidateOption(option));
  if (!quantizer.Has(option.granularity)) {
    return InvalidArgument("granularity: {} does not have {}", quantizer.name, ToString(option.granularity));
  }
  if (quantizer.block_size != 0 && option.group_size != quantizer.block_size) {
    return InvalidArgument("group_size: got {}, want {} for {}", option.group_size, quantizer.block_size,
                           quantizer.name);
  }
  BITPLAN_RETURN_IF_ERROR(FindRangeRule(option.range).status());
  if (!quantizer.takes_range && option.range != kMinMax) {
    return InvalidArgument("range: {} takes no range rule, got '{}'", quantizer.name, option.range);
  }
  if (!quantizer.takes_range && option.rounding != Rounding::kNearest) {
    return InvalidArgument("rounding: {} rounds to nearest, got '{}'", quantizer.name, ToString(option.rounding));
  }
  return quantizer;
}

}  // namespace bitplan::quantization
