#ifndef BITPLAN_SEARCH_HARDWARE_ESTIMATE_H_
#define BITPLAN_SEARCH_HARDWARE_ESTIMATE_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "search/hardware/profile.h"
#include "search/layer/layer.h"

namespace bitplan::hardware {

// Bits that an activation of `bits` takes: by MemoryModel where the profile has one, else `bits`.
int StoredActivationBits(int bits, const HardwareProfile& profile);

// Bits that the layer's weights take under the option: StorageBits in the profile's format, or with 32-bit scales where
// it has none. nullopt: more than int64 holds.
std::optional<int64_t> StoredWeightBits(const Layer& layer, const Option& option, const HardwareProfile& profile);

// Bytes that one run of `batch_size` samples moves to and from memory, caches not looked at:
//   weights      ceil(StoredWeightBits / 8), once a run; of an embedding at most one code an element it gives
//   activations  ceil(batch_size * (input_elements + output_elements) * StoredActivationBits / 8): what the layer
//                writes is counted at the width of what it reads. Elements that are not known count as none.
// kInvalidArgument where the sum does not fit in int64.
absl::StatusOr<int64_t> TrafficBytes(const Layer& layer, const Option& option, const HardwareProfile& profile,
                                     int64_t batch_size);

// Multiply-accumulates a second: the rate of kind and widths, that of the widths, the bit-serial one. nullopt: none.
std::optional<int64_t> MacsPerSecond(const RooflineModel& model, LayerKind kind, Widths widths);
// Femtojoules a multiply-accumulate likewise.
std::optional<int64_t> FemtojoulesPerMac(const EnergyModel& model, Widths widths);

// Whether the profile can estimate the resource (latency, energy) at these widths.
bool HasEstimate(const HardwareProfile& profile, Resource resource, LayerKind kind, Widths widths);

// The estimate of RooflineModel or EnergyModel in base units, HasEstimate given. Integers, each part rounded up: the
// same on every machine. kInvalidArgument where it does not fit in int64 (names layer and option).
absl::StatusOr<int64_t> Estimate(const HardwareProfile& profile, Resource resource, const Layer& layer,
                                 const Option& option);

// ceil(a * b / c) for a, b >= 0, c > 0; nullopt where it does not fit in int64.
std::optional<int64_t> ScaleUp(int64_t a, int64_t b, int64_t c);

}  // namespace bitplan::hardware

#endif  // BITPLAN_SEARCH_HARDWARE_ESTIMATE_H_
