#include "search/sensitivity/plan_responses.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <variant>

#include "search/base/status.h"

namespace bitplan {
namespace {

constexpr auto kForms = std::to_array<std::pair<PlanForm, std::string_view>>(
    {{PlanForm::kQuadratic, "quadratic"}, {PlanForm::kSuperposition, "logit_superposition"}});

bool AreEqual(const Targets& a, const Targets& b) {
  if (a.index() != b.index()) return false;
  if (const auto* labels = std::get_if<ClassLabels>(&a)) return *labels == std::get<ClassLabels>(b);
  const auto* tensor = std::get_if<Tensor>(&a);
  if (tensor == nullptr) return true;
  return tensor->shape == std::get<Tensor>(b).shape && tensor->data == std::get<Tensor>(b).data;
}

bool AreFinite(const FloatVector& values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

}  // namespace

std::string_view ToString(PlanForm form) {
  return std::ranges::find(kForms, form, &std::pair<PlanForm, std::string_view>::first)->second;
}

std::optional<PlanForm> ParsePlanForm(std::string_view name) {
  for (const auto& [form, of_form] : kForms) {
    if (of_form == name) return form;
  }
  return std::nullopt;
}

bool operator==(const PlanResponses& a, const PlanResponses& b) {
  return a.form == b.form && a.loss == b.loss && a.label_smoothing == b.label_smoothing &&
         a.output_shape == b.output_shape && a.outputs == b.outputs && AreEqual(a.targets, b.targets) &&
         a.responses == b.responses;
}

namespace sensitivity {

absl::Status CheckPlanResponses(const PlanResponses& plan, const OptionTable& options) {
  const OutputResponses& responses = plan.responses;
  const int64_t outputs = responses.num_samples * responses.num_outputs;
  if (responses.num_samples < 1 || responses.num_outputs < 1) {
    return InvalidArgument("responses: got {} samples of {} outputs", responses.num_samples, responses.num_outputs);
  }
  if (plan.output_shape.empty() || plan.output_shape[0] != responses.num_samples ||
      NumElements(plan.output_shape) != outputs || std::cmp_not_equal(plan.outputs.size(), outputs)) {
    return InvalidArgument("responses.outputs: got shape {} and {} values, want {} samples of {}",
                           ToString(plan.output_shape), plan.outputs.size(), responses.num_samples,
                           responses.num_outputs);
  }
  int64_t next = 0;
  std::vector<int64_t> first;
  for (const auto& of_layer : options.options) {
    first.push_back(next);
    next += std::ssize(of_layer);
  }
  if (responses.num_perturbations != next || responses.first != first) {
    return InvalidArgument("responses.changes: got {} changes in {} layers, the options are {} in {}",
                           responses.num_perturbations, responses.first.size(), next, first.size());
  }
  if (std::cmp_not_equal(responses.values.size(), outputs * next)) {
    return InvalidArgument("responses.changes: got {} values, want {} outputs x {} changes", responses.values.size(),
                           outputs, next);
  }
  if (!AreFinite(plan.outputs)) return InvalidArgument("responses.outputs: a value is not finite");
  if (!AreFinite(responses.values)) return InvalidArgument("responses.changes: a value is not finite");
  return absl::OkStatus();
}

}  // namespace sensitivity
}  // namespace bitplan
