#ifndef BITPLAN_SEARCH_PIPELINE_RUN_SEARCH_H_
#define BITPLAN_SEARCH_PIPELINE_RUN_SEARCH_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/allocation/problem.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"
#include "search/data/npz.h"
#include "search/hardware/price.h"
#include "search/hardware/profile.h"
#include "search/hardware/runtime_rules.h"
#include "search/layer/ties.h"
#include "search/layer/width_rule.h"
#include "search/onnx/parse_limits.h"
#include "search/pipeline/budget.h"
#include "search/pipeline/measurement.h"
#include "search/plan/plan.h"
#include "search/quantization/options.h"
#include "search/sensitivity/estimate.h"
#include "search/sensitivity/forecast.h"
#include "search/sensitivity/given.h"

namespace bitplan {

// What to measure. The bytes must outlive the call.
struct MeasureRequest {
  std::string_view onnx;     // an ONNX model
  std::string_view dataset;  // an .npz archive: calibration data
  QuantizationOptions quantization;
  SensitivityOptions sensitivity;
  onnx::ParseLimits model_limits;
  data::NpzLimits dataset_limits;
};

// One allocation problem, less the measurement.
struct SearchRequest {
  HardwareProfile profile;
  std::vector<BudgetSpec> budgets;             // at least one, at most one a resource and direction
  std::vector<std::vector<std::string>> ties;  // layer names, besides the measurement's own; at least two a group
  // Leave options out of the search that have no known cost of a budgeted resource (not measured, width not supported
  // by the device). False: such options are an error that names them all.
  bool leave_out_unpriced = false;
  // Scores are made not to grow with weight bits (sensitivity::RepairMonotonicity); the plan's warnings say what that
  // changed. Not for methods that predict whole plans.
  bool repair_monotonicity = false;
  // So many resampled searches tell how sure each layer's option is, given the standard errors of the sensitivities
  // (allocation::AssessRobustness); 0: not asked for, or 2..10000. Only where there are standard errors, scores are
  // summed and the plan is proven; left out, too, where the search's time is up.
  int robustness_resamples = 0;
  SolverOptions solver;
  std::vector<WidthRule> rules;  // layers pinned to widths, widths that layers must not take
  // Layers whose activations meet in residual additions or concatenations may take different activation widths. False:
  // the measurement's activation_ties hold wherever options differ in activation width.
  bool untie_activations = false;
  // The runtime that the plan is for: what its rules tie holds besides the other ties, untied activations or not.
  std::optional<RuntimeRules> runtime;
  std::string created;  // RFC 3339 in UTC, goes into the plan as it is; may be empty
};

// Problem::layers[i].options[k] is option kept[i][k] of the measurement.
struct BuiltProblem {
  Problem problem;
  std::vector<std::vector<int>> kept;
  std::vector<int64_t> limits;  // of the request's budgets, base unit
  std::vector<int> rows;        // of each of them its index in problem.budgets, or kPeakRow: problem.steps are its
};
inline constexpr int kPeakRow = -1;

namespace pipeline {

// The widths to measure where nobody has listed any: of those in `quantization` the weight bits that the device has
// beside one activation width, that which leaves the most of them; the list's own before `same` before others. As they
// are where the device has none of them.
QuantizationOptions DefaultWidthsFor(const HardwareProfile& profile, QuantizationOptions quantization);

// Checks what can be checked without work: options, methods, limits, sizes. The same errors Measure would give at once.
absl::Status ValidateMeasureRequest(const MeasureRequest& request);
absl::Status ValidateSearchRequest(const SearchRequest& request);
// Checks, before a network is measured for it, what a search will need of its profile: the resource of every budget,
// and that the device runs some pair of the widths. Not for given sensitivities: they may bring their own
// costs.
absl::Status ValidateProfileFor(const QuantizationOptions& quantization, const SearchRequest& request);
// The same for the method: whether its scores can be repaired, if the search wants that.
absl::Status ValidateMethodFor(const SensitivityOptions& sensitivity, const SearchRequest& request);

// SHA-256 of everything a measurement depends on: model and dataset bytes, options, method, settings, seed, versions of
// the estimators. Thread count and limits are not part of it.
std::string MeasurementDigest(const MeasureRequest& request);
// The same from digests of the bytes (64 hexadecimal digits each), for callers that keep them.
std::string MeasurementDigest(std::string_view model_digest, std::string_view dataset_digest,
                              const QuantizationOptions& quantization, const SensitivityOptions& sensitivity);

// Model and calibration data to a sensitivity table.
// Progress: "load", "options", then the stages of sensitivity::Estimate.
// Errors:   those of ParseModel, ParseNpz, ListOptions and Estimate.
absl::StatusOr<Measurement> Measure(const MeasureRequest& request, const RunContext& context);

// What Measure would take, from a pilot of a few samples (sensitivity::Forecast). Errors: those of Measure's arguments.
absl::StatusOr<CostForecast> ForecastMeasure(const MeasureRequest& request, const RunContext& context);

// Sensitivities from outside as a measurement. The digest is that of their canonical document.
absl::StatusOr<Measurement> FromGiven(const GivenSensitivities& given);

// Prices the options by the request's profile: models and tables, given costs in their place; memory as a maximum over
// the execution where the profile says how activations lie there, the network is known and memory is not priced
// otherwise (CostTable::peak_memory); conversions between layers where it prices them (CostTable::boundaries), but for
// resources whose costs were given. Errors: those of hardware::Price, PricePeakMemory and PriceBoundaries; where no
// costs are given those of hardware::CheckSupported.
absl::StatusOr<CostTable> PriceMeasurement(const Measurement& measured, const SearchRequest& request);

// What the request's runtime ties in this network; nothing without a runtime.
RuntimeGrouping RuntimeGroupsOf(const Measurement& measured, const SearchRequest& request);

// The measurement's own ties, then the request's, then what its runtime wants to have equal options.
Ties AllTies(const Measurement& measured, const SearchRequest& request);

// Of the measurement's activation ties those that the search obeys: none if the request unties them, else those whose
// layers have options of different activation widths.
Ties ActivationTiesOf(const Measurement& measured, const SearchRequest& request);

// The integer program: objective = score, one cost column for each budgeted resource, one limit for each budget, ties
// by layer index; options that rules or missing prices take out are not in it; activation ties, and what a runtime's
// rules want to agree in parts of the options, are class ties. Of
// several best plans that of the least size comes back where sizes are known (not for predictions of whole plans).
// Errors: kInvalidArgument: a budgeted resource without a cost for some option (all named, with what the profile has
// and
//         what to do instead), a budget that cannot be resolved, tied layers whose options differ (both named), a layer
//         without an option left. kNotFound: a tie or rule that names no layer.
absl::StatusOr<BuiltProblem> BuildProblem(const Measurement& measured, const CostTable& costs,
                                          const SearchRequest& request);

// Solves one allocation problem on a measurement. Infeasible, out of time and stopped are plans without a choice (or
// with an unproven one), not errors: see Plan::termination and Plan::diagnosis. The plan is verified (plan::Verify).
// Errors:   those of BuildProblem; kInvalidArgument where repair_monotonicity meets a measurement of whole plans.
// Progress: "price", "solve".
absl::StatusOr<Plan> Search(const Measurement& measured, const SearchRequest& request, const RunContext& context);

}  // namespace pipeline
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PIPELINE_RUN_SEARCH_H_
