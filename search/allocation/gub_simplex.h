#ifndef BITPLAN_SEARCH_ALLOCATION_GUB_SIMPLEX_H_
#define BITPLAN_SEARCH_ALLOCATION_GUB_SIMPLEX_H_

#include <span>
#include <vector>

#include "search/allocation/multi_knapsack.h"
#include "search/allocation/open_items.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// A basic variable beside the groups' key items: the slack of a row, or a second item of a group.
struct BasicColumn {
  int row = -1;   // >= 0: the slack of this row
  int key = -1;   // else: the group's key item ...
  int item = -1;  // ... and the item beside it; both index the knapsack
};

// A working basis: one column a row. Empty: the slacks of all rows.
struct Basis {
  std::vector<BasicColumn> columns;
};

enum class RelaxationStatus {
  kSolved,      // the bound is that of the linear relaxation, up to rounding
  kStopped,     // given up (degenerate or ill-conditioned numbers, or told to stop); the bound holds all the same
  kCutOff,      // the bound has reached the cut-off
  kInfeasible,  // proven: not even fractions of items keep the rows
};

// Linear relaxation of a multiple-choice knapsack with several rows, by its dual.
//
// Formula:  L(u) = sum_g min_i (v[i] + u c[i]) - u b   for prices u >= 0 of the rows; max L = the relaxation's value.
// Method:   dual simplex with generalised upper bounds: besides a key item for each group only a working basis of rows
// x
//           rows is kept, whatever the number of groups. A pivot moves u along an edge on which the other basic
//           variables stay at reduced cost 0, passing the points where a group changes its best item while L still
//           rises ("long steps"). Items forbidden since the basis was made leave first, so a child starts at its
//           parent's basis.
// Proof:    bound() is L at prices(), computed anew in one pass over all open items, less a bound on the rounding of
//           that pass; it holds however badly the pivots went. kInfeasible needs a ray d >= 0 with
//           sum_g min_i d c[i] > d b by more than rounding.
// Source:   Dantzig and Van Slyke (1967) for the bounds; Fourer (1994), Maros (2003) for long steps.
// Cost:     a pivot is two passes over the open items and rows^3; 2 to 20 pivots from scratch, 1 to 6 in a child.
class GubSimplex {
 public:
  explicit GubSimplex(const MultiKnapsack& knapsack);  // kept by reference: must outlive this

  // From `basis` (of this knapsack; may name items that are not open) to the optimum over `open`; leaves the last basis
  // there. Stops at a bound >= cutoff. `open` is kept by reference until the next call.
  RelaxationStatus Solve(const OpenItems& open, const CountLimits& limits, double cutoff, const RunContext& context,
                         Basis& basis);

  double bound() const { return bound_; }                      // scaled values, fixed groups included
  const std::vector<double>& prices() const { return best_; }  // of each row
  // v[i] + u c[i] at prices() of each open item, and the least of each open group.
  const std::vector<double>& priced() const { return priced_; }
  const std::vector<double>& least() const { return least_; }
  // Of each open group: the open item that is best at prices(), or the key item where the basis has more (may be an
  // item that is not open if the status is kStopped).
  const std::vector<int>& key_item() const { return key_; }
  // Share of the item of each basic column that is not a slack (others: 0). Valid after kSolved.
  const std::vector<double>& share() const { return amount_; }
  int pivots() const { return pivots_; }

 private:
  struct Leaving {
    int position = -1;
    double sign = 1;   // of the change of its reduced cost
    double slope = 0;  // of L along the edge
  };
  struct Line {
    double start;
    double slope;
  };
  struct Crossing {
    double at;
    int group;
    int item;  // open item index; < 0: price of row ~item reaches 0
  };

  void Attach(const OpenItems& open, const CountLimits& limits, Basis& basis);
  double Cost(int row, int item) const;
  void Detach();
  void PriceItems();
  void Passes(std::span<const double> price, std::vector<double>& out, bool with_value) const;
  double SafeBound() const;
  void ChooseKeys();
  bool Factor(const Basis& basis);
  void Amounts(const Basis& basis);
  Leaving ChooseLeaving(Basis& basis);
  void EdgeOf(const Leaving& leaving, const Basis& basis);
  bool LeavesFirst(const BasicColumn& column) const;
  void SwapKey(Basis& basis, int group, int position) const;
  RelaxationStatus Step(const Leaving& leaving, Basis& basis);
  void FirstCrossings(const Basis& basis, const Leaving& leaving);
  void PushCrossing(const Basis& basis, int group, const Line& line, double from);
  static bool IsBasic(const Basis& basis, int item);
  bool IsRay() const;
  bool PricesFromBasis(const Basis& basis);
  bool IsOpen(int item) const { return local_of_[item] >= 0; }

  const MultiKnapsack& knapsack_;
  const OpenItems* open_ = nullptr;
  const CountLimits* limits_ = nullptr;
  int num_rows_ = 0;
  std::vector<int> local_of_;        // of each item of the knapsack: open item index or -1
  std::vector<int> local_group_of_;  // of each group of the knapsack: open group index or -1
  std::vector<double> price_, best_, direction_;
  std::vector<double> priced_, least_, slope_of_;
  std::vector<int> least_item_;  // of each open group: open item index
  std::vector<int> key_;         // of each open group: item of the knapsack
  std::vector<bool> stops_;      // of each open group: the line search may not pass its crossings
  std::vector<int> line_item_;   // of each open group: open item that is least where the line search is
  std::vector<int> split_;       // positions in the basis that are not slacks
  std::vector<int> tight_;       // rows whose slacks are not basic; as many
  std::vector<bool> row_has_slack_;
  std::vector<double> column_;            // [split][row]: item less key
  std::vector<double> matrix_, inverse_;  // of the split columns in the tight rows
  std::vector<double> rest_, amount_;
  std::vector<Crossing> crossings_;
  double bound_ = 0;
  int pivots_ = 0;
};

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_GUB_SIMPLEX_H_
