#ifndef BITPLAN_SEARCH_ALLOCATION_INCUMBENT_H_
#define BITPLAN_SEARCH_ALLOCATION_INCUMBENT_H_

#include <span>
#include <vector>

#include "search/allocation/instance.h"
#include "search/allocation/multi_knapsack.h"

namespace bitplan::allocation {

// The best choice known. Every choice that comes in is added up again in whole numbers, so none that breaks a row and
// none that is not better gets in, whatever the arithmetic that found it. Keeps references: both must outlive it.
class Incumbent {
 public:
  Incumbent(const Instance& instance, const ValueScale& scale) : instance_(instance), scale_(scale) {}

  // `item` of each group of the knapsack. True: it was better and is the incumbent now.
  bool Offer(const MultiKnapsack& knapsack, std::span<const int> item);

  // The same with an option of each group of the instance.
  bool OfferOptions(std::vector<int> option);

  bool exists() const { return !option_.empty(); }
  const std::vector<int>& option() const { return option_; }  // of each group of the instance
  Int128 value() const { return value_; }
  // Scaled; infinite without an incumbent.
  double scaled_value() const;
  // Scaled: a bound this high proves that nothing better by more than the tolerance is below it.
  double cutoff() const;

 private:
  bool KeepsRows(const std::vector<int>& option) const;

  const Instance& instance_;
  const ValueScale& scale_;
  std::vector<int> option_;
  Int128 value_ = 0;
};

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_INCUMBENT_H_
