#include "proto/convert/plan.h"

#include "proto/convert/field_path.h"
#include "proto/convert/options.h"
#include "proto/convert/ties.h"
#include "search/allocation/solver_table.h"
#include "search/base/status.h"
#include "search/hardware/shipped_runtimes.h"

namespace bitplan::convert {
namespace {

constexpr std::string_view kAutoSolver = "auto";

InterpolatedLimit ToInterpolated(const v1::Interpolation& message) {
  InterpolatedLimit limit{.fraction = message.fraction()};
  if (message.low_bits() != 0) limit.low_bits = message.low_bits();
  if (message.high_bits() != 0) limit.high_bits = message.high_bits();
  return limit;
}

absl::Status SetAmount(const v1::Budget& message, BudgetSpec& spec) {
  switch (message.amount_case()) {
    case v1::Budget::kLimit:
      if (message.limit() < 0) return InvalidArgument("limit: got {}, want >= 0", message.limit());
      spec.amount = AbsoluteLimit{message.limit()};
      return absl::OkStatus();
    case v1::Budget::kRelativeToUniform8:
      spec.amount = RelativeLimit{message.relative_to_uniform_8()};
      return absl::OkStatus();
    case v1::Budget::kInterpolation:
      spec.amount = ToInterpolated(message.interpolation());
      return absl::OkStatus();
    case v1::Budget::kDevice:
      if (!message.device()) return InvalidArgument("device: got false, want true or another amount");
      spec.amount = DeviceLimit{};
      return absl::OkStatus();
    case v1::Budget::AMOUNT_NOT_SET:
      break;
  }
  return InvalidArgument("amount: got nothing, want limit, relative_to_uniform_8, interpolation or device");
}

std::string_view AmountField(const BudgetSpec& spec) {
  if (std::holds_alternative<RelativeLimit>(spec.amount)) return "relative_to_uniform_8";
  if (std::holds_alternative<DeviceLimit>(spec.amount)) return "device";
  return std::holds_alternative<InterpolatedLimit>(spec.amount) ? "interpolation" : "limit";
}

double SecondsOf(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + 1e-9 * duration.nanos();
}

absl::Status CheckTimeLimit(double seconds) {
  if (seconds > 0 && seconds <= kMaxTimeLimitSeconds) return absl::OkStatus();
  return InvalidArgument("time_limit: got {} s, want more than 0 and at most {} s", seconds, kMaxTimeLimitSeconds);
}

void FromPlanOption(const PlanOption& option, v1::PlanAlternative* message) {
  *message->mutable_option() = FromOption(option.option);
  message->set_sensitivity(option.sensitivity);
  message->set_standard_error(option.standard_error);
  FromCosts(option.costs, message->mutable_costs());
}

void FromPlanLayer(const PlanLayer& layer, v1::PlanChoice* message) {
  message->set_layer(layer.layer.name);
  message->set_kind(std::string(ToString(layer.layer.kind)));
  message->set_num_weights(layer.layer.num_weights);
  message->set_macs(layer.layer.macs);
  if (layer.chosen) {
    *message->mutable_option() = FromOption(layer.chosen->option);
    message->set_sensitivity(layer.chosen->sensitivity);
    message->set_standard_error(layer.chosen->standard_error);
    FromCosts(layer.chosen->costs, message->mutable_costs());
    for (const auto& [resource, source] : layer.chosen->cost_sources) {
      (*message->mutable_cost_sources())[std::string(ToString(resource))] = ToString(source);
    }
  }
  if (layer.keep_probability) message->set_keep_probability(*layer.keep_probability);
  if (layer.value_of_information) message->set_value_of_information(*layer.value_of_information);
  for (const PlanOption& other : layer.alternatives) FromPlanOption(other, message->add_alternatives());
}

void FromPlanBudget(const PlanBudget& budget, v1::BudgetReport* message) {
  message->set_resource(std::string(ToString(budget.resource)));
  message->set_spec(budget.spec);
  message->set_limit(budget.limit);
  message->set_used(budget.used);
  message->set_slack(budget.slack);
  message->set_least_achievable(budget.least_achievable);
  if (budget.multiplier) message->set_multiplier(*budget.multiplier);
  message->set_at_least(budget.sense == BudgetSense::kAtLeast);
  message->set_most_achievable(budget.most_achievable);
}

void FromInfeasibility(const PlanInfeasibility& infeasibility, v1::Infeasibility* message) {
  message->set_joint(infeasibility.joint);
  message->set_rules_conflict(infeasibility.rules_conflict);
  for (const PlanShortage& shortage : infeasibility.shortages) {
    auto* entry = message->add_shortages();
    entry->set_resource(std::string(ToString(shortage.resource)));
    if (shortage.least_achievable) entry->set_least_achievable(*shortage.least_achievable);
    if (shortage.short_by) entry->set_short_by(*shortage.short_by);
    entry->set_at_least(shortage.sense == BudgetSense::kAtLeast);
  }
}

void FromProvenance(const PlanProvenance& provenance, v1::Provenance* message) {
  message->set_model_digest(provenance.model_digest);
  message->set_dataset_digest(provenance.dataset_digest);
  message->set_measurement_digest(provenance.measurement_digest);
  message->set_profile(provenance.profile);
  message->set_profile_digest(provenance.profile_digest);
  message->set_seed(provenance.seed);
  message->set_bitplan_version(provenance.bitplan_version);
  message->set_method(provenance.method);
  message->set_loss(provenance.loss);
  if (provenance.activations_scored) message->set_activations_scored(*provenance.activations_scored);
  message->mutable_versions()->insert(provenance.versions.begin(), provenance.versions.end());
  message->mutable_origin()->insert(provenance.origin.begin(), provenance.origin.end());
  for (const auto& [resource, source] : provenance.cost_sources) {
    (*message->mutable_cost_sources())[std::string(ToString(resource))] = source;
  }
}

v1::PlanRuntime FromRuntime(const PlanRuntime& runtime) {
  v1::PlanRuntime message;
  message.set_name(runtime.name);
  message.set_version(runtime.version);
  message.set_digest(runtime.digest);
  for (const RuntimeGroup& group : runtime.groups) {
    auto* entry = message.add_groups();
    entry->set_rule(group.rule);
    for (const Agreement agreement : group.agree) entry->add_agree(std::string(ToString(agreement)));
    entry->mutable_layers()->Add(group.layers.begin(), group.layers.end());
  }
  message.mutable_unseen()->Add(runtime.unseen.begin(), runtime.unseen.end());
  return message;
}

absl::StatusOr<std::optional<RuntimeRules>> ToRuntime(const v1::SearchConfig& message) {
  if (message.runtime().empty() && message.runtime_json().empty()) return std::nullopt;
  if (!message.runtime().empty() && !message.runtime_json().empty()) {
    return InvalidArgument("runtime: got a name and runtime_json, want one of them");
  }
  const bool is_own = !message.runtime_json().empty();
  absl::StatusOr<RuntimeRules> rules =
      is_own ? hardware::ParseRuntime(message.runtime_json()) : hardware::FindShippedRuntime(message.runtime());
  if (!rules.ok()) return rules.status();
  return std::optional(*std::move(rules));
}

void FromUniform(const std::map<int, Costs>& uniform, v1::Plan* message) {
  for (const auto& [bits, totals] : uniform) {
    auto* entry = message->add_uniform();
    entry->set_bits(bits);
    FromCosts(totals, entry->mutable_totals());
  }
}

}  // namespace

absl::StatusOr<BudgetSpec> ToBudget(const v1::Budget& message) {
  BudgetSpec spec;
  BITPLAN_ASSIGN_OR_RETURN(spec.resource, ParseResource(message.resource()));
  BITPLAN_RETURN_IF_ERROR(SetAmount(message, spec));
  if (message.at_least()) spec.sense = BudgetSense::kAtLeast;
  BITPLAN_RETURN_IF_ERROR(AtBudget(AmountField(spec), spec, pipeline::ValidateBudget(spec)));
  return spec;
}

absl::Status AtBudget(std::string_view field, const BudgetSpec& spec, const absl::Status& status) {
  const std::string message = MessageOf(status);
  const std::string core = fmt::format("budget '{}': ", pipeline::FormatBudget(spec));
  if (status.ok() || !message.starts_with(core)) return status;
  return absl::Status(status.code(), fmt::format("{}: {}", field, std::string_view(message).substr(core.size())));
}

v1::Budget FromBudget(const BudgetSpec& spec) {
  v1::Budget message;
  message.set_resource(std::string(ToString(spec.resource)));
  message.set_at_least(spec.sense == BudgetSense::kAtLeast);
  if (const auto* absolute = std::get_if<AbsoluteLimit>(&spec.amount)) {
    message.set_limit(absolute->limit);
  } else if (const auto* relative = std::get_if<RelativeLimit>(&spec.amount)) {
    message.set_relative_to_uniform_8(relative->factor);
  } else if (const auto* interpolated = std::get_if<InterpolatedLimit>(&spec.amount)) {
    message.mutable_interpolation()->set_low_bits(interpolated->low_bits);
    message.mutable_interpolation()->set_high_bits(interpolated->high_bits);
    message.mutable_interpolation()->set_fraction(interpolated->fraction);
  } else {
    message.set_device(true);
  }
  return message;
}

absl::StatusOr<WidthRule> ToWidthRule(const v1::WidthRule& message) {
  WidthRule rule{.layer = message.layer(), .reason = message.reason()};
  if (message.kind() != v1::WidthRule::PIN && message.kind() != v1::WidthRule::FORBID) {
    return InvalidArgument("kind: got {}, want PIN or FORBID", static_cast<int>(message.kind()));
  }
  rule.kind = message.kind() == v1::WidthRule::PIN ? WidthRuleKind::kPin : WidthRuleKind::kForbid;
  if (message.has_weight_bits()) rule.weight_bits = message.weight_bits();
  if (message.has_activation_bits()) rule.activation_bits = message.activation_bits();
  if (Validate(rule).ok()) return rule;
  if (rule.layer.empty()) return InvalidArgument("layer: got nothing, want a name");
  if (!rule.weight_bits && !rule.activation_bits) {
    return InvalidArgument("weight_bits: got nothing, want weight_bits or activation_bits");
  }
  return InvalidArgument("weight_bits, activation_bits: got {}, want 1..{}", FormatWidths(rule), kMaxOptionBits);
}

v1::WidthRule FromWidthRule(const WidthRule& rule) {
  v1::WidthRule message;
  message.set_kind(rule.kind == WidthRuleKind::kPin ? v1::WidthRule::PIN : v1::WidthRule::FORBID);
  message.set_layer(rule.layer);
  if (rule.weight_bits) message.set_weight_bits(*rule.weight_bits);
  if (rule.activation_bits) message.set_activation_bits(*rule.activation_bits);
  message.set_reason(rule.reason);
  return message;
}

absl::StatusOr<SolverOptions> ToSolverOptions(const v1::SolverConfig& message, double default_time_limit_s) {
  SolverOptions options;
  if (!message.solver().empty()) options.solver = message.solver();
  options.relative_gap = message.relative_gap();
  if (message.node_limit() != 0) options.node_limit = message.node_limit();
  options.time_limit_s = message.has_time_limit() ? SecondsOf(message.time_limit()) : default_time_limit_s;
  BITPLAN_RETURN_IF_ERROR(CheckTimeLimit(*options.time_limit_s));
  BITPLAN_RETURN_IF_ERROR(allocation::Validate(options));
  if (options.solver != kAutoSolver) BITPLAN_RETURN_IF_ERROR(allocation::FindSolver(options.solver).status());
  return options;
}

absl::StatusOr<SearchRequest> ToSearchRequest(const v1::SearchConfig& message, double default_time_limit_s) {
  SearchRequest request;
  for (int i = 0; i < message.budgets_size(); ++i) {
    auto budget = ToBudget(message.budgets(i));
    if (!budget.ok()) return AtField(fmt::format("budgets[{}]", i), budget.status());
    request.budgets.push_back(*budget);
  }
  request.ties = ToTies(message.ties());
  request.leave_out_unpriced = message.leave_out_unpriced();
  request.repair_monotonicity = message.repair_monotonicity();
  for (int i = 0; i < message.rules_size(); ++i) {
    auto rule = ToWidthRule(message.rules(i));
    if (!rule.ok()) return AtField(fmt::format("rules[{}]", i), rule.status());
    request.rules.push_back(*std::move(rule));
  }
  request.untie_activations = message.untie_activations();
  request.robustness_resamples = message.robustness_resamples();
  BITPLAN_ASSIGN_OR_RETURN(request.runtime, ToRuntime(message));
  auto solver = ToSolverOptions(message.solver(), default_time_limit_s);
  if (!solver.ok()) return AtField("solver", solver.status());
  request.solver = *std::move(solver);
  return request;
}

v1::Termination FromTermination(Termination termination) {
  switch (termination) {
    case Termination::kOptimal:
      return v1::TERMINATION_OPTIMAL;
    case Termination::kFeasible:
      return v1::TERMINATION_FEASIBLE;
    case Termination::kInfeasible:
      return v1::TERMINATION_INFEASIBLE;
    case Termination::kTimeLimit:
      return v1::TERMINATION_TIME_LIMIT;
    case Termination::kCancelled:
      return v1::TERMINATION_CANCELLED;
  }
  return v1::TERMINATION_UNSPECIFIED;
}

v1::Plan FromPlan(const Plan& plan) {
  v1::Plan message;
  message.set_digest(plan.fingerprint);
  message.set_termination(FromTermination(plan.termination));
  for (const PlanLayer& layer : plan.layers) FromPlanLayer(layer, message.add_choices());
  FromCosts(plan.totals, message.mutable_totals());
  FromUniform(plan.uniform, &message);
  for (const PlanBudget& budget : plan.budgets) FromPlanBudget(budget, message.add_budgets());
  FromTies(plan.ties, message.mutable_ties());
  FromTies(plan.activation_ties, message.mutable_activation_ties());
  for (const WidthRule& rule : plan.rules) *message.add_rules() = FromWidthRule(rule);
  if (plan.runtime) *message.mutable_runtime() = FromRuntime(*plan.runtime);
  message.set_objective(plan.objective);
  message.set_predictor(plan.predictor);
  message.set_objective_standard_error(plan.objective_standard_error);
  message.set_bound(plan.bound);
  message.set_gap(plan.gap);
  message.set_optimality_tolerance(plan.optimality_tolerance);
  if (plan.mean_regret) message.set_mean_regret(*plan.mean_regret);
  message.set_solver(plan.solver);
  message.set_nodes(plan.solver_nodes);
  if (plan.infeasibility) FromInfeasibility(*plan.infeasibility, message.mutable_infeasibility());
  message.set_diagnosis(plan.diagnosis);
  message.mutable_warnings()->Add(plan.warnings.begin(), plan.warnings.end());
  message.set_num_layers(message.choices_size());
  FromProvenance(plan.provenance, message.mutable_provenance());
  return message;
}

}  // namespace bitplan::convert
