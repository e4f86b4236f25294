#include "server/service/plans.h"

#include <fmt/chrono.h>

#include <cmath>
#include <ctime>

#include "proto/convert/field_path.h"
#include "proto/convert/frontier.h"
#include "proto/convert/plan.h"
#include "proto/convert/ties.h"
#include "proto/convert/top_plans.h"
#include "search/base/status.h"
#include "search/plan/plan_json.h"
#include "server/service/measurements.h"
#include "server/service/names.h"
#include "server/service/profiles.h"
#include "server/service/resources.h"

namespace bitplan::service {
namespace {

std::string NowAsText() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

void SetSeconds(double seconds, google::protobuf::Duration* duration) {
  const double whole = std::floor(seconds);
  duration->set_seconds(static_cast<int64_t>(whole));
  duration->set_nanos(static_cast<int32_t>((seconds - whole) * 1e9));
}

v1::SearchConfig FillIn(const v1::SearchConfig& given, const SearchRequest& request) {
  v1::SearchConfig config;
  if (!given.has_profile_json()) config.set_profile(request.profile.name);
  if (given.profile().find('/') != std::string::npos) config.set_profile(given.profile());
  for (const BudgetSpec& budget : request.budgets) *config.add_budgets() = convert::FromBudget(budget);
  convert::FromTies(request.ties, config.mutable_ties());
  config.set_leave_out_unpriced(request.leave_out_unpriced);
  config.set_repair_monotonicity(request.repair_monotonicity);
  for (const WidthRule& rule : request.rules) *config.add_rules() = convert::FromWidthRule(rule);
  config.set_untie_activations(request.untie_activations);
  config.set_robustness_resamples(request.robustness_resamples);
  config.set_runtime(given.runtime());
  config.set_runtime_json(given.runtime_json());
  config.mutable_solver()->set_solver(request.solver.solver);
  config.mutable_solver()->set_relative_gap(request.solver.relative_gap);
  config.mutable_solver()->set_node_limit(request.solver.node_limit);
  SetSeconds(*request.solver.time_limit_s, config.mutable_solver()->mutable_time_limit());
  return config;
}

}  // namespace

absl::StatusOr<PreparedSearch> PrepareSearch(Backend& backend, std::string_view project, const v1::SearchConfig& config,
                                             double default_time_limit_s) {
  PreparedSearch search;
  BITPLAN_ASSIGN_OR_RETURN(search.request, convert::ToSearchRequest(config, default_time_limit_s));
  BITPLAN_ASSIGN_OR_RETURN(search.request.profile, ResolveProfile(backend, project, config));
  search.request.created = NowAsText();
  BITPLAN_RETURN_IF_ERROR(pipeline::ValidateSearchRequest(search.request));
  search.config = FillIn(config, search.request);
  return search;
}

absl::StatusOr<PreparedFrontier> PrepareFrontier(Backend& backend, std::string_view project,
                                                 const v1::ComputeFrontierRequest& request,
                                                 double default_time_limit_s) {
  PreparedFrontier frontier;
  BITPLAN_ASSIGN_OR_RETURN(frontier.request, convert::ToFrontierSearch(request, default_time_limit_s));
  auto profile = ResolveProfile(backend, project, request.config());
  if (!profile.ok()) return convert::AtField("config", profile.status());
  frontier.request.search.profile = *std::move(profile);
  const absl::Status valid = pipeline::ValidateFrontierSearch(frontier.request);
  if (!valid.ok()) return MessageOf(valid).starts_with("budgets") ? convert::AtField("config", valid) : valid;
  frontier.config = FillIn(request.config(), frontier.request.search);
  return frontier;
}

absl::StatusOr<PreparedTopPlans> PrepareTopPlans(Backend& backend, std::string_view project,
                                                 const v1::FindTopPlansRequest& request, double default_time_limit_s) {
  PreparedTopPlans prepared{.request = {.search = {}, .top = convert::ToTopChoices(request)}, .config = {}};
  BITPLAN_RETURN_IF_ERROR(allocation::Validate(prepared.request.top));
  auto search = PrepareSearch(backend, project, request.config(), default_time_limit_s);
  if (!search.ok()) return convert::AtField("config", search.status());
  prepared.request.search = std::move(search->request);
  prepared.config = std::move(search->config);
  const absl::Status valid = pipeline::ValidateTopPlansSearch(prepared.request);
  if (!valid.ok()) return convert::AtField("config", valid);
  return prepared;
}

absl::StatusOr<SolvedPlan> SolveOn(Backend& backend, const store::Resource& measurement, const PreparedSearch& search,
                                   const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const Measurement measured, LoadMeasurement(backend, measurement));
  SolvedPlan solved;
  BITPLAN_ASSIGN_OR_RETURN(solved.plan, pipeline::Search(measured, search.request, context));
  solved.message = convert::FromPlan(solved.plan);
  solved.message.set_measurement(store::ResourceName(measurement.key));
  *solved.message.mutable_config() = search.config;
  return solved;
}

absl::StatusOr<v1::Plan> CheckSearchOn(Backend& backend, const store::Resource& measurement,
                                       const PreparedSearch& search) {
  BITPLAN_ASSIGN_OR_RETURN(const Measurement measured, LoadMeasurement(backend, measurement));
  BITPLAN_ASSIGN_OR_RETURN(const CostTable costs, pipeline::PriceMeasurement(measured, search.request));
  BITPLAN_ASSIGN_OR_RETURN(const BuiltProblem built, pipeline::BuildProblem(measured, costs, search.request));
  BITPLAN_RETURN_IF_ERROR(allocation::Validate(built.problem));
  v1::Plan message;
  message.set_measurement(store::ResourceName(measurement.key));
  *message.mutable_config() = search.config;
  for (size_t i = 0; i < built.limits.size(); ++i) {
    auto* report = message.add_budgets();
    report->set_resource(std::string(ToString(search.request.budgets[i].resource)));
    report->set_spec(pipeline::FormatBudget(search.request.budgets[i]));
    report->set_limit(built.limits[i]);
  }
  return message;
}

absl::StatusOr<store::Resource> StorePlan(Backend& backend, std::string_view project, const SolvedPlan& solved) {
  v1::Plan message = solved.message;
  message.clear_choices();
  store::Resource resource{
      .key = {.project = std::string(project), .collection = "plans", .id = IdOfDigest(solved.plan.fingerprint)},
      .payload = SerializeDeterministically(message)};
  return CreateWithBlob(backend, std::move(resource), plan::ToJson(solved.plan), {});
}

absl::StatusOr<Plan> LoadPlan(Backend& backend, const store::Resource& resource) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string json, backend.artifacts->Read(resource.digest));
  auto plan = plan::ParsePlan(json);
  if (!plan.ok()) return DataLoss("file of {}: {}", store::ResourceName(resource.key), MessageOf(plan.status()));
  return plan;
}

}  // namespace bitplan::service
