#ifndef BITPLAN_CLIENT_EVALUATION_OUTPUT_H_
#define BITPLAN_CLIENT_EVALUATION_OUTPUT_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/commands.h"
#include "search/evaluation/evaluate_plan.h"
#include "search/plan/plan.h"

namespace bitplan::client {

// Prints an evaluation as a table or as its document, and writes the document to `save` too unless that is empty.
absl::Status PrintEvaluation(Session& session, const Evaluation& evaluation, const std::string& save);

// A plan, and what came of running it on held-out data: an evaluation, an error, or neither if there was no choice.
struct EvaluatedPlan {
  Plan plan;
  std::optional<Evaluation> evaluation;
  absl::Status error;
};

// As PrintPlan, with the evaluation below the plan or, as JSON, {"plan", "evaluation", "evaluation_error"}. An error is
// told after the plan, and its exit code returned.
absl::StatusOr<ExitCode> PrintEvaluatedPlan(Session& session, const EvaluatedPlan& evaluated, const std::string& save);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_EVALUATION_OUTPUT_H_
