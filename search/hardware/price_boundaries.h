#ifndef BITPLAN_SEARCH_HARDWARE_PRICE_BOUNDARIES_H_
#define BITPLAN_SEARCH_HARDWARE_PRICE_BOUNDARIES_H_

#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/resource.h"
#include "search/hardware/profile.h"
#include "search/layer/boundary_cost.h"
#include "search/layer/data_flow.h"
#include "search/layer/layer.h"

namespace bitplan::hardware {

// What each boundary of the network costs at every two activation widths that the options of its layers have and that
// differ, by the profile's BoundaryModel, in those of `resources` that it prices. With E elements, a run of B samples
// (of the profile's latency or energy) and s(a) the bits that an activation is stored in:
//
//   moved bytes  T = ceil(B E s(from) / 8) + ceil(B E s(to) / 8)
//   latency      overhead_ns + ceil(10^9 T / bytes_per_second)
//   energy       ceil(T femtojoules_per_byte / 1000) pJ
//
// Boundaries that cost nothing are left out. Errors: kInvalidArgument where a cost does not fit in int64.
absl::StatusOr<std::vector<BoundaryCost>> PriceBoundaries(const DataFlow& flow, const LayerTable& layers,
                                                          const OptionTable& options, const HardwareProfile& profile,
                                                          const std::set<Resource>& resources);

}  // namespace bitplan::hardware

#endif  // BITPLAN_SEARCH_HARDWARE_PRICE_BOUNDARIES_H_
