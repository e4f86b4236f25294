#ifndef BITPLAN_SEARCH_OPS_LANE_SUMS_H_
#define BITPLAN_SEARCH_OPS_LANE_SUMS_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>

namespace bitplan::ops {

// sum of value(i), i = 0 .. count-1, in double, as eight partial sums of every eighth term that are added in order at
// the end: the same bits everywhere, and the compiler may vectorise what a single running sum forbids. Terms are put
// down in blocks first, since g++ 12 vectorises two simple loops, but not one that computes and adds.
template <typename Fn>
double LaneSum(int64_t count, Fn value) {
  constexpr int64_t kLanes = 8;
  constexpr int64_t kBlock = 256;
  std::array<std::decay_t<decltype(value(int64_t{0}))>, kBlock> terms;
  std::array<double, kLanes> sums = {};
  for (int64_t first = 0; first < count; first += kBlock) {
    const int64_t size = std::min(kBlock, count - first);
    for (int64_t i = 0; i < size; ++i) terms[i] = value(first + i);
    const int64_t whole = size - size % kLanes;
    for (int64_t i = 0; i < whole; i += kLanes) {
      for (int64_t k = 0; k < kLanes; ++k) sums[k] += static_cast<double>(terms[i + k]);
    }
    for (int64_t i = whole; i < size; ++i) sums[i - whole] += static_cast<double>(terms[i]);
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_LANE_SUMS_H_
