#ifndef BITPLAN_SEARCH_QUANTIZATION_GROUPING_H_
#define BITPLAN_SEARCH_QUANTIZATION_GROUPING_H_

#include <cstdint>
#include <vector>

#include "search/layer/layer.h"
#include "search/tensor/tensor.h"

namespace bitplan::quantization {

// A weight tensor cut into groups that share a scale. Slice c along the channel axis holds the elements
// (outer, c, inner); its weights are counted in storage order. Every group has at least one weight.
struct Grouping {
  int64_t outer = 1;
  int64_t num_slices = 1;
  int64_t inner = 1;
  int64_t slices_per_group = 1;   // the last group may hold fewer
  int64_t weights_per_group = 0;  // of one slice, the last group of a slice may hold fewer; 0: whole slices
  int64_t groups_per_slice = 1;

  int64_t num_weights() const { return outer * num_slices * inner; }
  int64_t weights_per_slice() const { return outer * inner; }
  int64_t num_groups() const { return (num_slices + slices_per_group - 1) / slices_per_group * groups_per_slice; }

  // visit(element index, group) for each element, in storage order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    int64_t index = 0;
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t slice = 0; slice < num_slices; ++slice) {
        const int64_t first = slice / slices_per_group * groups_per_slice;
        for (int64_t i = 0; i < inner; ++i) {
          visit(index++, weights_per_group == 0 ? first : first + (o * inner + i) / weights_per_group);
        }
      }
    }
  }
};

// How `granularity` cuts a tensor of that shape; the axis is one of the shape's, and group_size >= 1 where there is
// one.
Grouping GroupingOf(const Shape& shape, int channel_axis, Granularity granularity, int64_t group_size);

// Element indices group by group, each group's in storage order: those of group g are order[begin[g]] ..
// order[begin[g + 1] - 1].
struct GroupOrder {
  std::vector<int64_t> begin;
  std::vector<int64_t> order;
};
GroupOrder OrderByGroup(const Grouping& grouping);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_GROUPING_H_
