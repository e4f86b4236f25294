#include "search/quantization/grouping.h"

#include <cstddef>

namespace bitplan::quantization {

Grouping GroupingOf(const Shape& shape, int channel_axis, Granularity granularity, int64_t group_size) {
  Grouping grouping;
  if (granularity == Granularity::kPerTensor) {
    grouping.inner = NumElements(shape);
    return grouping;
  }
  for (int d = 0; d < channel_axis; ++d) grouping.outer *= shape[d];
  grouping.num_slices = shape[channel_axis];
  for (size_t d = channel_axis + 1; d < shape.size(); ++d) grouping.inner *= shape[d];
  if (granularity == Granularity::kPerChannelGroup) grouping.slices_per_group = group_size;
  if (granularity == Granularity::kPerGroup) {
    grouping.weights_per_group = group_size;
    grouping.groups_per_slice = (grouping.weights_per_slice() + group_size - 1) / group_size;
  }
  return grouping;
}

GroupOrder OrderByGroup(const Grouping& grouping) {
  GroupOrder groups{.begin = std::vector<int64_t>(grouping.num_groups() + 1, 0),
                    .order = std::vector<int64_t>(grouping.num_weights())};
  grouping.ForEach([&](int64_t /*index*/, int64_t group) { ++groups.begin[group + 1]; });
  for (size_t g = 1; g < groups.begin.size(); ++g) groups.begin[g] += groups.begin[g - 1];
  std::vector<int64_t> next(groups.begin.begin(), groups.begin.end() - 1);
  grouping.ForEach([&](int64_t index, int64_t group) { groups.order[next[group]++] = index; });
  return groups;
}

}  // namespace bitplan::quantization
