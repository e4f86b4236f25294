#include "client/evaluation_output.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/files.h"
#include "client/plan_output.h"
#include "client/render.h"
#include "search/base/status.h"
#include "search/evaluation/evaluation_json.h"
#include "search/plan/plan_json.h"

namespace bitplan::client {
namespace {

using Json = nlohmann::ordered_json;

// Doubles read back exactly: the documents' own are the shortest that do, and so are these.
std::string ToJson(const EvaluatedPlan& evaluated) {
  Json json = {{"plan", Json::parse(plan::ToJson(evaluated.plan))}};
  if (evaluated.evaluation) json["evaluation"] = Json::parse(evaluation::ToJson(*evaluated.evaluation));
  if (!evaluated.error.ok()) json["evaluation_error"] = MessageOf(evaluated.error);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Render(const EvaluatedPlan& evaluated) {
  std::string text = RenderPlan(evaluated.plan);
  if (evaluated.evaluation) text += "\n" + RenderEvaluation(*evaluated.evaluation);
  return text;
}

}  // namespace

absl::Status PrintEvaluation(Session& session, const Evaluation& evaluation, const std::string& save) {
  const std::string document = evaluation::ToJson(evaluation);
  session.console.Answer(session.globals.is_json() ? document : RenderEvaluation(evaluation));
  if (save.empty()) return absl::OkStatus();
  BITPLAN_RETURN_IF_ERROR(WriteFile(save, document));
  session.console.Note(fmt::format("Saved as {}", save));
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> PrintEvaluatedPlan(Session& session, const EvaluatedPlan& evaluated, const std::string& save) {
  session.console.Answer(session.globals.is_json() ? ToJson(evaluated) : Render(evaluated));
  BITPLAN_RETURN_IF_ERROR(SavePlan(session, evaluated.plan, save));
  if (evaluated.error.ok()) return CodeOf(evaluated.plan);
  return WithContext(evaluated.error, "the plan is found, but not evaluated");
}

}  // namespace bitplan::client
