#ifndef BITPLAN_SEARCH_ALLOCATION_OPEN_ITEMS_H_
#define BITPLAN_SEARCH_ALLOCATION_OPEN_ITEMS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "search/allocation/group_shapes.h"
#include "search/allocation/multi_knapsack.h"

namespace bitplan::allocation {

// What a node of the search leaves open of a MultiKnapsack, copied together for fast passes.
struct OpenItems {
  std::vector<int> group;                // of each open group: index in the knapsack
  std::vector<int> first = {0};          // items of open group g: first[g] .. first[g + 1] - 1
  std::vector<int> item;                 // of each item: index in the knapsack
  std::vector<double> value;             // of each item
  std::vector<std::vector<double>> row;  // [row][item]: scaled cost; those of the knapsack, then the limits on counts
  std::vector<double> capacity;          // of each row, scaled: what the fixed groups leave
  std::vector<int64_t> spare;            // the same in whole numbers
  std::vector<double> count_factor;      // of each limit on counts: scaled cost of an item that counts
  double fixed_value = 0;                // of all fixed groups, those of the knapsack included
  std::vector<int> fixed_item;           // items of groups of the knapsack with one item left
  std::vector<int> alive;                // scratch: all items left
  std::vector<int64_t> least;            // scratch: [group * rows + row]

  int num_groups() const { return static_cast<int>(group.size()); }
  int num_items() const { return static_cast<int>(item.size()); }
  int num_rows() const { return static_cast<int>(row.size()); }
};

// The limits on counts of a node; see group_shapes.h.
struct CountLimits {
  const GroupShapes& shapes;
  const std::vector<CountRow>& rows;
};

// A set of items of a knapsack.
class ItemSet {
 public:
  ItemSet() = default;
  explicit ItemSet(int num_items) : words_((static_cast<size_t>(num_items) + 63) / 64) {}
  bool Has(int item) const { return ((words_[Word(item)] >> Bit(item)) & 1) != 0; }
  void Add(int item) { words_[Word(item)] |= uint64_t{1} << Bit(item); }
  void Remove(int item) { words_[Word(item)] &= ~(uint64_t{1} << Bit(item)); }
  // Fills `items` with the members, ascending.
  void List(std::vector<int>& items) const;
  size_t bytes() const { return words_.size() * sizeof(uint64_t); }

 private:
  static size_t Word(int item) { return static_cast<size_t>(item) >> 6; }
  static int Bit(int item) { return item & 63; }
  std::vector<uint64_t> words_;
};

// Takes items out of `alive` that exceed a capacity with every other group at its cheapest, until nothing changes, and
// fills `open` with what is left: groups with two items or more, and those for which keep_open[group] is set. False:
// proven that no choice of items in `alive` keeps the rows and limits (whole numbers; `open` means nothing then).
bool OpenWhatFits(const MultiKnapsack& knapsack, const CountLimits& limits, const std::vector<bool>& keep_open,
                  ItemSet& alive, OpenItems& open);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_OPEN_ITEMS_H_
