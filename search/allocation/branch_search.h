#ifndef BITPLAN_SEARCH_ALLOCATION_BRANCH_SEARCH_H_
#define BITPLAN_SEARCH_ALLOCATION_BRANCH_SEARCH_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "search/allocation/exchange_search.h"
#include "search/allocation/gub_simplex.h"
#include "search/allocation/incumbent.h"
#include "search/allocation/multi_knapsack.h"
#include "search/allocation/open_items.h"
#include "search/allocation/solution.h"
#include "search/allocation/watched_choice.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

struct BranchLimits {
  int64_t max_nodes = 0;
  double relative_gap = 0;  // of the objective; see `zero`
  double zero = 0;          // scaled value of objective 0
  bool by_counts = false;   // branch on counts (group_shapes.h) where the relaxation has one at a fraction
};

struct BranchResult {
  // kOptimal: nothing is left open; the incumbent is proven best (or, without one, the knapsack has no choice).
  // kFeasible: stopped by max_nodes or the gap. kTimeLimit, kCancelled.
  Termination termination = Termination::kOptimal;
  double bound = 0;  // scaled: no choice of the knapsack is below min(bound, incumbent's cutoff)
  int64_t nodes = 0;
};

// Branch and bound on the linear relaxation of GubSimplex.
//
// A node is the set of items still in play. It goes only with a proof: its bound reaches the incumbent's cutoff, a ray
// shows that no fractions of items keep the rows, or whole numbers show that no choice fits. Items whose reduced cost
// lifts the node's bound to the cutoff leave it (bound and reduced costs at the same prices). A node branches on one of
// the groups that the relaxation splits (at most one a row): its items go left or right by what they cost at the
// node's prices. All those groups are tried and the one whose children's bounds rise most is taken. The nearer child is
// followed until it ends, then the open node of least bound is next. When the open nodes take more than kMostOpenBytes
// the search goes depth first.
//
// The incumbent is kept by reference and improved on the way. Deterministic apart from context's deadline and stop.
class BranchSearch {
 public:
  static constexpr size_t kMostOpenBytes = size_t{256} << 20;

  BranchSearch(const Instance& instance, const MultiKnapsack& knapsack, Incumbent& incumbent, const RunContext& context,
               WatchedChoice* watched = nullptr);

  // Solves the root's relaxation, makes a first choice and fixes items. False: nothing is left to search.
  bool Start();
  // To be called once. By counts where there are none: returns at once with kFeasible. Reports the nodes of this run
  // and the least open bound, scaled, every now and then.
  BranchResult Run(const BranchLimits& limits);

  // After Start: the items that the root leaves, and the prices and bound (scaled) of its relaxation.
  const ItemSet& root_items() const { return root_items_; }
  const std::vector<double>& root_prices() const { return root_prices_; }
  double root_bound() const { return root_bound_; }
  // After Start: the relaxation's choice (item of each group) and how much more the second best item of each group
  // costs at root_prices(): 0 for split groups, infinite for groups with one item left.
  const std::vector<int>& root_choice() const { return root_choice_; }
  const std::vector<double>& root_margins() const { return root_margins_; }

 private:
  // A way to divide a node in two: items of one group, or the number of groups of a shape that take a cheap item.
  struct Split {
    std::vector<int> left;  // the group's items that go left, the others right; empty: by count
    CountRow count;         // the limit on the left; one more at least on the right
  };
  // What a node allows.
  struct Domain {
    ItemSet alive;
    std::vector<CountRow> counts;
    Basis basis;  // to start from
  };
  struct Node {
    double bound = 0;
    int64_t number = 0;
    Domain domain;
    std::vector<Split> splits;  // those worth trying
    size_t bytes() const {
      return sizeof(Node) + domain.alive.bytes() + domain.counts.size() * sizeof(CountRow) +
             domain.basis.columns.size() * sizeof(BasicColumn) + 512;
    }
  };
  struct Children {
    std::optional<Node> left, right;
    double score = -1;
  };

  std::optional<Node> Evaluate(Domain domain);
  RelaxationStatus Relax(Domain& domain);
  void FixItems(ItemSet& alive);
  bool OfferLastChoice(const ItemSet& alive);
  std::vector<Split> Splits(const Domain& domain) const;
  std::vector<Split> CountSplits(const Basis& basis) const;
  double CountOf(const CountRow& row, const Basis& basis) const;
  std::vector<Split> GroupSplits(const Domain& domain) const;
  Split SplitByShares(const ItemSet& alive, std::span<const std::pair<int, double>> shares) const;
  Split SplitWithoutShares(const ItemSet& alive) const;
  void NoteRootMargins();
  bool FindCounts();
  void LimitCount(const Split& split, bool left, Domain& domain) const;
  std::vector<int> KeyChoice() const;
  static std::vector<std::vector<int>> SplitItems(const Basis& basis);
  std::vector<int> BestRounding(const std::vector<std::vector<int>>& split, double& best_value) const;
  void TryRoundings(const Basis& basis);
  void Improve(std::vector<int> choice, bool fits);
  Children Branch(const Node& node, const Split& split);
  Children BestChildren(const Node& node);
  void Keep(Node node);
  std::optional<Node> NextOpen();
  double LeastOpenBound() const;
  bool GapIsSmallEnough(const BranchLimits& limits, double bound) const;
  bool Watches(const Domain& domain) const;
  void NoteLoss(const char* where);

  const Instance& instance_;
  const MultiKnapsack& knapsack_;
  Incumbent& incumbent_;
  const RunContext& context_;
  WatchedChoice* watched_;
  std::vector<int> watched_item_;  // of each group; empty: the knapsack does not have the watched choice
  double watched_value_ = 0;
  GubSimplex simplex_;
  GroupShapes shapes_;
  OpenItems open_;
  std::vector<bool> keep_open_;
  std::optional<ExchangeSearch> exchange_;
  ItemSet root_items_;
  std::vector<double> root_prices_;
  std::vector<int> root_choice_;
  std::vector<double> root_margins_;
  double root_bound_ = 0;
  std::optional<Node> current_;
  std::vector<Node> heap_, stack_;
  size_t open_bytes_ = 0;
  int64_t nodes_ = 0;
  int64_t dives_ = 0;
  int longest_dive_ = 0;
  int dive_ = 0;  // branchings since the last open node was taken up
  int64_t next_number_ = 0;
};

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_BRANCH_SEARCH_H_
