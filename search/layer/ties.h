#ifndef BITPLAN_SEARCH_LAYER_TIES_H_
#define BITPLAN_SEARCH_LAYER_TIES_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bitplan {

// Layers that must take equal options, as names: each tie lists at least two different layers.
using Ties = std::vector<std::vector<std::string>>;

// Indices of the layers by group: each layer is in exactly one, ties that share a layer become one group, a layer
// without a tie is alone. Groups are ascending and ordered by their first layers. `names` are unique. Errors: kNotFound
// for an unknown layer (lists the known ones); kInvalidArgument for a tie of fewer than two layers or one that lists a
// layer twice.
absl::StatusOr<std::vector<std::vector<int>>> GroupByTies(std::span<const std::string_view> names, const Ties& ties);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_LAYER_TIES_H_
