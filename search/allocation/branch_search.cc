#include "search/allocation/branch_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "search/allocation/run_limits.h"

namespace bitplan::allocation {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Shares below this are rounding of the relaxation.
constexpr double kShare = 1e-7;
// Roundings tried at a node: every combination of items of the split groups, up to so many.
constexpr int kMostRoundings = 64;
constexpr int kExchangeItems = 200;
// Local search at every node at first, then at one in so many.
constexpr int64_t kNodesWithExchange = 40;
constexpr int64_t kNodesPerExchange = 64;
constexpr size_t kMostGoodPrices = 24;
constexpr int64_t kNodesPerGoodPrice = 8;
// Rounding of one reduced cost, relative to the priced values it is the difference of.
constexpr double kPricedRounding = 64 * std::numeric_limits<double>::epsilon();
constexpr int kMostSplits = 4;

struct ByBound {
  template <typename Node>
  bool operator()(const Node& a, const Node& b) const {
    return std::tie(a.bound, a.number) > std::tie(b.bound, b.number);
  }
};

}  // namespace

BranchSearch::BranchSearch(const MultiKnapsack& knapsack, Incumbent& incumbent, const RunContext& context,
                           WatchedChoice* watched)
    : knapsack_(knapsack),
      incumbent_(incumbent),
      context_(context),
      watched_(watched),
      simplex_(knapsack),
      keep_open_(knapsack.num_groups(), false),
      root_items_(knapsack.num_items()) {
  for (int i = 0; i < knapsack.num_items(); ++i) root_items_.Add(i);
  if (watched == nullptr) return;
  watched_value_ = knapsack.fixed_value;
  for (int g = 0; g < knapsack.num_groups(); ++g) {
    for (int i = knapsack.first[g]; i < knapsack.first[g + 1]; ++i) {
      if (knapsack.option[i] != watched->option[knapsack.group[g]]) continue;
      watched_item_.push_back(i);
      watched_value_ += knapsack.value[i];
    }
  }
  if (std::ssize(watched_item_) != knapsack.num_groups()) watched_item_.clear();
}

bool BranchSearch::Watches(const ItemSet& alive) const {
  return !watched_item_.empty() &&
         std::all_of(watched_item_.begin(), watched_item_.end(), [&](int item) { return alive.Has(item); });
}

// Called after a removal; `now` null: the node itself went. Rounding of the watched value is far below the tolerance.
void BranchSearch::NoteLoss(bool was_there, const ItemSet* now, const char* where) {
  if (!was_there || (now != nullptr && Watches(*now))) return;
  if (watched_value_ < incumbent_.cutoff() && watched_->lost_at.empty()) watched_->lost_at = where;
}

bool BranchSearch::Start() {
  root_bound_ = -kInfinity;
  std::optional<Node> root = Evaluate(root_items_, Basis{});
  root_prices_ = simplex_.prices();
  if (!root.has_value()) {
    root_bound_ = kInfinity;
    return false;
  }
  root_bound_ = root->bound;
  exchange_.emplace(knapsack_, root_prices_, kExchangeItems);
  TryRoundings(root->basis);
  FixItems(root->alive);
  root_items_ = root->alive;
  root->splits = Splits(root->alive, root->basis);
  current_ = std::move(root);
  return current_->bound < incumbent_.cutoff();
}

RelaxationStatus BranchSearch::Relax(ItemSet& alive, Basis& basis) {
  for (const BasicColumn& column : basis.columns) {
    if (column.row < 0) keep_open_[knapsack_.group_of[column.key]] = true;
  }
  const bool fits = OpenWhatFits(knapsack_, keep_open_, alive, open_);
  for (const BasicColumn& column : basis.columns) {
    if (column.row < 0) keep_open_[knapsack_.group_of[column.key]] = false;
  }
  return fits ? simplex_.Solve(open_, incumbent_.cutoff(), context_, basis) : RelaxationStatus::kInfeasible;
}

// Any choice with the item is worth at least the bound plus the item's reduced cost.
void BranchSearch::FixItems(ItemSet& alive) {
  const double cutoff = incumbent_.cutoff();
  for (int g = 0; g < open_.num_groups(); ++g) {
    const double least = simplex_.least()[g];
    for (int i = open_.first[g]; i < open_.first[g + 1]; ++i) {
      const double priced = simplex_.priced()[i];
      const double reduced = priced - least - kPricedRounding * (priced + least);
      if (simplex_.bound() + reduced >= cutoff) alive.Remove(open_.item[i]);
    }
  }
}

