#ifndef BITPLAN_SEARCH_OPS_LANE_SUMS_H_
#define BITPLAN_SEARCH_OPS_LANE_SUMS_H_

#include <cstdint>

namespace bitplan::ops {

// sum of value(i), i = 0 .. count-1, in double. Eight partial sums of every eighth term, added in order at the end: the
// same bits everywhere, and the compiler may vectorise what a single running sum forbids.
template <typename Fn>
double LaneSum(int64_t count, Fn value) {
  constexpr int64_t kLanes = 8;
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t k = 0; k < kLanes; ++k) sums[k] += static_cast<double>(value(i + k));
  }
  for (int64_t k = 0; i + k < count; ++k) sums[k] += static_cast<double>(value(i + k));
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_LANE_SUMS_H_
