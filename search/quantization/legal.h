#ifndef BITPLAN_SEARCH_QUANTIZATION_LEGAL_H_
#define BITPLAN_SEARCH_QUANTIZATION_LEGAL_H_

#include <string>

#include "absl/status/statusor.h"
#include "search/layer/layer.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::quantization {

// "2..8", or "8" for a format of one width.
std::string WidthsText(const QuantizerEntry& quantizer);

// The quantizer of an option that it can be used with. kNotFound (scheme, range rule); kInvalidArgument (width,
// granularity, group size, range rule or rounding that the scheme does not have).
absl::StatusOr<QuantizerEntry> LegalQuantizer(const Option& option);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_LEGAL_H_
