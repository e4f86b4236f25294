#include "proto/convert/top_plans.h"

#include <utility>

#include "proto/convert/field_path.h"
#include "proto/convert/plan.h"
#include "search/base/status.h"

namespace bitplan::convert {

absl::StatusOr<TopPlansSearch> ToTopPlansSearch(const v1::FindTopPlansRequest& message, double default_time_limit_s) {
  TopPlansSearch request;
  auto search = ToSearchRequest(message.config(), default_time_limit_s);
  if (!search.ok()) return AtField("config", search.status());
  request.search = *std::move(search);
  if (message.count() != 0) request.top.count = message.count();
  if (message.distance() != 0) request.top.distance = message.distance();
  return request;
}

v1::Plan FromTopPlan(const Plan& plan) {
  v1::Plan message = FromPlan(plan);
  if (!plan.has_choice()) return message;
  for (v1::PlanChoice& choice : *message.mutable_choices()) choice.clear_alternatives();
  return message;
}

v1::TopPlansSummary FromSummary(const TopPlans& top) {
  v1::TopPlansSummary message;
  message.set_exhausted(top.exhausted);
  message.set_note(top.note);
  return message;
}

}  // namespace bitplan::convert
