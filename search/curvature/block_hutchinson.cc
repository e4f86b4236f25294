#include "search/curvature/block_hutchinson.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "search/base/status.h"
#include "search/curvature/probe_groups.h"

namespace bitplan::curvature {
namespace {

absl::Status CheckOperator(const BlockedOperator& A, ProbeScope scope) {
  BITPLAN_RETURN_IF_ERROR(CheckBlocks(A.slices, A.whole->dimension()));
  if (scope == ProbeScope::kAllBlocks) return absl::OkStatus();
  if (A.diagonal.size() != A.slices.size()) {
    return InvalidArgument("traces: diagonal: got {} blocks, want one a slice, {}", A.diagonal.size(), A.slices.size());
  }
  if (!A.block_costs.empty() && A.block_costs.size() != A.slices.size()) {
    return InvalidArgument("traces: block_costs: got {}, want one a slice, {}, or none", A.block_costs.size(),
                           A.slices.size());
  }
  for (size_t l = 0; l < A.diagonal.size(); ++l) {
    if (A.diagonal[l]->dimension() != A.slices[l].size) {
      return InvalidArgument("traces: diagonal[{}]: got dimension {}, want its slice's size, {}", l,
                             A.diagonal[l]->dimension(), A.slices[l].size);
    }
    if (!A.block_costs.empty() && !(A.block_costs[l] > 0 && std::isfinite(A.block_costs[l]))) {
      return InvalidArgument("traces: block_costs[{}]: got {}, want above 0", l, A.block_costs[l]);
    }
  }
  return absl::OkStatus();
}

std::string CheckpointKey(const ProbeOptions& options, std::string_view group) {
  if (options.checkpoint_key.empty()) return {};
  return fmt::format("{}/block_hutchinson/{}/{}/{}/{}/{}/{}/{}/{}", options.checkpoint_key, options.seed,
                     options.relative_error, options.small_block_fraction, options.absolute_error, options.min_probes,
                     options.max_probes, options.probes_per_check, group);
}

// All blocks as one group, or each as one.
std::vector<ProbeGroup> MakeGroups(const BlockedOperator& A, ProbeScope scope, const ProbeOptions& options) {
  std::vector<ProbeGroup> groups;
  if (scope == ProbeScope::kAllBlocks) {
    groups.push_back({.A = A.whole, .blocks = A.slices, .checkpoint_key = CheckpointKey(options, "all")});
  } else {
    for (size_t l = 0; l < A.diagonal.size(); ++l) {
      groups.push_back({.A = A.diagonal[l],
                        .blocks = {{.offset = 0, .size = A.slices[l].size}},
                        .first_stream = (l + 1) << 32,  // streams below are those of probes of all blocks
                        .checkpoint_key = CheckpointKey(options, std::to_string(l))});
    }
  }
  return groups;
}

double CostOfProbe(const BlockedOperator& A, ProbeScope scope, size_t group) {
  return scope == ProbeScope::kAllBlocks || A.block_costs.empty() ? 1 : A.block_costs[group];
}

double Spent(const BlockedOperator& A, ProbeScope scope, const std::vector<ProbeGroup>& groups) {
  double spent = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    spent += static_cast<double>(groups[g].num_probes) * CostOfProbe(A, scope, g);
  }
  return spent;
}

absl::Status Pilot(std::vector<ProbeGroup>& groups, const ProbeOptions& options, const RunContext& context) {
  for (ProbeGroup& group : groups) BITPLAN_RETURN_IF_ERROR(ProbeToNextCheck(group, groups, options, context));
  return absl::OkStatus();
}

// What reaching every target will cost in all: the error falls with the root of the number of probes.
double PredictedCost(const BlockedOperator& A, ProbeScope scope, const std::vector<ProbeGroup>& groups,
                     double largest_trace, const ProbeOptions& options) {
  double cost = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    const auto spent = static_cast<double>(groups[g].num_probes);
    double needed = spent;
    for (const Moments& moments : groups[g].moments) {
      const double error = StandardErrorOfMean(moments, groups[g].num_probes);
      const double target = TargetError(moments.mean, largest_trace, options);
      if (error > target) needed = std::max(needed, spent * std::pow(error / target, 2));
    }
    cost += std::min(needed, static_cast<double>(options.max_probes)) * CostOfProbe(A, scope, g);
  }
  return cost;
}

// The largest trace, by the group's probes of one block, which have the smaller variance.
double LargestTrace(const std::vector<ProbeGroup>& groups) {
  double largest = 0;
  for (const ProbeGroup& group : groups) largest = std::max(largest, std::abs(group.moments.front().mean));
  return largest;
}

absl::StatusOr<ScopedTraces> Finish(const BlockedOperator& A, ProbeScope scope, std::vector<ProbeGroup>& groups,
                                    const ProbeOptions& options, const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<std::vector<TraceEstimate>> estimates,
                           ProbeToTarget(groups, options, context));
  ScopedTraces result{.scope = scope, .cost = Spent(A, scope, groups)};
  for (const std::vector<TraceEstimate>& of_group : estimates) {
    result.traces.insert(result.traces.end(), of_group.begin(), of_group.end());
  }
  return result;
}

absl::StatusOr<ScopedTraces> FinishCheaper(const BlockedOperator& A, const ProbeOptions& options,
                                           const RunContext& context) {
  std::vector<ProbeGroup> all = MakeGroups(A, ProbeScope::kAllBlocks, options);
  std::vector<ProbeGroup> each = MakeGroups(A, ProbeScope::kOneBlock, options);
  BITPLAN_RETURN_IF_ERROR(Pilot(all, options, context));
  BITPLAN_RETURN_IF_ERROR(Pilot(each, options, context));
  const double largest = LargestTrace(each);
  const double cost_of_all = PredictedCost(A, ProbeScope::kAllBlocks, all, largest, options);
  const double cost_of_each = PredictedCost(A, ProbeScope::kOneBlock, each, largest, options);
  if (cost_of_each < cost_of_all) {
    BITPLAN_ASSIGN_OR_RETURN(ScopedTraces result, Finish(A, ProbeScope::kOneBlock, each, options, context));
    result.cost += Spent(A, ProbeScope::kAllBlocks, all);
    return result;
  }
  BITPLAN_ASSIGN_OR_RETURN(ScopedTraces result, Finish(A, ProbeScope::kAllBlocks, all, options, context));
  result.cost += Spent(A, ProbeScope::kOneBlock, each);
  return result;
}

}  // namespace

absl::StatusOr<ScopedTraces> HutchinsonScopedTraces(const BlockedOperator& A, ProbeScope scope,
                                                    const ProbeOptions& options, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_RETURN_IF_ERROR(CheckOperator(A, scope));
  if (scope == ProbeScope::kCheaper) return FinishCheaper(A, options, context);
  std::vector<ProbeGroup> groups = MakeGroups(A, scope, options);
  return Finish(A, scope, groups, options, context);
}

}  // namespace bitplan::curvature
