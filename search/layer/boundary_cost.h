#ifndef BITPLAN_SEARCH_LAYER_BOUNDARY_COST_H_
#define BITPLAN_SEARCH_LAYER_BOUNDARY_COST_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "search/base/resource.h"
#include "search/layer/layer.h"

namespace bitplan {

// What it costs to convert what one layer hands to another where their activation widths differ.
struct BoundaryCost {
  std::string from;  // layers (names)
  std::string to;
  std::map<std::pair<int, int>, Costs> costs;  // by activation bits of `from` and `to`; absent: nothing

  bool operator==(const BoundaryCost&) const = default;
};

// What a boundary costs at these widths.
int64_t CostOfBoundary(const BoundaryCost& boundary, int from_bits, int to_bits, Resource resource);

// Whether any boundary costs some of the resource at some widths.
bool HasBoundaryCosts(std::span<const BoundaryCost> boundaries, Resource resource);

// Sum over the boundaries. nullopt: does not fit in int64.
std::optional<int64_t> BoundaryTotal(std::span<const BoundaryCost> boundaries, Resource resource,
                                     const std::function<int(const std::string& layer)>& activation_bits);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_LAYER_BOUNDARY_COST_H_
