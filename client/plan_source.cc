#include "client/plan_source.h"

#include "client/files.h"
#include "search/base/status.h"
#include "search/plan/plan_json.h"
#include "search/plan/verifier.h"

namespace bitplan::client {
namespace {

absl::StatusOr<Plan> ReadPlanFile(const std::string& path) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string json, ReadFile(path));
  absl::StatusOr<Plan> plan = plan::ParsePlan(json);
  const absl::Status status = plan.ok() ? plan::Verify(*plan) : plan.status();
  if (!status.ok()) return WithContext(status, path);
  return plan;
}

}  // namespace

absl::StatusOr<Plan> ReadPlan(const Session& session, const std::string& name_or_path) {
  if (name_or_path.ends_with(".json")) return ReadPlanFile(name_or_path);
  Channel channel = session.Connect();
  return FetchPlan(channel, session.globals.NameOf("plans", name_or_path));
}

absl::StatusOr<Plan> FetchPlan(Channel& channel, const std::string& name) {
  BITPLAN_ASSIGN_OR_RETURN(const v1::ExportPlanResponse document, channel.ExportPlan(name, "json"));
  return plan::ParsePlan(document.content());
}

}  // namespace bitplan::client
