#ifndef BITPLAN_SEARCH_HARDWARE_PRICE_H_
#define BITPLAN_SEARCH_HARDWARE_PRICE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/resource.h"
#include "search/hardware/profile.h"
#include "search/layer/boundary_cost.h"
#include "search/layer/layer.h"
#include "search/layer/peak_memory.h"

namespace bitplan {

// One resource of a CostTable.
struct PricedResource {
  Resource resource = Resource::kSize;
  std::string source;  // "profile 'generic'" or "given"
};

// What every option of every layer uses. Rows follow the LayerTable, columns the OptionTable.
struct CostTable {
  std::vector<PricedResource>
      resources;  // in the order of kResources; at least one option has a cost of each, but for peak_memory
  std::vector<std::vector<Costs>> costs;  // [layer][option]; base units, >= 0. A resource that is absent from an option
                                          // has no known cost there (not measured, not supported).
  std::vector<std::vector<CostSources>> sources;  // [layer][option]: where each cost comes from
  // [layer][option]: why the device does not run it, in words; empty: it does. Such an option has no costs by the
  // profile and takes no part in a search, unless its costs are given.
  std::vector<std::vector<std::string>> unsupported;
  // What memory is the maximum of; absent: memory is a sum of costs like any other, or not known. No option has a cost
  // of memory then, and `resources` lists it.
  std::optional<PeakMemory> peak_memory;
  // What layers that meet cost besides, where their activation widths differ.
  std::vector<BoundaryCost> boundaries;
  DeviceLimits limits;   // of the profile
  std::string profile;   // name of the profile
  std::string coverage;  // what the profile knows, for messages: widths, measured layers
};

namespace hardware {

// Prices every option by the profile's models and tables. Size, bops and traffic are exact. Latency and energy are
// those of the measured entry (by name before signature); interpolated from it where the table allows that; estimated
// by roofline or energy model; else not known, as other resources without a measured entry are. An option that the
// device does not support gets no costs (WhyUnsupported). Neither is an error here: it is one as soon as a budget needs
// the cost (pipeline::BuildProblem). The quantizer of an option is not part of a measured entry: options of equal
// widths share it. Errors: kInvalidArgument if a cost does not fit in int64 (names layer and option).
absl::StatusOr<CostTable> Price(const LayerTable& layers, const OptionTable& options, const HardwareProfile& profile);

// Replaces the costs of `table` by those given with the sensitivities, resource by resource: a resource that is given
// is given for every option. given[layer][option] has the shape of table.costs; an empty table changes nothing.
CostTable WithGivenCosts(CostTable table, const std::vector<std::vector<Costs>>& given);

// Sum over layers of one amount each, or nullopt if it does not fit in int64.
std::optional<int64_t> CheckedSum(std::span<const int64_t> amounts);

}  // namespace hardware
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_HARDWARE_PRICE_H_
