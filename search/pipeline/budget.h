#ifndef BITPLAN_SEARCH_PIPELINE_BUDGET_H_
#define BITPLAN_SEARCH_PIPELINE_BUDGET_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/allocation/problem.h"
#include "search/base/resource.h"
#include "search/hardware/price.h"
#include "search/layer/layer.h"

namespace bitplan {

// limit in the base unit of the resource, >= 0.
struct AbsoluteLimit {
  int64_t limit = 0;

  bool operator==(const AbsoluteLimit&) const = default;
};

// floor(factor * U(8)), where U(b) is the uniform total of b bits (pipeline::UniformTotal). 0 < factor <= 16.
struct RelativeLimit {
  double factor = 1;

  bool operator==(const RelativeLimit&) const = default;
};

// floor(U(low) + fraction * (U(high) - U(low))): HAWQ-v3's way to name a budget. 0 <= fraction <= 1,
// 2 <= low_bits < high_bits <= 8.
struct InterpolatedLimit {
  double fraction = 0;
  int low_bits = 4;
  int high_bits = 8;

  bool operator==(const InterpolatedLimit&) const = default;
};

// What the device has (HardwareProfile::limits): of size its flash, of memory its SRAM.
struct DeviceLimit {
  bool operator==(const DeviceLimit&) const = default;
};

// A limit on the sum of one resource, as asked for.
struct BudgetSpec {
  Resource resource = Resource::kSize;
  std::variant<AbsoluteLimit, RelativeLimit, InterpolatedLimit, DeviceLimit> amount;
  BudgetSense sense = BudgetSense::kAtMost;

  bool operator==(const BudgetSpec&) const = default;
};

namespace pipeline {

// Reads "<resource>=<amount>", an upper limit (also written "<="), or "<resource>>=<amount>", a lower one:
//
//   size=1MiB  size=500kB  size=8000bit    bit, kbit, Mbit, Gbit, B, kB, MB, GB, KiB, MiB, GiB
//   memory=64KiB  traffic=2MB              B, kB, MB, GB, KiB, MiB, GiB
//   bops=1.2G                              no unit, or k, M, G, T, P
//   latency=3.5ms                          ns, us, ms, s
//   energy=2uJ                             pJ, nJ, uJ, mJ, J
//   size=0.5x                              part of uniform 8 bit (RelativeLimit)
//   size=0.25@w4:w8                        a quarter of the way from uniform 4 to uniform 8 bit (InterpolatedLimit)
//   size=device  memory=device             flash and SRAM of the device (DeviceLimit)
//   size>=0.3x                             at least that much
//
// Numbers are decimal with at most 18 significant digits and read exactly; a fraction of a base unit is rounded down.
// kInvalidArgument says what came and what is accepted: negative, NaN, overflow, no unit, unknown resource.
absl::StatusOr<BudgetSpec> ParseBudget(std::string_view text);

// Canonical text that ParseBudget reads back: "size=8388608bit", "latency=3500000ns", "size=0.5x", "bops=0.25@w4:w8",
// "size>=0.3x".
std::string FormatBudget(const BudgetSpec& spec);

// kInvalidArgument if an amount is out of the ranges above. For specs that did not come from ParseBudget.
absl::Status ValidateBudget(const BudgetSpec& spec);

// Whether the resource is a maximum over the execution (CostTable::peak_memory), not a sum over layers.
bool IsPeak(const CostTable& costs, Resource resource);

// Total of `resource` if every layer takes its cheapest option of `bits` weight bits; where a layer has options whose
// activations have `bits` bits too, only those count. Ties are not looked at.
// Errors: kInvalidArgument naming every layer without such an option (or without a known cost of it).
absl::StatusOr<int64_t> UniformTotal(const LayerTable& layers, const OptionTable& options, const CostTable& costs,
                                     Resource resource, int bits);

// The limit in base units. Factors and fractions count as the shortest decimal that reads back as the same double, so
// "0.7x" of 10 is exactly 7; the product is exact and rounded down.
// Errors: those of UniformTotal; kInvalidArgument if the resource is not priced (lists what is), the profile does not
// say what the device has, or the limit does not fit in int64.
absl::StatusOr<int64_t> ResolveBudget(const BudgetSpec& spec, const LayerTable& layers, const OptionTable& options,
                                      const CostTable& costs);

}  // namespace pipeline
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PIPELINE_BUDGET_H_
