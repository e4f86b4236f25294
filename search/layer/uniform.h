#ifndef BITPLAN_SEARCH_LAYER_UNIFORM_H_
#define BITPLAN_SEARCH_LAYER_UNIFORM_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "search/base/resource.h"
#include "search/layer/layer.h"

namespace bitplan {

// Options (indices) that stand for `bits` weight bits: those whose activations have `bits` bits too, where there are
// some. Empty: there is no such option.
std::vector<int> OptionsOfWidth(std::span<const Option> options, int bits);

// Amount of `resource` that a layer's cheapest option of OptionsOfWidth uses. costs[k] belongs to options[k]. nullopt:
// no such option with a known cost. This is what "uniform 8 bit" means in budgets and plans.
std::optional<int64_t> CheapestOfWidth(std::span<const Option> options, std::span<const Costs> costs, Resource resource,
                                       int bits);

// The option that stands for `bits` weight bits in a uniform plan: those with `bits` activation bits before others,
// then symmetric before other schemes, per_channel before other granularities, then by label. -1: there is none.
int UniformOption(std::span<const Option> options, int bits);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_LAYER_UNIFORM_H_
