#include "search/layer/boundary_cost.h"

#include <algorithm>

namespace bitplan {

int64_t CostOfBoundary(const BoundaryCost& boundary, int from_bits, int to_bits, Resource resource) {
  const auto costs = boundary.costs.find({from_bits, to_bits});
  if (costs == boundary.costs.end()) return 0;
  const auto amount = costs->second.find(resource);
  return amount == costs->second.end() ? 0 : amount->second;
}

bool HasBoundaryCosts(std::span<const BoundaryCost> boundaries, Resource resource) {
  return std::ranges::any_of(boundaries, [&](const BoundaryCost& boundary) {
    return std::ranges::any_of(boundary.costs, [&](const auto& entry) { return entry.second.contains(resource); });
  });
}

std::optional<int64_t> BoundaryTotal(std::span<const BoundaryCost> boundaries, Resource resource,
                                     const std::function<int(const std::string& layer)>& activation_bits) {
  std::optional<int64_t> sum = 0;
  for (const BoundaryCost& boundary : boundaries) {
    const int64_t cost =
        CostOfBoundary(boundary, activation_bits(boundary.from), activation_bits(boundary.to), resource);
    if (sum) sum = CheckedAdd(*sum, cost);
  }
  return sum;
}

}  // namespace bitplan
