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
constexpr int64_t kNodesPerExchange = 256;
// Rounding of one reduced cost, relative to the priced values it is the difference of.
constexpr double kPricedRounding = 64 * std::numeric_limits<double>::epsilon();
constexpr int kMostSplits = 4;
// Groups are tried beside counts unless a count lifts both children by this share of the gap (geometric mean).
constexpr double kGoodRise = 0.003;
// Branchings after which the search goes back to the open node of least bound: dives find choices, not proofs.
constexpr int kLongestDive = 5;
constexpr int64_t kNodesBetweenReports = 256;
// Every other dive goes on to its end, but for so many branchings.
constexpr int kLongestFullDive = 200;
// Counts nearer to a whole number than this are whole.
constexpr double kCountShare = 1e-6;
// Shapes of fewer groups are not branched on.
constexpr int kLeastGroupsOfShape = 8;

struct ByBound {
  template <typename Node>
  bool operator()(const Node& a, const Node& b) const {
    return std::tie(a.bound, a.number) > std::tie(b.bound, b.number);
  }
};

}  // namespace

BranchSearch::BranchSearch(const Instance& instance, const MultiKnapsack& knapsack, Incumbent& incumbent,
                           const RunContext& context, WatchedChoice* watched)
    : instance_(instance),
      knapsack_(knapsack),
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
  bool has_it = std::ssize(watched_item_) == knapsack.num_groups();
  for (size_t g = 0; g < knapsack.fixed_option.size(); ++g) {
    has_it = has_it && (knapsack.fixed_option[g] < 0 || knapsack.fixed_option[g] == watched->option[g]);
  }
  if (!has_it) watched_item_.clear();
}

bool BranchSearch::Watches(const Domain& domain) const {
  if (watched_item_.empty()) return false;
  for (const CountRow& row : domain.counts) {
    int64_t count = 0;
    for (const int item : watched_item_) count += row.Counts(shapes_, knapsack_, item) ? 1 : 0;
    if (count > row.limit) return false;
  }
  return std::all_of(watched_item_.begin(), watched_item_.end(), [&](int item) { return domain.alive.Has(item); });
}

// Called for a domain that held the watched choice and goes. Rounding of its value is far below the tolerance.
void BranchSearch::NoteLoss(const char* where) {
  if (watched_value_ < incumbent_.cutoff() && watched_->lost_at.empty()) watched_->lost_at = where;
}

bool BranchSearch::Start() {
  root_bound_ = -kInfinity;
  std::optional<Node> root = Evaluate({.alive = root_items_});
  root_prices_ = simplex_.prices();
  if (!root.has_value()) {
    root_bound_ = kInfinity;
    return false;
  }
  root_bound_ = root->bound;
  if (StopReason(context_)) {
    current_ = std::move(root);
    return true;
  }
  exchange_.emplace(knapsack_, root_prices_, kExchangeItems);
  TryRoundings(root->domain.basis);
  FixItems(root->domain.alive);
  root_items_ = root->domain.alive;
  NoteRootMargins();
  current_ = std::move(root);
  return current_->bound < incumbent_.cutoff();
}

void BranchSearch::NoteRootMargins() {
  root_choice_ = KeyChoice();
  root_margins_.assign(knapsack_.num_groups(), kInfinity);
  for (int g = 0; g < open_.num_groups(); ++g) {
    const int key = root_choice_[open_.group[g]];
    for (int i = open_.first[g]; i < open_.first[g + 1]; ++i) {
      if (open_.item[i] == key || !root_items_.Has(open_.item[i])) continue;
      double& margin = root_margins_[open_.group[g]];
      margin = std::min(margin, simplex_.priced()[i] - simplex_.least()[g]);
    }
  }
}

