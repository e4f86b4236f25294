#ifndef BITPLAN_SEARCH_PIPELINE_RUN_EVALUATION_H_
#define BITPLAN_SEARCH_PIPELINE_RUN_EVALUATION_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/data/npz.h"
#include "search/evaluation/compare_methods.h"
#include "search/evaluation/evaluate_plan.h"
#include "search/onnx/parse_limits.h"
#include "search/pipeline/run_search.h"
#include "search/plan/plan.h"

namespace bitplan {

// What to evaluate. The bytes and the plan must outlive the call.
struct EvaluateRequest {
  std::string_view onnx;         // the network that the plan is of
  std::string_view held_out;     // an .npz archive: data that were not used to make the plan
  std::string_view calibration;  // an .npz archive for static ranges of activations; empty: none
  const Plan& plan;
  EvaluationOptions options;
  onnx::ParseLimits model_limits;
  data::NpzLimits dataset_limits;
};

// Which methods to compare on which network. The bytes must outlive the call.
struct CompareRequest {
  MeasureRequest measure;            // its sensitivity.method is not read
  std::string_view held_out;         // an .npz archive; empty: none
  std::vector<std::string> methods;  // empty: all that can score what is asked for
  int num_plans = ComparisonOptions{}.num_plans;
};

namespace pipeline {

// evaluation::EvaluatePlan from bytes. Notes tell what the plan's provenance says: a model file that is not the one the
// plan was made of, held-out data that are the plan's calibration data, a prediction that is of another loss, and one
// that counts the quantization of activations while they stay float here, or the other way round.
// Progress: "load", then the stages of EvaluatePlan. Errors: those of ParseModel, ParseNpz and EvaluatePlan.
absl::StatusOr<Evaluation> Evaluate(const EvaluateRequest& request, const RunContext& context);

// evaluation::CompareMethods from bytes. Progress: "load", then its stages. Errors: those of Measure and
// CompareMethods.
absl::StatusOr<MethodComparison> CompareMethods(const CompareRequest& request, const RunContext& context);

}  // namespace pipeline
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PIPELINE_RUN_EVALUATION_H_
