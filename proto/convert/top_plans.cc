#include "proto/convert/top_plans.h"

#include "proto/convert/plan.h"

namespace bitplan::convert {

TopChoicesRequest ToTopChoices(const v1::FindTopPlansRequest& message) {
  TopChoicesRequest request;
  if (message.count() != 0) request.count = message.count();
  if (message.distance() != 0) request.distance = message.distance();
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