// A node with one item a group is a choice: true if there was one, which is offered.
bool BranchSearch::OfferLastChoice(const ItemSet& alive) {
  std::vector<int> choice(knapsack_.num_groups(), -1);
  for (int i = 0; i < knapsack_.num_items(); ++i) {
    if (!alive.Has(i)) continue;
    int& item = choice[knapsack_.group_of[i]];
    if (item >= 0) return false;
    item = i;
  }
  if (std::find(choice.begin(), choice.end(), -1) == choice.end()) incumbent_.Offer(knapsack_, choice);
  return true;
}

std::optional<BranchSearch::Node> BranchSearch::Evaluate(ItemSet alive, Basis basis) {
  ++nodes_;
  const bool watches = watched_ != nullptr && Watches(alive);
  const RelaxationStatus status = Relax(alive, basis);
  if (status == RelaxationStatus::kInfeasible || simplex_.bound() >= incumbent_.cutoff()) {
    if (watches) NoteLoss(true, nullptr, status == RelaxationStatus::kInfeasible ? "infeasible node" : "bound");
    return std::nullopt;
  }
  if (watches) NoteLoss(true, &alive, "fit");
  if (exchange_.has_value()) TryRoundings(basis);
  FixItems(alive);
  if (watches) NoteLoss(true, &alive, "reduced cost");
  if (simplex_.bound() >= incumbent_.cutoff()) return std::nullopt;
  Node node{.bound = simplex_.bound(), .number = next_number_++};
  node.splits = Splits(alive, basis);
  if (node.splits.empty() && OfferLastChoice(alive)) {
    if (watches) NoteLoss(true, nullptr, "last choice");
    return std::nullopt;
  }
  if (nodes_ % kNodesPerGoodPrice == 1 && good_prices_.size() < kMostGoodPrices) {
    good_prices_.push_back(simplex_.prices());
  }
  node.alive = std::move(alive);
  node.basis = std::move(basis);
  return node;
}

// Items of the group on the cheap side of the mean cost of the relaxation's shares, at the node's prices.
std::vector<int> BranchSearch::Split(const ItemSet& alive, std::span<const std::pair<int, double>> shares) const {
  const auto paid = [&](int item) {
    double sum = 0;
    for (int r = 0; r < knapsack_.num_rows; ++r) sum += simplex_.prices()[r] * knapsack_.ScaledCostOf(item)[r];
    return sum;
  };
  double mean = 0;
  for (const auto& [item, share] : shares) mean += share * paid(item);
  const int g = knapsack_.group_of[shares[0].first];
  std::vector<int> left;
  int others = 0;
  for (int i = knapsack_.first[g]; i < knapsack_.first[g + 1]; ++i) {
    if (!alive.Has(i)) continue;
    if (paid(i) <= mean) {
      left.push_back(i);
    } else {
      ++others;
    }
  }
  const bool divides =
      std::any_of(shares.begin(), shares.end(), [&](const auto& entry) { return paid(entry.first) > mean; });
  if (!divides || left.empty() || others == 0) return {shares[0].first};
  return left;
}

// For a relaxation without split groups (whole, or given up): the open group whose second best item is nearest.
std::vector<int> BranchSearch::SplitWithoutShares(const ItemSet& alive) const {
  double nearest = kInfinity;
  int taken = -1;
  for (int g = 0; g < open_.num_groups(); ++g) {
    int best = -1;
    double second = kInfinity;
    for (int i = open_.first[g]; i < open_.first[g + 1]; ++i) {
      if (!alive.Has(open_.item[i])) continue;
      if (best < 0 || simplex_.priced()[i] < simplex_.priced()[best]) {
        if (best >= 0) second = simplex_.priced()[best];
        best = i;
      } else {
        second = std::min(second, simplex_.priced()[i]);
      }
    }
    if (best < 0 || second == kInfinity || second - simplex_.priced()[best] >= nearest) continue;
    nearest = second - simplex_.priced()[best];
    taken = open_.item[best];
  }
  if (taken < 0) return {};
  return {taken};
}

