#ifndef BITPLAN_SEARCH_BASE_RESOURCE_H_
#define BITPLAN_SEARCH_BASE_RESOURCE_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"

namespace bitplan {

// What an option uses and a budget limits. Amounts are integers in the base unit, so that sums are exact.
//
//   resource   base unit                                           key in files
//   kSize      bits of storage                                     size_bits
//   kBops      MACs x weight bits x activation bits, one sample    bops
//   kLatency   nanoseconds                                         latency_ns
//   kMemory    bytes                                               memory_bytes
//   kEnergy    picojoules                                          energy_pj
//   kTraffic   bytes to and from memory, one sample                traffic_bytes
enum class Resource { kSize, kBops, kLatency, kMemory, kEnergy, kTraffic };

inline constexpr std::array kResources = {Resource::kSize,   Resource::kBops,   Resource::kLatency,
                                          Resource::kMemory, Resource::kEnergy, Resource::kTraffic};

// "size", "bops", "latency", "memory", "energy", "traffic": the name in budgets and on the wire.
std::string_view ToString(Resource resource);
// "size_bits", "bops", "latency_ns", "memory_bytes", "energy_pj", "traffic_bytes": the key in JSON and CSV.
std::string_view ResourceKey(Resource resource);
// "bits", "operations", "ns", "bytes", "pJ".
std::string_view BaseUnit(Resource resource);
// Inverses of ToString and ResourceKey; kInvalidArgument lists the known ones.
absl::StatusOr<Resource> ParseResource(std::string_view name);
absl::StatusOr<Resource> ParseResourceKey(std::string_view key);

// Amounts in base units, each >= 0. A resource that is not there has no known amount.
using Costs = std::map<Resource, int64_t>;

// Where a cost comes from, best first.
//
//   kModel         exact by definition: size, bops, traffic                 "model"
//   kGiven         came with given sensitivities                            "given"
//   kMeasured      a profile's measured table has this layer and widths     "measured"
//   kInterpolated  a neighbouring measurement, scaled by an estimate        "interpolated"
//   kRoofline      estimate of latency from peak rates                      "roofline"
//   kEnergyModel   estimate of energy from picojoules an operation          "energy_model"
enum class CostSource { kModel, kGiven, kMeasured, kInterpolated, kRoofline, kEnergyModel };
inline constexpr std::array kCostSources = {CostSource::kModel,        CostSource::kGiven,    CostSource::kMeasured,
                                            CostSource::kInterpolated, CostSource::kRoofline, CostSource::kEnergyModel};
// The name in files and on the wire, and back; kInvalidArgument lists the known ones.
std::string_view ToString(CostSource source);
absl::StatusOr<CostSource> ParseCostSource(std::string_view name);

// Sources of the amounts in a Costs, by resource.
using CostSources = std::map<Resource, CostSource>;

// Sum and product in int64, or nullopt if they do not fit. For amounts, so both arguments are >= 0.
std::optional<int64_t> CheckedAdd(int64_t a, int64_t b);
std::optional<int64_t> CheckedMultiply(int64_t a, int64_t b);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_BASE_RESOURCE_H_
