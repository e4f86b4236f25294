#include "search/layer/peak_memory.h"

#include <algorithm>

#include "search/base/resource.h"

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

namespace {

std::optional<int64_t> LeastOf(const PeakMemory& peak, const MemoryStep& step, const MemoryCandidates& layer) {
  std::optional<int64_t> least;
  for (size_t k = 0; k < layer.options.size(); ++k) {
    const std::optional<int64_t> bytes = BytesInStep(peak, step, layer.layer, layer.options[k], layer.size_bits[k]);
    if (bytes && (!least || *bytes < *least)) least = bytes;
  }
  return least;
}

std::optional<int64_t> BytesOf(const PeakMemory& peak, const MemoryStep& step,
                               std::span<const MemoryCandidates> layers) {
  std::optional<int64_t> sum = step.fixed_bytes;
  for (const MemoryCandidates& layer : layers) {
    const std::optional<int64_t> least = LeastOf(peak, step, layer);
    sum = sum && least ? CheckedAdd(*sum, *least) : std::nullopt;
  }
  return sum;
}

}  // namespace

std::optional<int64_t> PeakBytes(const PeakMemory& peak, std::span<const MemoryCandidates> layers) {
  std::optional<int64_t> most = 0;
  for (const MemoryStep& step : peak.steps) {
    const std::optional<int64_t> bytes = BytesOf(peak, step, layers);
    most = most && bytes ? std::optional(std::max(*most, *bytes)) : std::nullopt;
  }
  return most;
}

}  // namespace bitplan
