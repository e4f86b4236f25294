#ifndef BITPLAN_SEARCH_ALLOCATION_CONVEX_INSTANCE_H_
#define BITPLAN_SEARCH_ALLOCATION_CONVEX_INSTANCE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "search/allocation/convex_objective.h"
#include "search/allocation/problem.h"

namespace bitplan::allocation {

// A problem with a convex objective, tied layers as one group. y holds one number an option of each group, group by
// group; a choice is one-hot in each group. Keeps references: problem and objective must outlive it.
class ConvexInstance {
 public:
  ConvexInstance(const Problem& problem, const ConvexObjective& objective);

  int num_groups() const { return static_cast<int>(groups_.size()); }
  int num_rows() const { return static_cast<int>(limit_.size()); }
  int size() const { return first_.back(); }                  // entries of y
  int first(int group) const { return first_[group]; }        // of the group's options in y; first(num_groups()): size
  int group_of(int entry) const { return group_of_[entry]; }  // of an entry of y
  const std::vector<int>& budgets() const { return budgets_; }  // of each row: index in Problem::budgets
  // Whole numbers: cost of an entry, and the limit of a row; of a lower budget what an entry has less than its group's
  // largest cost, and what all may have less.
  int64_t cost(int entry, int row) const { return cost_[static_cast<int64_t>(entry) * num_rows() + row]; }
  int64_t limit(int row) const { return limit_[row]; }
  const ConvexObjective& objective() const { return objective_; }

  // f and its gradient by y.
  double Value(std::span<const double> y) const;
  double ValueAndGradient(std::span<const double> y, std::span<double> gradient) const;
  // Entries of y by entries of y, from a matrix over the entries of x.
  std::vector<double> Merge(std::span<const double> of_layers) const;

  // `option` of each group, and of each layer.
  std::vector<int> OfLayers(std::span<const int> option) const;
  std::vector<int> OfGroups(std::span<const int> choice) const;
  std::vector<double> OneHot(std::span<const int> option) const;
  // Of each entry whether every layer of its group may take it.
  std::vector<uint8_t> Allowed() const;
  // Whether an option for each group keeps every budget and whatever else the problem asks for.
  bool Keeps(std::span<const int> option) const;

 private:
  void TurnLowerBudgets();
  std::vector<double> Spread(std::span<const double> y) const;

  const Problem& problem_;
  const ConvexObjective& objective_;
  std::vector<std::vector<int>> groups_;
  std::vector<int> first_ = {0};
  std::vector<int> group_of_;
  std::vector<int> entry_of_;  // of each entry of x: entry of y
  std::vector<int> budgets_;
  std::vector<int64_t> cost_;
  std::vector<int64_t> limit_;
};

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_CONVEX_INSTANCE_H_
