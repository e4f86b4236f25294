#include "search/pipeline/run_frontier.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "search/base/status.h"
#include "search/pipeline/predicted_loss.h"
#include "search/pipeline/repair.h"
#include "search/sensitivity/plan_predictor.h"

namespace bitplan::pipeline {
namespace {

// What one frontier is computed from.
struct Task {
  const Measurement& measured;
  const FrontierSearch& request;
  const RunContext& context;
  const FrontierListener& listener;
};

absl::Status CheckPriced(const CostTable& costs, Resource resource) {
  std::string known;
  for (const PricedResource& priced : costs.resources) {
    if (priced.resource == resource) return absl::OkStatus();
    known += fmt::format("{}{}", known.empty() ? "" : ", ", ToString(priced.resource));
  }
  return InvalidArgument("resource: got {}, profile '{}' prices {}", ToString(resource), costs.profile, known);
}

absl::StatusOr<FrontierRequest> MakeRequest(const Task& task, const CostTable& costs, int resource) {
  FrontierRequest request{
      .resource = resource, .num_points = task.request.num_points, .complete = task.request.complete};
  for (size_t i = 0; i < task.request.limits.size(); ++i) {
    const auto limit = ResolveBudget(task.request.limits[i], task.measured.layers, task.measured.options, costs);
    if (!limit.ok()) return WithContext(limit.status(), fmt::format("limits[{}]", i));
    request.limits.push_back(*limit);
  }
  return request;
}

FrontierTerms TermsOf(const Task& task, const BuiltProblem& built) {
  FrontierTerms terms{.resource = task.request.resource};
  for (const std::string& name : built.problem.resources) {
    terms.resources.push_back(*std::ranges::find(kResources, name, &ResourceKey));
  }
  for (size_t i = 0; i < built.kept.size(); ++i) {
    terms.layers.push_back(task.measured.layers.layers[i].name);
    std::vector<Option>& options = terms.options.emplace_back();
    for (const int k : built.kept[i]) options.push_back(task.measured.options.options[i][k]);
  }
  if (task.measured.sensitivity.responses) terms.predictor = ToString(task.measured.sensitivity.responses->form);
  return terms;
}

absl::StatusOr<Frontier> Solve(const Task& task, const BuiltProblem& built, const FrontierRequest& request) {
  const SolverOptions& options = task.request.search.solver;
  if (!task.measured.sensitivity.responses) {
    return allocation::ComputeFrontier(built.problem, request, options, task.context, task.listener.on_point);
  }
  BITPLAN_ASSIGN_OR_RETURN(const PlanPredictor predictor, PlanPredictor::Create(*task.measured.sensitivity.responses));
  return allocation::ComputeConvexFrontier(built.problem, PredictedLoss(predictor, built),
                                           UniformChoices(task.measured, built), request, options, task.context,
                                           task.listener.on_point);
}

absl::StatusOr<LossFrontier> Compute(const Task& task) {
  task.context.Report({.stage = "price"});
  BITPLAN_ASSIGN_OR_RETURN(const CostTable costs, PriceMeasurement(task.measured, SearchOfFrontier(task.request)));
  BITPLAN_RETURN_IF_ERROR(CheckPriced(costs, task.request.resource));
  if (task.request.resource == Resource::kMemory && costs.peak_memory) {
    return Unimplemented("resource: memory is a maximum over the execution here, and frontiers are of sums");
  }
  BITPLAN_ASSIGN_OR_RETURN(BuiltProblem built, BuildProblem(task.measured, costs, SearchOfFrontier(task.request)));
  const int swept = built.problem.budgets.back().resource;
  built.problem.budgets.pop_back();
  BITPLAN_ASSIGN_OR_RETURN(const FrontierRequest request, MakeRequest(task, costs, swept));
  LossFrontier found{.terms = TermsOf(task, built)};
  if (task.listener.on_terms) task.listener.on_terms(found.terms);
  task.context.Report({.stage = "frontier"});
  BITPLAN_ASSIGN_OR_RETURN(found.frontier, Solve(task, built, request));
  return found;
}

}  // namespace

SearchRequest SearchOfFrontier(const FrontierSearch& request) {
  SearchRequest search = request.search;
  search.budgets.push_back(
      {.resource = request.resource, .amount = AbsoluteLimit{std::numeric_limits<int64_t>::max()}});
  return search;
}

absl::Status ValidateFrontierSearch(const FrontierSearch& request) {
  for (size_t b = 0; b < request.search.budgets.size(); ++b) {
    if (request.search.budgets[b].resource != request.resource) continue;
    return InvalidArgument("budgets[{}]: got one for {}, the resource of the frontier", b, ToString(request.resource));
  }
  for (size_t i = 0; i < request.limits.size(); ++i) {
    if (request.limits[i].resource != request.resource) {
      return InvalidArgument("limits[{}]: got one for {}, want {}", i, ToString(request.limits[i].resource),
                             ToString(request.resource));
    }
    const absl::Status valid = ValidateBudget(request.limits[i]);
    if (!valid.ok()) return WithContext(valid, fmt::format("limits[{}]", i));
  }
  if (request.complete && !request.limits.empty()) {
    return InvalidArgument("limits: got {}, want none for a complete front", request.limits.size());
  }
  if (std::ssize(request.limits) > kMostFrontierPoints) {
    return InvalidArgument("limits: got {}, want at most {}", request.limits.size(), kMostFrontierPoints);
  }
  if (request.num_points < 2 || request.num_points > kMostFrontierPoints) {
    return InvalidArgument("num_points: got {}, want 2..{}", request.num_points, kMostFrontierPoints);
  }
  return ValidateSearchRequest(SearchOfFrontier(request));
}

absl::StatusOr<LossFrontier> ComputeFrontier(const Measurement& measured, const FrontierSearch& request,
                                             const RunContext& context, const FrontierListener& listener) {
  BITPLAN_RETURN_IF_ERROR(ValidateFrontierSearch(request));
  BITPLAN_ASSIGN_OR_RETURN(const std::optional<Measurement> repaired, Repair(measured, request.search));
  return Compute({repaired ? *repaired : measured, request, context, listener});
}

}  // namespace bitplan::pipeline
