#ifndef BITPLAN_SEARCH_QUANTIZATION_QUANTIZER_TABLE_H_
#define BITPLAN_SEARCH_QUANTIZATION_QUANTIZER_TABLE_H_

#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/quantization/quantizer.h"

namespace bitplan {

// One row of the table of quantizers.
struct QuantizerEntry {
  std::string_view name;     // spelling in files, on the wire and in Option::scheme
  std::string_view summary;  // one line for help texts
  std::string_view source;
  int min_bits = 2;
  int max_bits = 8;
  QuantizationGrid (*grid)(Range range, int bits) = nullptr;
};

namespace quantization {

// The only list of quantizers; help texts, capability lists and the conformance tests read it.
std::span<const QuantizerEntry> Quantizers();

// kNotFound, listing the known names.
absl::StatusOr<QuantizerEntry> FindQuantizer(std::string_view name);

}  // namespace quantization
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_QUANTIZATION_QUANTIZER_TABLE_H_
