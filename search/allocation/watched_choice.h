#ifndef BITPLAN_SEARCH_ALLOCATION_WATCHED_CHOICE_H_
#define BITPLAN_SEARCH_ALLOCATION_WATCHED_CHOICE_H_

#include <string>
#include <vector>

namespace bitplan::allocation {

// Debug aid for tests: a choice known to be best. A search that is given one notes the first step that removed it
// although it was better than everything found so far, that is, the first false proof. Costs time at every node.
struct WatchedChoice {
  std::vector<int> option;  // of each group of the instance
  std::string lost_at;      // filled in by the search; empty: nothing removed it
};

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_WATCHED_CHOICE_H_
