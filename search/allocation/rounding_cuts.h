#ifndef BITPLAN_SEARCH_ALLOCATION_ROUNDING_CUTS_H_
#define BITPLAN_SEARCH_ALLOCATION_ROUNDING_CUTS_H_

#include <optional>

#include "search/allocation/multi_knapsack.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// The knapsack with rows added that every choice keeps and its linear relaxation breaks (mixed-integer rounding), so
// that bounds rise. All in whole numbers, so the added rows are as exact as the others. Their entry in `row` is -1.
//
// Formula:  for a row sum c[i] x[i] <= b, a base item k(g) for each group and b' = b - sum_g c[k(g)]: the differences
//           d[i] = c[i] - c[k(g)] satisfy sum d[i] x[i] <= b' with x whole. With a divisor D > 0, q(y) = floor(y / D)
//           and e = b' - D q(b') the function F(y) = q(y) (D - e) + max(0, y - D q(y) - e) is superadditive with F(0) =
//           0, so sum F(d[i]) x[i] <= F(b') = q(b') (D - e). Each group's least F is paid in advance as for any row.
//           k(g) is the relaxation's key item, D the differences within the groups that the relaxation splits.
// Source:   Nemhauser and Wolsey (1990); complemented as in Marchand and Wolsey (2001).
// Rows are added in passes while each lifts the bound by a good part of what is missing to `cutoff` (scaled). nullopt:
// they lift it too little to pay for themselves. Cost: some solutions of the relaxation. Deterministic.
std::optional<MultiKnapsack> WithRoundingCuts(const MultiKnapsack& knapsack, double cutoff, const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_ROUNDING_CUTS_H_
