#include "search/layer/uniform.h"

#include <algorithm>
#include <tuple>

namespace bitplan {

std::vector<int> OptionsOfWidth(std::span<const Option> options, int bits) {
  const bool has_equal_widths = std::ranges::any_of(
      options, [&](const Option& option) { return option.weight_bits == bits && option.activation_bits == bits; });
  std::vector<int> of_width;
  for (int k = 0; k < std::ssize(options); ++k) {
    if (options[k].weight_bits != bits || (has_equal_widths && options[k].activation_bits != bits)) continue;
    of_width.push_back(k);
  }
  return of_width;
}

std::optional<int64_t> CheapestOfWidth(std::span<const Option> options, std::span<const Costs> costs, Resource resource,
                                       int bits) {
  std::optional<int64_t> cheapest;
  for (const int k : OptionsOfWidth(options, bits)) {
    const auto cost = costs[k].find(resource);
    if (cost != costs[k].end() && (!cheapest || cost->second < *cheapest)) cheapest = cost->second;
  }
  return cheapest;
}

int UniformOption(std::span<const Option> options, int bits) {
  // Smaller is taken first.
  const auto preference = [bits](const Option& option) {
    return std::tuple(option.activation_bits != bits, option.scheme != "symmetric",
                      option.granularity != Granularity::kPerChannel, Label(option));
  };
  int best = -1;
  for (int k = 0; k < std::ssize(options); ++k) {
    if (options[k].weight_bits != bits) continue;
    if (best < 0 || preference(options[k]) < preference(options[best])) best = k;
  }
  return best;
}

}  // namespace bitplan