RelaxationStatus BranchSearch::Relax(Domain& domain) {
  Basis& basis = domain.basis;
  for (const BasicColumn& column : basis.columns) {
    if (column.row < 0) keep_open_[knapsack_.group_of[column.key]] = true;
  }
  const CountLimits limits{shapes_, domain.counts};
  const bool fits = OpenWhatFits(knapsack_, limits, keep_open_, domain.alive, open_);
  for (const BasicColumn& column : basis.columns) {
    if (column.row < 0) keep_open_[knapsack_.group_of[column.key]] = false;
  }
  return fits ? simplex_.Solve(open_, limits, incumbent_.cutoff(), context_, basis) : RelaxationStatus::kInfeasible;
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

std::optional<BranchSearch::Node> BranchSearch::Evaluate(Domain domain) {
  ++nodes_;
  ItemSet& alive = domain.alive;
  const bool watches = watched_ != nullptr && Watches(domain);
  const RelaxationStatus status = Relax(domain);
  if (status == RelaxationStatus::kInfeasible || simplex_.bound() >= incumbent_.cutoff()) {
    if (watches) NoteLoss(status == RelaxationStatus::kInfeasible ? "infeasible node" : "bound");
    return std::nullopt;
  }
  if (watches && !Watches(domain)) NoteLoss("fit");
  if (exchange_.has_value()) TryRoundings(domain.basis);
  FixItems(alive);
  if (watches && !Watches(domain)) NoteLoss("reduced cost");
  if (simplex_.bound() >= incumbent_.cutoff()) return std::nullopt;
  Node node{.bound = simplex_.bound(), .number = next_number_++};
  node.splits = Splits(domain);
  if (node.splits.empty() && OfferLastChoice(alive)) {
    if (watches) NoteLoss("last choice");
    return std::nullopt;
  }
  node.domain = std::move(domain);
  return node;
}

// Items of the group on the cheap side of the mean cost of the relaxation's shares, at the node's prices.
BranchSearch::Split BranchSearch::SplitByShares(const ItemSet& alive,
                                                std::span<const std::pair<int, double>> shares) const {
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
  if (!divides || left.empty() || others == 0) return {.left = {shares[0].first}};
  return {.left = std::move(left)};
}

// For a relaxation without split groups (whole, or given up): the open group whose second best item is nearest.
BranchSearch::Split BranchSearch::SplitWithoutShares(const ItemSet& alive) const {
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
  return {.left = {taken}};
}

// How many groups the relaxation has in a count.
double BranchSearch::CountOf(const CountRow& row, const Basis& basis) const {
  const auto counts = [&](int item) { return row.Counts(shapes_, knapsack_, item) ? 1.0 : 0.0; };
  double count = 0;
  for (const int item : open_.fixed_item) count += counts(item);
  for (const int key : simplex_.key_item()) count += counts(key);
  for (size_t p = 0; p < basis.columns.size(); ++p) {
    const BasicColumn& column = basis.columns[p];
    if (column.row < 0) count += simplex_.share()[p] * (counts(column.item) - counts(column.key));
  }
  return count;
}

// Counts that the relaxation has at a fraction, the nearest to a half first. A threshold between the costs of two items
// of a split group is the only kind that can be.
std::vector<BranchSearch::Split> BranchSearch::CountSplits(const Basis& basis) const {
  if (shapes_.num_shapes() == 0) return {};
  std::vector<CountRow> rows;
  for (const BasicColumn& column : basis.columns) {
    if (column.row >= 0) continue;
    const int shape = shapes_.shape[knapsack_.group_of[column.key]];
    for (int r = 0; r < shapes_.num_rows && shape >= 0; ++r) {
      const int64_t of_item = shapes_.raw_cost[static_cast<size_t>(column.item) * shapes_.num_rows + r];
      const int64_t of_key = shapes_.raw_cost[static_cast<size_t>(column.key) * shapes_.num_rows + r];
      if (!shapes_.regular[r] || of_item == of_key) continue;
      const CountRow row{.shape = shape, .row = r, .threshold = std::min(of_item, of_key)};
      const bool known =
          std::any_of(rows.begin(), rows.end(), [&](const CountRow& other) { return row.SameCount(other); });
      if (!known) rows.push_back(row);
    }
  }
  std::vector<std::pair<double, CountRow>> found;
  for (CountRow row : rows) {
    const double count = CountOf(row, basis);
    const double fraction = count - std::floor(count);
    if (fraction < kCountShare || fraction > 1 - kCountShare) continue;
    row.limit = static_cast<int64_t>(std::floor(count));
    found.emplace_back(std::abs(fraction - 0.5), row);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Split> splits;
  for (const auto& [distance, row] : found) {
    if (splits.size() < kMostSplits) splits.push_back({.count = row});
  }
  return splits;
}

std::vector<BranchSearch::Split> BranchSearch::Splits(const Domain& domain) const {
  std::vector<Split> splits = CountSplits(domain.basis);
  std::vector<Split> groups = GroupSplits(domain);
  splits.insert(splits.end(), groups.begin(), groups.end());
  return splits;
}

std::vector<BranchSearch::Split> BranchSearch::GroupSplits(const Domain& domain) const {
  const ItemSet& alive = domain.alive;
  const Basis& basis = domain.basis;
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
  std::vector<Split> splits;
  for (const Candidate& candidate : candidates) {
    if (splits.size() < kMostSplits) splits.push_back(SplitByShares(alive, candidate.shares));
  }
  if (splits.empty()) {
    if (Split split = SplitWithoutShares(alive); !split.left.empty()) splits.push_back(std::move(split));
  }
  return splits;
}

void BranchSearch::Improve(std::vector<int> choice, bool fits) {
  if (!fits && !exchange_->Repair(choice)) return;
  exchange_->Improve(choice);
  incumbent_.Offer(knapsack_, choice);
}

// The relaxation's choice with split groups at their key items; item of each group.
std::vector<int> BranchSearch::KeyChoice() const {
  std::vector<int> choice(knapsack_.num_groups(), -1);
  for (const int item : open_.fixed_item) choice[knapsack_.group_of[item]] = item;
  for (int g = 0; g < open_.num_groups(); ++g) choice[open_.group[g]] = simplex_.key_item()[g];
  return choice;
}

// Items of each split group, the key item first.
std::vector<std::vector<int>> BranchSearch::SplitItems(const Basis& basis) {
  std::vector<std::vector<int>> split;
  for (const BasicColumn& column : basis.columns) {
    if (column.row >= 0) continue;
    auto same = std::find_if(split.begin(), split.end(), [&](const auto& items) { return items[0] == column.key; });
    if (same == split.end()) same = split.insert(same, {column.key});
    same->push_back(column.item);
  }
  return split;
}

// The best combination of items of the split groups that keeps the rows; empty: none of those tried.
std::vector<int> BranchSearch::BestRounding(const std::vector<std::vector<int>>& split, double& best_value) const {
  std::vector<int64_t> spare(open_.spare.begin(), open_.spare.begin() + knapsack_.num_rows);
  double value = open_.fixed_value;
  for (const int item : simplex_.key_item()) {
    value += knapsack_.value[item];
    const int64_t* cost = knapsack_.CostOf(item).data();
    for (int r = 0; r < knapsack_.num_rows; ++r) spare[r] -= cost[r];
  }
  std::vector<int> best;
  std::vector<size_t> digit(split.size(), 0);
  std::vector<int64_t> left;
  for (int round = 0; round < kMostRoundings; ++round) {
    double changed = value;
    left = spare;
    for (size_t s = 0; s < split.size(); ++s) {
      const int before = split[s][0];
      const int after = split[s][digit[s]];
      changed += knapsack_.value[after] - knapsack_.value[before];
      for (int r = 0; r < knapsack_.num_rows; ++r) left[r] += knapsack_.CostOf(before)[r] - knapsack_.CostOf(after)[r];
    }
    if (changed < best_value && std::all_of(left.begin(), left.end(), [](int64_t rest) { return rest >= 0; })) {
      best_value = changed;
      best.clear();
      for (size_t s = 0; s < split.size(); ++s) best.push_back(split[s][digit[s]]);
      if (split.empty()) best = {-1};
    }
    size_t s = 0;
    while (s < split.size() && ++digit[s] == split[s].size()) digit[s++] = 0;
    if (s == split.size()) break;
  }
  return best;
}

void BranchSearch::TryRoundings(const Basis& basis) {
  double value = kInfinity;
  const std::vector<int> rounding = BestRounding(SplitItems(basis), value);
  const bool better = value < incumbent_.scaled_value();
  const bool exchange = exchange_.has_value() && (nodes_ <= kNodesWithExchange || nodes_ % kNodesPerExchange == 0);
  if (!better && !exchange) return;
  std::vector<int> choice = KeyChoice();
  for (const int item : rounding) {
    if (item >= 0) choice[knapsack_.group_of[item]] = item;
  }
  if (better) incumbent_.Offer(knapsack_, choice);
  if (exchange) Improve(std::move(choice), !rounding.empty());
}

// A new limit begins with its slack in the basis.
void BranchSearch::LimitCount(const Split& split, bool left, Domain& domain) const {
  CountRow row = split.count;
  row.dearer = !left;
  if (!left) row.limit = shapes_.num_groups[row.shape] - row.limit - 1;
  for (CountRow& other : domain.counts) {
    if (!other.SameCount(row)) continue;
    other.limit = std::min(other.limit, row.limit);
    return;
  }
  domain.basis.columns.push_back({.row = knapsack_.num_rows + static_cast<int>(domain.counts.size())});
  domain.counts.push_back(row);
}

BranchSearch::Children BranchSearch::Branch(const Node& node, const Split& split) {
  Domain left = node.domain;
  Domain right = node.domain;
  if (split.left.empty()) {
    LimitCount(split, true, left);
    LimitCount(split, false, right);
  } else {
    const int g = knapsack_.group_of[split.left[0]];
    for (int i = knapsack_.first[g]; i < knapsack_.first[g + 1]; ++i) {
      const bool goes_left = std::find(split.left.begin(), split.left.end(), i) != split.left.end();
      (goes_left ? right : left).alive.Remove(i);
    }
  }
  Children children;
  children.left = Evaluate(std::move(left));
  children.right = Evaluate(std::move(right));
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
  const double enough = kGoodRise * std::max(incumbent_.cutoff() - node.bound, 0.0);
  for (const Split& split : node.splits) {
    const bool counts_came_first = !split.left.empty() && node.splits[0].left.empty();
    if (counts_came_first && best.score > enough * enough) break;
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
    if (watched_ != nullptr && Watches(node.domain)) NoteLoss("bound of an open node");
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

// False: there is nothing to count. Looks at the root again, now for splits by counts.
bool BranchSearch::FindCounts() {
  shapes_ = FindShapes(instance_, knapsack_, kLeastGroupsOfShape);
  if (shapes_.num_shapes() == 0) return false;
  if (current_.has_value()) {
    const Domain root = current_->domain;
    current_ = Evaluate(root);
  }
  return true;
}

BranchResult BranchSearch::Run(const BranchLimits& limits) {
  const int64_t start = nodes_;
  int64_t reports = 0;
  BranchResult result;
  if (limits.by_counts && !FindCounts()) return {Termination::kFeasible, LeastOpenBound(), 0};
  for (;;) {
    if (!current_.has_value() || current_->bound >= incumbent_.cutoff()) {
      if (current_.has_value() && watched_ != nullptr && Watches(current_->domain)) NoteLoss("bound");
      current_ = NextOpen();
      dive_ = 0;
      longest_dive_ = ++dives_ % 2 == 1 ? kLongestFullDive : kLongestDive;
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
    if ((nodes_ - start) / kNodesBetweenReports > reports) {
      reports = (nodes_ - start) / kNodesBetweenReports;
      context_.Report({.stage = "solve", .probes = nodes_ - start, .bound = LeastOpenBound()});
    }
    Children children = BestChildren(*current_);
    current_.reset();
    const bool both = children.left.has_value() && children.right.has_value();
    if (both && children.right->bound < children.left->bound) std::swap(children.left, children.right);
    current_ = std::move(children.left.has_value() ? children.left : children.right);
    if (both) Keep(*std::move(children.right));
    if (current_.has_value() && ++dive_ >= longest_dive_) {
      Keep(*std::move(current_));
      current_.reset();
    }
  }
  result.bound = LeastOpenBound();
  result.nodes = nodes_ - start;
  return result;
}

}  // namespace bitplan::allocation
