#include "search/pipeline/run_search.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "search/allocation/convex_search.h"
#include "search/allocation/robustness.h"
#include "search/allocation/run_limits.h"
#include "search/allocation/solve.h"
#include "search/allocation/solver_table.h"
#include "search/base/digest.h"
#include "search/base/status.h"
#include "search/graph/activation_points.h"
#include "search/graph/layer_structure.h"
#include "search/hardware/price_boundaries.h"
#include "search/hardware/price_memory.h"
#include "search/hardware/support.h"
#include "search/onnx/model_options.h"
#include "search/onnx/parse_model.h"
#include "search/ops/find_data_flow.h"
#include "search/pipeline/make_plan.h"
#include "search/pipeline/predicted_loss.h"
#include "search/pipeline/repair.h"
#include "search/pipeline/settings.h"
#include "search/pipeline/version.h"
#include "search/sensitivity/monotone.h"
#include "search/sensitivity/plan_predictor.h"

namespace bitplan::pipeline {
namespace {

void Stage(const RunContext& context, std::string_view stage) { context.Report({.stage = std::string(stage)}); }

// A request's bytes, read.
struct Inputs {
  Dataset data;
  Graph graph;
  OptionTable options;
};

absl::StatusOr<Inputs> LoadInputs(const MeasureRequest& request, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(ValidateMeasureRequest(request));
  Stage(context, "load");
  Inputs inputs;
  BITPLAN_ASSIGN_OR_RETURN(inputs.data, data::ParseNpz(request.dataset, request.dataset_limits));
  BITPLAN_ASSIGN_OR_RETURN(inputs.graph,
                           onnx::ParseModel(request.onnx, onnx::ModelOptionsFor(inputs.data, request.model_limits)));
  Stage(context, "options");
  BITPLAN_ASSIGN_OR_RETURN(inputs.options, quantization::ListOptions(inputs.graph.layers, request.quantization));
  return inputs;
}

Ties ActivationTieNames(const Graph& graph) {
  Ties ties;
  for (const std::vector<int>& group : ActivationTies(graph, FindActivationPoints(graph))) {
    std::vector<std::string>& names = ties.emplace_back();
    for (const int layer : group) names.push_back(graph.layers.layers[layer].name);
  }
  return ties;
}

absl::StatusOr<Measurement> MakeMeasurement(const MeasureRequest& request, Graph graph, OptionTable options,
                                            SensitivityTable sensitivity) {
  Ties activation_ties = ActivationTieNames(graph);
  LayerStructure structure = FindStructure(graph);
  BITPLAN_ASSIGN_OR_RETURN(DataFlow data_flow, ops::FindDataFlow(graph));
  Measurement measurement{.layers = std::move(graph.layers),
                          .options = std::move(options),
                          .sensitivity = std::move(sensitivity),
                          .activation_ties = std::move(activation_ties),
                          .structure = std::move(structure),
                          .data_flow = std::move(data_flow),
                          .model_digest = Sha256Hex(request.onnx),
                          .dataset_digest = Sha256Hex(request.dataset),
                          .settings = SettingsJson(request.quantization, request.sensitivity),
                          .versions = MeasureVersions()};
  measurement.digest = DigestOfMeasurement(measurement.model_digest, measurement.dataset_digest, measurement.settings,
                                           measurement.versions);
  return measurement;
}

absl::Status CheckBytes(std::string_view what, std::string_view bytes, int64_t most) {
  if (bytes.empty()) return InvalidArgument("{}: got no bytes", what);
  if (std::cmp_less_equal(bytes.size(), most)) return absl::OkStatus();
  return InvalidArgument("{}: got {} bytes, want at most {}", what, bytes.size(), most);
}

absl::Status CheckBudgets(const std::vector<BudgetSpec>& budgets) {
  if (budgets.empty()) return InvalidArgument("budgets: got none, want at least one such as size=0.5x");
  std::set<std::pair<Resource, BudgetSense>> seen;
  for (const BudgetSpec& budget : budgets) {
    BITPLAN_RETURN_IF_ERROR(ValidateBudget(budget));
    if (seen.emplace(budget.resource, budget.sense).second) continue;
    return InvalidArgument("budgets: two {}for {}, want at most one a resource{}",
                           budget.sense == BudgetSense::kAtLeast ? "lower ones " : "", ToString(budget.resource),
                           budget.sense == BudgetSense::kAtLeast ? " and direction" : "");
  }
  return absl::OkStatus();
}

std::string Name(Resource resource) { return std::string(ToString(resource)); }
std::string Name(const Widths& widths) { return hardware::ToString(widths); }

template <typename Value>
std::vector<std::string> Names(const std::vector<Value>& values) {
  std::vector<std::string> names;
  names.reserve(values.size());
  for (const Value& value : values) names.push_back(Name(value));
  return names;
}

bool IsSupported(const Widths& widths, const HardwareProfile& profile) {
  return !profile.supported || std::ranges::find(*profile.supported, widths) != profile.supported->end();
}

// Weight and activation bits that options can have.
std::vector<Widths> WidthsOf(const QuantizationOptions& quantization) {
  std::vector<Widths> widths;
  for (const int bits : quantization::WidthsOf(quantization)) {
    for (const int activation_bits : quantization::ActivationWidthsOf(quantization, bits)) {
      widths.push_back({bits, activation_bits});
    }
  }
  return widths;
}

// Of a list of weight bits those that the device has with these activation bits.
std::vector<int> BitsBeside(int activation_bits, const std::vector<int>& weight_bits, const HardwareProfile& profile) {
  std::vector<int> bits;
  for (const int w : weight_bits) {
    const int a = activation_bits == kSameAsWeights ? w : activation_bits;
    if (IsSupported({w, a}, profile)) bits.push_back(w);
  }
  return bits;
}

// By the sum of the scores, or by what the measurement predicts for whole plans.
absl::StatusOr<PredictedSolution> SolveFor(const Measurement& measured, const BuiltProblem& built,
                                           const SolverOptions& options, const RunContext& context) {
  PredictedSolution found;
  if (!measured.sensitivity.responses) {
    BITPLAN_ASSIGN_OR_RETURN(found.solution, allocation::Solve(built.problem, options, context));
    return found;
  }
  BITPLAN_ASSIGN_OR_RETURN(const PlanPredictor predictor, PlanPredictor::Create(*measured.sensitivity.responses));
  BITPLAN_ASSIGN_OR_RETURN(found.solution, allocation::SolveConvex(built.problem, PredictedLoss(predictor, built),
                                                                   UniformChoices(measured, built), options, context));
  if (found.solution.choice.empty()) return found;
  std::vector<int> choice;
  for (size_t l = 0; l < built.kept.size(); ++l) choice.push_back(built.kept[l][found.solution.choice[l]]);
  found.prediction = predictor.Predict(choice);
  return found;
}

}  // namespace

absl::Status ValidateMeasureRequest(const MeasureRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckBytes("model", request.onnx, request.model_limits.max_file_bytes));
  BITPLAN_RETURN_IF_ERROR(CheckBytes("dataset", request.dataset, request.dataset_limits.max_file_bytes));
  BITPLAN_RETURN_IF_ERROR(Validate(request.quantization));
  return Validate(request.sensitivity);
}

