#include "search/sensitivity/monotone.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/sensitivity/method_table.h"

namespace bitplan::sensitivity {
namespace {

// Consecutive scores that share a value.
struct Pool {
  double value = 0;
  double weight = 1;
  size_t count = 1;
};

// As a convex combination: neither sums nor products of large scores overflow.
Pool Joined(const Pool& a, const Pool& b) {
  const double share = a.weight / (a.weight + b.weight);
  return {.value = share * a.value + (1 - share) * b.value, .weight = a.weight + b.weight, .count = a.count + b.count};
}

// The non-increasing sequence that is nearest to `values`.
std::vector<double> NonIncreasing(std::span<const double> values, std::span<const double> weights) {
  std::vector<Pool> pools;
  for (size_t i = 0; i < values.size(); ++i) {
    pools.push_back({.value = values[i], .weight = weights[i]});
    while (pools.size() > 1 && pools[pools.size() - 2].value < pools.back().value) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back() = Joined(pools.back(), last);
    }
  }
  std::vector<double> fitted;
  for (const Pool& pool : pools) fitted.insert(fitted.end(), pool.count, pool.value);
  return fitted;
}

// Columns of options that differ in weight bits only, by ascending bits.
std::vector<std::vector<size_t>> FamiliesOf(const std::vector<Option>& options) {
  std::map<std::string, std::vector<size_t>> families;  // by label without weight bits
  for (size_t k = 0; k < options.size(); ++k) {
    Option family = options[k];
    family.weight_bits = 0;
    families[Label(family)].push_back(k);
  }
  std::vector<std::vector<size_t>> columns;
  for (auto& [label, of_family] : families) {
    std::ranges::stable_sort(of_family, {}, [&](size_t k) { return options[k].weight_bits; });
    columns.push_back(std::move(of_family));
  }
  return columns;
}

// 1 / error^2 relative to the largest, so that errors of any size have a weight; all 1 where an error is not known.
std::vector<double> WeightsOf(const std::vector<double>& errors, const std::vector<size_t>& columns) {
  std::vector<double> weights(columns.size(), 1);
  if (errors.empty()) return weights;
  double least = std::numeric_limits<double>::infinity();
  for (const size_t k : columns) least = std::min(least, errors[k]);
  if (!(least > 0) || !std::isfinite(least)) return weights;
  for (size_t i = 0; i < columns.size(); ++i) {
    const double ratio = least / errors[columns[i]];
    weights[i] = std::max(ratio * ratio, std::numeric_limits<double>::min());
  }
  return weights;
}

void RepairLayer(const std::vector<Option>& options, const std::vector<double>& errors, std::vector<double>& score,
                 MonotoneRepair& repair) {
  const int changed_before = repair.num_changed;
  for (const std::vector<size_t>& columns : FamiliesOf(options)) {
    std::vector<double> values;
    values.reserve(columns.size());
    for (const size_t k : columns) values.push_back(score[k]);
    const std::vector<double> fitted = NonIncreasing(values, WeightsOf(errors, columns));
    for (size_t i = 0; i < columns.size(); ++i) {
      if (fitted[i] == values[i]) continue;
      ++repair.num_changed;
      repair.largest_change = std::max(repair.largest_change, std::abs(fitted[i] - values[i]));
      score[columns[i]] = fitted[i];
    }
  }
  if (repair.num_changed > changed_before) ++repair.num_layers;
}

absl::Status CheckSizes(const OptionTable& options, const SensitivityTable& table) {
  if (table.score.size() != options.options.size()) {
    return InvalidArgument("sensitivity.score: got {} layers, the options have {}", table.score.size(),
                           options.options.size());
  }
  for (size_t l = 0; l < table.score.size(); ++l) {
    const size_t wanted = options.options[l].size();
    if (table.score[l].size() != wanted) {
      return InvalidArgument("sensitivity.score[{}]: got {} options, want {}", l, table.score[l].size(), wanted);
    }
    if (table.standard_error.empty()) continue;
    if (l < table.standard_error.size() && table.standard_error[l].size() == wanted) continue;
    return InvalidArgument("sensitivity.standard_error[{}]: wants an entry for each of {} options", l, wanted);
  }
  return absl::OkStatus();
}

absl::Status NotASum(std::string_view method) {
  return InvalidArgument(
      "repair_monotonicity: method '{}' predicts whole plans, not sums of scores: there is nothing to repair; leave it "
      "out, or measure by a method whose scores add up, such as measured_loss",
      method);
}

}  // namespace

absl::StatusOr<MonotoneRepair> RepairMonotonicity(const OptionTable& options, SensitivityTable table) {
  if (table.responses) return NotASum(table.method);
  BITPLAN_RETURN_IF_ERROR(CheckSizes(options, table));
  MonotoneRepair repair{.table = std::move(table)};
  const std::vector<double> unknown;
  for (size_t l = 0; l < options.options.size(); ++l) {
    const bool has_errors = !repair.table.standard_error.empty();
    RepairLayer(options.options[l], has_errors ? repair.table.standard_error[l] : unknown, repair.table.score[l],
                repair);
  }
  return repair;
}

absl::Status CheckRepairable(std::string_view method) {
  BITPLAN_ASSIGN_OR_RETURN(const MethodEntry entry, FindMethod(method));
  return entry.predicts_plans ? NotASum(method) : absl::OkStatus();
}

std::string Describe(const MonotoneRepair& repair) {
  if (repair.num_changed == 0) return {};
  return fmt::format(
      "monotonicity was repaired: {} score{} in {} layer{} changed, by at most {:.3g}, so that more "
      "weight bits are never predicted to be worse",
      repair.num_changed, repair.num_changed == 1 ? "" : "s", repair.num_layers, repair.num_layers == 1 ? "" : "s",
      repair.largest_change);
}

}  // namespace bitplan::sensitivity
