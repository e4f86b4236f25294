#ifndef BITPLAN_SEARCH_ALLOCATION_CONVEX_BRANCH_H_
#define BITPLAN_SEARCH_ALLOCATION_CONVEX_BRANCH_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <span>
#include <utility>
#include <vector>

#include "search/allocation/convex_instance.h"
#include "search/allocation/convex_relaxation.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// Best-bound branch and bound on ConvexRelaxation.
//
// Node:     the options it leaves open, the mixture and prices to start from, its bound. Options go that exceed a
//           budget with every other group at its cheapest (whole numbers), and those whose reduced cost lifts the bound
//           to the incumbent. Group to branch on: the one whose relaxation has most to gain (Slack), or is most mixed;
//           each option becomes a child, from five options on the halves of them.
// Choices:  mixtures rounded and brought within the budgets; then the caller's local search.
// Proof:    a node goes only where its bound is within `tolerance` of the incumbent, where whole numbers say that
//           nothing keeps the budgets, or where one option is left in every group and has been tried.
// Deterministic; one thread. Memory: 9 bytes an option and open node.
class ConvexBranch {
 public:
  struct Limits {
    int64_t nodes = 0;
    double relative_gap = 0;
    double tolerance = 0;  // absolute
  };
  // Takes an option for each group that keeps the budgets, may improve it, and returns the value of the best choice so
  // far. `searches`: worth a local search.
  using Offer = std::function<double(const std::vector<int>& option, bool searches)>;

  ConvexBranch(const ConvexInstance& instance, ConvexRelaxation& relaxation, Offer offer)
      : instance_(instance), relaxation_(relaxation), offer_(std::move(offer)) {}

  // `open`: entries that may be chosen; `root`: to start from; `best`: value of the best choice so far.
  // True: proven that no choice of open entries is better than best() by more than the tolerance.
  bool Run(std::vector<uint8_t> open, const ConvexRelaxation::Point& root, double best, const Limits& limits,
           const RunContext& context);

  // No choice of open entries has a smaller value, up to the tolerance.
  double bound() const { return bound_; }
  double best() const { return best_; }
  int64_t nodes() const { return nodes_; }

 private:
  struct Node {
    double bound = -std::numeric_limits<double>::infinity();
    int64_t number = 0;
    std::vector<uint8_t> open;
    std::vector<float> y;
    std::vector<double> price;
  };
  struct Later {
    bool operator()(const Node& a, const Node& b) const {
      return a.bound != b.bound ? a.bound > b.bound : a.number > b.number;
    }
  };

  double cutoff() const { return best_ - limits_.tolerance; }
  bool DropWhatExceeds(std::vector<uint8_t>& open) const;
  void Enter(Node node, const RunContext& context);
  void Branch(const Node& node, const RunContext& context);
  int GroupToBranch(const Node& node) const;
  void TryRounded(const Node& node, std::span<const double> y);
  bool Repair(std::span<const uint8_t> open, std::span<const double> y, std::vector<int>& option) const;
  static std::vector<int> OpenOf(const ConvexInstance& instance, std::span<const uint8_t> open, int group);

  const ConvexInstance& instance_;
  ConvexRelaxation& relaxation_;
  Offer offer_;
  Limits limits_;
  double best_ = 0;
  double bound_ = 0;
  int64_t nodes_ = 0;
  int64_t entered_ = 0;
  bool stopped_ = false;
  std::priority_queue<Node, std::vector<Node>, Later> queue_;
};

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_CONVEX_BRANCH_H_
