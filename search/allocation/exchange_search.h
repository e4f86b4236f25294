#ifndef BITPLAN_SEARCH_ALLOCATION_EXCHANGE_SEARCH_H_
#define BITPLAN_SEARCH_ALLOCATION_EXCHANGE_SEARCH_H_

#include <cstdint>
#include <span>
#include <vector>

#include "search/allocation/multi_knapsack.h"

namespace bitplan::allocation {

// Local search on choices of a MultiKnapsack: changes of one group or of two at once, drawn from the items of least
// reduced cost. Deterministic; the knapsack is kept by reference and must outlive this.
class ExchangeSearch {
 public:
  // The items to try: those of least reduced cost at `price` (scaled, of each row), `most` at the most.
  ExchangeSearch(const MultiKnapsack& knapsack, std::span<const double> price, int most);

  // Brings `choice` (item of each group) within the rows by the changes that cost least for what they free; false if
  // none of those tried does.
  bool Repair(std::vector<int>& choice) const;
  // Changes one group, or two at once, while the value falls. `choice` keeps the rows before and after.
  void Improve(std::vector<int>& choice) const;

 private:
  struct Move {
    int group = -1;
    int item = -1;
    double value = 0;
  };

  std::vector<int64_t> Spare(std::span<const int> choice) const;
  void Apply(const Move& move, std::vector<int>& choice, std::vector<int64_t>& spare) const;
  double Excess(std::span<const int64_t> spare) const;
  double ExcessAfter(const Move& move, std::span<const int> choice, std::span<const int64_t> spare) const;
  std::vector<Move> Moves(std::span<const int> choice) const;
  bool ImproveOnce(std::vector<int>& choice, std::vector<int64_t>& spare) const;
  bool ImproveByPair(std::vector<int>& choice, std::vector<int64_t>& spare) const;

  const MultiKnapsack& knapsack_;
  std::vector<int> candidates_;  // items, ascending
  std::vector<double> priced_;   // of each candidate
};

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_EXCHANGE_SEARCH_H_