QuantizationOptions DefaultWidthsFor(const HardwareProfile& profile, QuantizationOptions quantization) {
  if (!profile.supported) return quantization;
  std::vector<int> activations = {quantization.activation_bits.front(), kSameAsWeights};
  for (const Widths& widths : *profile.supported) activations.push_back(widths.activation_bits);
  std::vector<int> most;
  int chosen = activations.front();
  for (const int activation_bits : activations) {
    std::vector<int> bits = BitsBeside(activation_bits, quantization.weight_bits, profile);
    if (bits.size() <= most.size()) continue;
    most = std::move(bits);
    chosen = activation_bits;
  }
  if (most.empty()) return quantization;
  quantization.weight_bits = std::move(most);
  quantization.activation_bits = {chosen};
  return quantization;
}

absl::Status ValidateProfileFor(const QuantizationOptions& quantization, const SearchRequest& request) {
  const std::vector<Resource> priced = hardware::PricedResources(request.profile);
  for (const BudgetSpec& budget : request.budgets) {
    if (std::ranges::find(priced, budget.resource) != priced.end()) continue;
    return InvalidArgument("budget '{}': profile '{}' does not price {}, only {}", FormatBudget(budget),
                           request.profile.name, ToString(budget.resource), fmt::join(Names(priced), ", "));
  }
  const std::vector<Widths> widths = WidthsOf(quantization);
  const auto is_supported = [&](const Widths& pair) { return IsSupported(pair, request.profile); };
  if (std::ranges::any_of(widths, is_supported)) return absl::OkStatus();
  return InvalidArgument(
      "profile '{}' supports none of the widths {}, only {}. List other widths (--bits, --activation-bits) or use "
      "another profile",
      request.profile.name, fmt::join(Names(widths), ", "), fmt::join(Names(*request.profile.supported), ", "));
}

