#include "search/layer/peak_memory.h"

#include <algorithm>

namespace bitplan {

std::optional<int64_t> BytesInStep(const PeakMemory& peak, const MemoryStep& step, const std::string& layer,
                                   const Option& option, std::optional<int64_t> size_bits) {
  int64_t bytes = 0;
  if (peak.weights_resident) {
    if (!size_bits) return std::nullopt;
    bytes = *size_bits / 8 + (*size_bits % 8 != 0 ? 1 : 0);
  }
  const auto term = std::ranges::find(step.terms, layer, &MemoryTerm::layer);
  if (term == step.terms.end()) return bytes;
  const auto found = term->bytes.find(option.activation_bits);
  if (found == term->bytes.end()) return std::nullopt;
  return bytes + found->second;  // both are below 2^62: see hardware::PricePeakMemory
}

}  // namespace bitplan