std::vector<std::vector<int>> BranchSearch::Splits(const ItemSet& alive, const Basis& basis) const {
  struct Candidate {
    double spread;
    std::vector<std::pair<int, double>> shares;  // item and share; the key item first
  };
  std::vector<Candidate> candidates;
  for (size_t p = 0; p < basis.columns.size(); ++p) {
    const int key = basis.columns[p].key;
    if (basis.columns[p].row >= 0) continue;
    auto same = std::find_if(candidates.begin(), candidates.end(),
                             [&](const Candidate& c) { return c.shares[0].first == key; });
    if (same == candidates.end()) same = candidates.insert(same, Candidate{0, {{key, 1.0}}});
    same->shares.emplace_back(basis.columns[p].item, simplex_.share()[p]);
    same->shares[0].second -= simplex_.share()[p];
  }
  std::erase_if(candidates, [&](Candidate& candidate) {
    std::erase_if(candidate.shares,
                  [&](const auto& entry) { return entry.second < kShare || !alive.Has(entry.first); });
    return candidate.shares.size() < 2;
  });
  for (Candidate& candidate : candidates) {
    double low = kInfinity;
    double high = -kInfinity;
    for (const auto& [item, share] : candidate.shares) {
      low = std::min(low, knapsack_.value[item]);
      high = std::max(high, knapsack_.value[item]);
    }
    candidate.spread = high - low;
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.spread > b.spread; });
  std::vector<std::vector<int>> splits;
  for (const Candidate& candidate : candidates) {
    if (splits.size() < kMostSplits) splits.push_back(Split(alive, candidate.shares));
  }
  if (splits.empty()) {
    if (std::vector<int> split = SplitWithoutShares(alive); !split.empty()) splits.push_back(std::move(split));
  }
  return splits;
}

void BranchSearch::Improve(std::vector<int> choice, bool fits) {
  if (!fits && !exchange_->Repair(choice)) return;
  exchange_->Improve(choice);
  incumbent_.Offer(knapsack_, choice);
}

// Every combination of the items of split groups, the other groups at their key items.
void BranchSearch::TryRoundings(const Basis& basis) {
  std::vector<int> choice(knapsack_.num_groups(), -1);
  for (const int item : open_.fixed_item) choice[knapsack_.group_of[item]] = item;
  for (int g = 0; g < open_.num_groups(); ++g) choice[open_.group[g]] = simplex_.key_item()[g];
  std::vector<std::vector<int>> split;  // items of each split group
  for (const BasicColumn& column : basis.columns) {
    if (column.row >= 0) continue;
    const int g = knapsack_.group_of[column.key];
    auto same =
        std::find_if(split.begin(), split.end(), [&](const auto& items) { return knapsack_.group_of[items[0]] == g; });
    if (same == split.end()) same = split.insert(same, {column.key});
    same->push_back(column.item);
  }
  std::vector<int64_t> spare = knapsack_.capacity;
  double value = knapsack_.fixed_value;
  for (int g = 0; g < knapsack_.num_groups(); ++g) {
    if (choice[g] < 0) return;
    value += knapsack_.value[choice[g]];
    const int64_t* cost = knapsack_.CostOf(choice[g]).data();
    for (int r = 0; r < knapsack_.num_rows; ++r) spare[r] -= cost[r];
  }
  std::vector<int> best;
  double best_value = kInfinity;
  std::vector<size_t> digit(split.size(), 0);
  for (int round = 0; round < kMostRoundings; ++round) {
    double changed = value;
    std::vector<int64_t> left = spare;
    for (size_t s = 0; s < split.size(); ++s) {
      const int before = split[s][0];
      const int after = split[s][digit[s]];
      changed += knapsack_.value[after] - knapsack_.value[before];
      for (int r = 0; r < knapsack_.num_rows; ++r) left[r] += knapsack_.CostOf(before)[r] - knapsack_.CostOf(after)[r];
    }
    if (changed < best_value && std::all_of(left.begin(), left.end(), [](int64_t rest) { return rest >= 0; })) {
      best_value = changed;
      best = choice;
      for (size_t s = 0; s < split.size(); ++s) best[knapsack_.group_of[split[s][0]]] = split[s][digit[s]];
    }
    size_t s = 0;
    while (s < split.size() && ++digit[s] == split[s].size()) digit[s++] = 0;
    if (s == split.size()) break;
  }
  if (best_value < incumbent_.scaled_value()) incumbent_.Offer(knapsack_, best);
  if (!exchange_.has_value() || (nodes_ > kNodesWithExchange && nodes_ % kNodesPerExchange != 0)) return;
  if (best.empty()) {
    Improve(std::move(choice), false);
  } else {
    Improve(std::move(best), true);
  }
}