absl::Status ValidateMethodFor(const SensitivityOptions& sensitivity, const SearchRequest& request) {
  return request.repair_monotonicity ? sensitivity::CheckRepairable(sensitivity.method) : absl::OkStatus();
}

absl::Status ValidateSearchRequest(const SearchRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckBudgets(request.budgets));
  for (const WidthRule& rule : request.rules) BITPLAN_RETURN_IF_ERROR(Validate(rule));
  if (request.solver.solver != "auto") {
    BITPLAN_RETURN_IF_ERROR(allocation::FindSolver(request.solver.solver).status());
  }
  constexpr int kMostResamples = 10'000;
  const int resamples = request.robustness_resamples;
  if (resamples != 0 && (resamples < 2 || resamples > kMostResamples)) {
    return InvalidArgument("robustness_resamples: got {}, want 0 or 2..{}", resamples, kMostResamples);
  }
  return allocation::Validate(request.solver);
}

std::string MeasurementDigest(std::string_view model_digest, std::string_view dataset_digest,
                              const QuantizationOptions& quantization, const SensitivityOptions& sensitivity) {
  return DigestOfMeasurement(model_digest, dataset_digest, SettingsJson(quantization, sensitivity), MeasureVersions());
}

std::string MeasurementDigest(const MeasureRequest& request) {
  return MeasurementDigest(Sha256Hex(request.onnx), Sha256Hex(request.dataset), request.quantization,
                           request.sensitivity);
}

absl::StatusOr<Measurement> Measure(const MeasureRequest& request, const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(Inputs inputs, LoadInputs(request, context));
  BITPLAN_ASSIGN_OR_RETURN(
      SensitivityTable sensitivity,
      sensitivity::Estimate(inputs.graph, inputs.data, inputs.options, request.sensitivity, context));
  sensitivity.notes.insert(sensitivity.notes.end(), inputs.options.notes.begin(), inputs.options.notes.end());
  return MakeMeasurement(request, std::move(inputs.graph), std::move(inputs.options), std::move(sensitivity));
}

absl::StatusOr<CostForecast> ForecastMeasure(const MeasureRequest& request, const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const Inputs inputs, LoadInputs(request, context));
  Stage(context, "forecast");
  return sensitivity::Forecast(inputs.graph, inputs.data, inputs.options, request.sensitivity, context);
}

absl::StatusOr<Measurement> FromGiven(const GivenSensitivities& given) {
  BITPLAN_RETURN_IF_ERROR(sensitivity::Validate(given));
  Measurement measurement = FromTables(given);
  measurement.digest = DigestOfGiven(given);
  return measurement;
}

namespace {

// Those that were not given with the sensitivities.
std::set<Resource> PricedByProfile(const CostTable& costs) {
  std::set<Resource> resources;
  for (const PricedResource& priced : costs.resources) {
    if (priced.source != "given") resources.insert(priced.resource);
  }
  return resources;
}

}  // namespace

