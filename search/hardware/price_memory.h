#ifndef BITPLAN_SEARCH_HARDWARE_PRICE_MEMORY_H_
#define BITPLAN_SEARCH_HARDWARE_PRICE_MEMORY_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "search/hardware/profile.h"
#include "search/layer/data_flow.h"
#include "search/layer/layer.h"
#include "search/layer/peak_memory.h"
#include "search/layer/ties.h"

namespace bitplan::hardware {

// Bytes of a tensor of activations: ceil(elements * stored bits / 8), rounded up to the model's alignment, where the
// stored bits are the least power of two that is no less than `bits` and the model's least. nullopt: above 2^62.
std::optional<int64_t> ActivationBytes(int64_t elements, int bits, const MemoryModel& model);

// What the activations of one sample take at each step of the execution, by the options of the layers. A tensor that
// layers of different activation widths read has the widest of them; that is exact for layers that `activation_ties`
// (names) join, and where they are free to differ the tensor counts as if the widest option among theirs was chosen:
// never less than what is needed.
// Errors: kInvalidArgument: bytes of a step that do not fit in 61 bits.
absl::StatusOr<PeakMemory> PricePeakMemory(const DataFlow& flow, const LayerTable& layers, const OptionTable& options,
                                           const Ties& activation_ties, const MemoryModel& model);

}  // namespace bitplan::hardware

#endif  // BITPLAN_SEARCH_HARDWARE_PRICE_MEMORY_H_