BranchSearch::Children BranchSearch::Branch(const Node& node, const std::vector<int>& left) {
  ItemSet left_items = node.alive;
  ItemSet right_items = node.alive;
  const int g = knapsack_.group_of[left[0]];
  for (int i = knapsack_.first[g]; i < knapsack_.first[g + 1]; ++i) {
    if (std::find(left.begin(), left.end(), i) != left.end()) {
      right_items.Remove(i);
    } else {
      left_items.Remove(i);
    }
  }
  Children children;
  children.left = Evaluate(std::move(left_items), node.basis);
  children.right = Evaluate(std::move(right_items), node.basis);
  // A child's bound is at least its parent's: the parent's prices would do.
  const double most = std::max(incumbent_.cutoff() - node.bound, 0.0);
  const auto rise = [&](std::optional<Node>& child) {
    if (!child.has_value()) return most;
    child->bound = std::max(child->bound, node.bound);
    return child->bound - node.bound;
  };
  const double left_rise = rise(children.left);
  const double right_rise = rise(children.right);
  constexpr double kFloor = 1e-9;  // so that one child's rise counts even if the other's is 0
  children.score = std::max(left_rise, kFloor * most) * std::max(right_rise, kFloor * most);
  return children;
}

BranchSearch::Children BranchSearch::BestChildren(const Node& node) {
  Children best;
  for (const std::vector<int>& split : node.splits) {
    Children children = Branch(node, split);
    if (children.score > best.score) best = std::move(children);
    if (!best.left.has_value() || !best.right.has_value()) break;
  }
  return best;
}

void BranchSearch::Keep(Node node) {
  if (open_bytes_ > kMostOpenBytes) {
    stack_.push_back(std::move(node));
    return;
  }
  open_bytes_ += node.bytes();
  heap_.push_back(std::move(node));
  std::push_heap(heap_.begin(), heap_.end(), ByBound());
}

std::optional<BranchSearch::Node> BranchSearch::NextOpen() {
  while (!stack_.empty() || !heap_.empty()) {
    Node node;
    if (!stack_.empty()) {
      node = std::move(stack_.back());
      stack_.pop_back();
    } else {
      std::pop_heap(heap_.begin(), heap_.end(), ByBound());
      node = std::move(heap_.back());
      heap_.pop_back();
      open_bytes_ -= node.bytes();
    }
    if (node.bound < incumbent_.cutoff()) return node;
    if (watched_ != nullptr && Watches(node.alive)) NoteLoss(true, nullptr, "bound of an open node");
  }
  return std::nullopt;
}

double BranchSearch::LeastOpenBound() const {
  double least = heap_.empty() ? kInfinity : heap_.front().bound;
  for (const Node& node : stack_) least = std::min(least, node.bound);
  if (current_.has_value()) least = std::min(least, current_->bound);
  return least;
}

bool BranchSearch::GapIsSmallEnough(const BranchLimits& limits, double bound) const {
  if (limits.relative_gap <= 0 || !incumbent_.exists()) return false;
  const double value = incumbent_.scaled_value();
  const double largest = std::max(std::abs(value - limits.zero), std::abs(bound - limits.zero));
  return value - bound <= limits.relative_gap * largest;
}

BranchResult BranchSearch::Run(const BranchLimits& limits) {
  const int64_t start = nodes_;
  BranchResult result;
  for (;;) {
    if (!current_.has_value() || current_->bound >= incumbent_.cutoff()) {
      if (current_.has_value() && watched_ != nullptr && Watches(current_->alive)) NoteLoss(true, nullptr, "bound");
      current_ = NextOpen();
    }
    if (!current_.has_value()) break;
    if (const auto stopped = StopReason(context_)) {
      result.termination = *stopped;
      break;
    }
    if (nodes_ - start >= limits.max_nodes || GapIsSmallEnough(limits, LeastOpenBound())) {
      result.termination = Termination::kFeasible;
      break;
    }
    Children children = BestChildren(*current_);
    current_.reset();
    const bool both = children.left.has_value() && children.right.has_value();
    if (both && children.right->bound < children.left->bound) std::swap(children.left, children.right);
    current_ = std::move(children.left.has_value() ? children.left : children.right);
    if (both) Keep(*std::move(children.right));
  }
  result.bound = LeastOpenBound();
  result.nodes = nodes_ - start;
  return result;
}

}  // namespace bitplan::allocation
