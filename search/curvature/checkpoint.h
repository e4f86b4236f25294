#ifndef BITPLAN_SEARCH_CURVATURE_CHECKPOINT_H_
#define BITPLAN_SEARCH_CURVATURE_CHECKPOINT_H_

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "search/base/run_context.h"

namespace bitplan::curvature {

// Keeps numbers under `key` in context.checkpoints, bit for bit. Nothing happens without a store or with an empty key.
void SaveNumbers(const RunContext& context, std::string_view key, std::span<const double> numbers);

// The numbers saved under `key`, or nullopt if there are none or not exactly `count` of them.
std::optional<std::vector<double>> LoadNumbers(const RunContext& context, std::string_view key, size_t count);

// The numbers saved under `key`, however many; nullopt if there are none or the bytes are no numbers.
std::optional<std::vector<double>> LoadNumbers(const RunContext& context, std::string_view key);

}  // namespace bitplan::curvature

#endif  // BITPLAN_SEARCH_CURVATURE_CHECKPOINT_H_