absl::StatusOr<CostTable> PriceMeasurement(const Measurement& measured, const SearchRequest& request) {
  const HardwareProfile& profile = request.profile;
  if (measured.given_costs.empty()) {
    BITPLAN_RETURN_IF_ERROR(hardware::CheckSupported(measured.layers, measured.options, profile));
  }
  BITPLAN_ASSIGN_OR_RETURN(CostTable costs, hardware::Price(measured.layers, measured.options, profile));
  costs = hardware::WithGivenCosts(std::move(costs), measured.given_costs);
  BITPLAN_ASSIGN_OR_RETURN(costs.boundaries,
                           hardware::PriceBoundaries(measured.data_flow, measured.layers, measured.options, profile,
                                                     PricedByProfile(costs)));
  const auto memory = std::ranges::find(costs.resources, Resource::kMemory, &PricedResource::resource);
  if (!profile.memory || measured.data_flow.steps.empty() || memory != costs.resources.end()) return costs;
  Ties joined = AllTies(measured, request);
  const Ties activation_ties = ActivationTiesOf(measured, request);
  joined.insert(joined.end(), activation_ties.begin(), activation_ties.end());
  BITPLAN_ASSIGN_OR_RETURN(costs.peak_memory, hardware::PricePeakMemory(measured.data_flow, measured.layers,
                                                                        measured.options, joined, *profile.memory));
  costs.resources.push_back({Resource::kMemory, fmt::format("profile '{}'", profile.name)});
  std::ranges::sort(costs.resources, {}, &PricedResource::resource);
  return costs;
}

namespace {

bool HasErrors(const SensitivityTable& sensitivity) {
  return std::ranges::any_of(sensitivity.standard_error, [](const std::vector<double>& row) {
    return std::ranges::any_of(row, [](double error) { return error > 0; });
  });
}

absl::StatusOr<std::optional<Robustness>> AssessFor(const Measurement& measured, const BuiltProblem& built,
                                                    const Solution& solution, const SearchRequest& request,
                                                    const RunContext& context) {
  const SensitivityTable& sensitivity = measured.sensitivity;
  if (request.robustness_resamples == 0 || sensitivity.responses || !HasErrors(sensitivity) ||
      solution.termination != Termination::kOptimal) {
    return std::nullopt;
  }
  std::vector<std::vector<double>> errors;
  for (size_t l = 0; l < built.kept.size(); ++l) {
    auto& row = errors.emplace_back();
    for (const int k : built.kept[l]) row.push_back(sensitivity.standard_error[l][k]);
  }
  // Where a curvature was estimated, its error is behind all options of the layer.
  const RobustnessOptions options{
      .num_resamples = request.robustness_resamples,
      .seed = sensitivity.seed,
      .errors = sensitivity.curvature.empty() ? OptionErrors::kIndependent : OptionErrors::kShared};
  Stage(context, "robustness");
  const RunContext limited = allocation::WithTimeLimit(context, request.solver);
  auto found = allocation::AssessRobustness(built.problem, solution, errors, options, limited);
  if (found.ok()) return *std::move(found);
  if (!limited.CheckStop().ok()) return std::nullopt;
  return found.status();
}

absl::StatusOr<Plan> SearchWith(const Measurement& measured, const SearchRequest& request, const RunContext& context) {
  Stage(context, "price");
  BITPLAN_ASSIGN_OR_RETURN(const CostTable costs, PriceMeasurement(measured, request));
  BITPLAN_ASSIGN_OR_RETURN(const BuiltProblem built, BuildProblem(measured, costs, request));
  Stage(context, "solve");
  BITPLAN_ASSIGN_OR_RETURN(PredictedSolution found, SolveFor(measured, built, request.solver, context));
  BITPLAN_ASSIGN_OR_RETURN(found.robustness, AssessFor(measured, built, found.solution, request, context));
  return MakePlan(measured, costs, built, found, request);
}

}  // namespace

absl::StatusOr<Plan> Search(const Measurement& measured, const SearchRequest& request, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(ValidateSearchRequest(request));
  BITPLAN_ASSIGN_OR_RETURN(const std::optional<Measurement> repaired, Repair(measured, request));
  return SearchWith(repaired ? *repaired : measured, request, context);
}

}  // namespace bitplan::pipeline
