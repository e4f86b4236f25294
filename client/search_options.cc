#include "client/search_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <utility>

#include "client/files.h"
#include "client/local_run.h"
#include "client/profile_file.h"
#include "search/allocation/solver_table.h"
#include "search/base/status.h"
#include "search/exporters/exporter_table.h"
#include "search/hardware/shipped_profiles.h"
#include "search/hardware/shipped_runtimes.h"
#include "search/ops/losses.h"
#include "search/pipeline/find_top_plans.h"
#include "search/pipeline/run_search.h"
#include "search/quantization/dynamic_range.h"
#include "search/quantization/quantizer_table.h"
#include "search/quantization/range_rule_table.h"
#include "search/sensitivity/method_table.h"
#include "search/sensitivity/trace_estimators.h"
#include "search/sensitivity/whole_plan.h"

namespace bitplan::client {
namespace {

constexpr const char* kMeasuringGroup = "Measuring";
constexpr const char* kEvaluationGroup = "Evaluation";
constexpr const char* kQuantizedActivations = "quantized";
constexpr const char* kFloatActivations = "float";

std::string CheckBudget(const std::string& text) { return MessageOf(pipeline::ParseBudget(text).status()); }

std::string CheckPin(const std::string& text) { return MessageOf(ParseWidthRule(WidthRuleKind::kPin, text).status()); }

std::string CheckForbid(const std::string& text) {
  return MessageOf(ParseWidthRule(WidthRuleKind::kForbid, text).status());
}

std::string CheckTie(const std::string& text) {
  const size_t comma = text.find(',');
  const bool is_group = comma != std::string::npos && comma > 0 && comma + 1 < text.size();
  return is_group ? "" : fmt::format("got '{}', want at least two layer names with commas between", text);
}

std::string CheckSave(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder)) return fmt::format("no folder '{}'", folder.string());
  return MessageOf(exporters::ExporterOfFile(path).status());
}

std::string CheckCalibration(const std::string& text) {
  const size_t comma = text.find(',');
  for (const std::string& path : {text.substr(0, comma), comma == std::string::npos ? "" : text.substr(comma + 1)}) {
    if (!path.empty() && !std::filesystem::is_regular_file(path)) return "no file '" + path + "'";
  }
  return "";
}

template <typename Entries>
std::vector<std::string> NamesOf(const Entries& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.emplace_back(entry.name);
  return names;
}

template <typename Values>
std::vector<std::string> TextsOf(const Values& values) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const auto value : values) texts.emplace_back(ToString(value));
  return texts;
}

void AddSources(CLI::App& app, SearchArguments& to, bool on_server) {
  CLI::Option* model = app.add_option("model", to.model, "ONNX network")->check(CLI::ExistingFile);
  CLI::Option* calibration = app.add_option("--calibration", to.calibration,
                                            "Calibration data: data.npz (arrays images or inputs by name, and labels), "
                                            "or images.npy,labels.npy")
                                 ->check(CheckCalibration)
                                 ->type_name("FILES")
                                 ->needs(model);
  model->needs(calibration);
  CLI::Option* given = app.add_option("--sensitivities", to.sensitivities,
                                      "Given sensitivities (docs/formats/sensitivities.md) in place of a network")
                           ->check(CLI::ExistingFile)
                           ->type_name("FILE")
                           ->excludes(model);
  if (on_server) {
    app.add_option("--measurement", to.measurement, "Measurement on the server in place of a network: answers at once")
        ->type_name("NAME")
        ->excludes(model)
        ->excludes(given);
  }
}

void AddProblem(CLI::App& app, SearchArguments& to, bool needs_budget) {
  to.hardware = hardware::kDefaultProfile;
  app.add_option("--budget", to.budgets,
                 "RESOURCE=AMOUNT, once for each resource: size=500kB, size=0.5x (of uniform 8 bit), size=0.5@w4:w8 "
                 "(half way from uniform 4 to 8 bit), bops=1.2G, latency=3.5ms; size>=300kB is a lower limit")
      ->required(needs_budget)
      ->check(CheckBudget)
      ->type_name("BUDGET")
      ->allow_extra_args(false);
  app.add_option("--hardware", to.hardware, "Hardware profile: a name, or a profile document FILE.json")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--tie", to.ties, "LAYER,LAYER[,..]: layers that must get the same option; may be repeated")
      ->check(CheckTie)
      ->type_name("LAYERS")
      ->allow_extra_args(false);
  app.add_option(
         "--runtime", to.runtime,
         "Runtime that the plan is for, whose rules say which layers share a scheme: a name ('runtime list') or "
         "FILE.json [none]")
      ->type_name("NAME");
  app.add_option("--pin", to.pins,
                 "LAYER=WIDTHS: the layer takes these widths: conv1=8 (weight bits), conv1=a8 (activation bits), "
                 "conv1=w4a8; may be repeated")
      ->check(CheckPin)
      ->type_name("RULE")
      ->allow_extra_args(false);
  app.add_option("--forbid", to.forbids, "LAYER=WIDTHS: the layer must not take these widths; may be repeated")
      ->check(CheckForbid)
      ->type_name("RULE")
      ->allow_extra_args(false);
  app.add_flag("--untie-activations", to.untie_activations,
               "Layers whose activations meet in residual additions may take different activation widths");
  app.add_flag("--leave-out-unpriced", to.leave_out_unpriced,
               "Leave options out that the profile has no cost for, instead of refusing");
  app.add_flag("--repair-monotonicity", to.repair_monotonicity,
               "Change scores so that more weight bits are never predicted to be worse; the plan's warnings say what "
               "changed. Not for methods that predict whole plans");
}

}  // namespace

std::vector<std::string> EstimatingMethods() {
  std::vector<std::string> names;
  for (const auto& method : sensitivity::Methods()) {
    if (method.score != nullptr) names.emplace_back(method.name);
  }
  return names;
}

void AddMeasuringOptions(CLI::App& app, SearchArguments& to) {
  const auto add = [&](const char* flag, auto& value, const char* help) {
    return app.add_option(flag, value, help)->capture_default_str()->group(kMeasuringGroup);
  };
  // One argument with commas, so that a network may stand behind it.
  const auto list = [](CLI::Option* option, const char* type) {
    option->allow_extra_args(false)->delimiter(',')->type_name(type);
  };
  add("--method", to.sensitivity.method, "Sensitivity method")->check(CLI::IsMember(EstimatingMethods()));
  list(
      add("--bits", to.quantization.weight_bits, "Weight bits to choose from; without either list those the device has")
          ->each([&to](const std::string&) { to.has_widths = true; }),
      "N,N,..");
  list(app.add_option("--activation-bits", to.quantization.activation_bits,
                      "Activation bits to choose from; same: as many as weights [8]")
           ->each([&to](const std::string&) { to.has_widths = true; })
           ->transform([](const std::string& text) { return text == "same" ? std::to_string(kSameAsWeights) : text; })
           ->group(kMeasuringGroup),
       "N,N,..");
  list(add("--schemes", to.quantization.schemes, "Quantizers to choose from")
           ->check(CLI::IsMember(NamesOf(quantization::Quantizers()))),
       "NAME,..");
  list(app.add_option("--granularities", to.granularities,
                      "per_tensor, per_channel, per_group, per_channel_group [per_tensor,per_channel]")
           ->check(CLI::IsMember(TextsOf(kGranularities)))
           ->group(kMeasuringGroup),
       "NAME,..");
  list(add("--group-sizes", to.quantization.group_sizes, "Weights of a group for per_group"), "N,N,..");
  list(add("--channel-group-sizes", to.quantization.channel_group_sizes, "Channels of a group for per_channel_group"),
       "N,N,..");
  list(add("--range-rules", to.quantization.range_rules, "Which part of the weights' range is mapped to codes")
           ->check(CLI::IsMember(NamesOf(quantization::RangeRules()))),
       "NAME,..");
  list(app.add_option("--roundings", to.roundings, "nearest, stochastic [nearest]")
           ->check(CLI::IsMember(TextsOf(kRoundings)))
           ->group(kMeasuringGroup),
       "NAME,..");
  app.add_flag("--quantize-activations", to.sensitivity.quantize_activations,
               "Sensitivities count quantized activations too (measured_loss)")
      ->group(kMeasuringGroup);
  add("--activation-range", to.sensitivity.activation_range,
      "Rule of their ranges on the calibration data, ternary at 2 bits (ternary), or at run time: dynamic_sample, "
      "dynamic_token")
      ->check(CLI::IsMember(quantization::ActivationRangeNames()));
  add("--output-changes", to.sensitivity.output_changes,
      "For whole-plan methods: outputs' changes measured, or to first_order")
      ->check(CLI::IsMember(
          std::vector<std::string>(sensitivity::kOutputChanges.begin(), sensitivity::kOutputChanges.end())));
  std::vector<std::string> losses = {"auto"};
  for (const std::string& name : NamesOf(ops::LossTable())) losses.push_back(name);
  add("--loss", to.sensitivity.loss, "Loss, or auto: by the targets")->check(CLI::IsMember(losses));
  add("--label-smoothing", to.sensitivity.label_smoothing, "Share of each label that is spread over all classes")
      ->check(CLI::Range(0.0, 1.0));
  add("--samples", to.sensitivity.max_samples, "Only the first N calibration samples; 0: all");
  add("--seed", to.sensitivity.seed, "Seed of every random draw")->check([](const std::string& text) {
    return text.starts_with('-') ? fmt::format("got '{}', want 0 or more", text) : "";
  });
  add("--trace-estimator", to.sensitivity.trace_estimator, "How traces are estimated")
      ->check(CLI::IsMember(NamesOf(sensitivity::TraceEstimators())));
  add("--trace-error", to.sensitivity.trace_relative_error, "Wanted relative standard error of each layer's trace");
  add("--memory-limit", to.sensitivity.max_memory_bytes,
      "Memory for measuring, in bytes or with MB, GB, MiB; 0: no limit")
      ->transform(CLI::AsSizeValue(true));
  add("--max-probes", to.sensitivity.max_probes, "Most work for the traces, in passes over all samples");
}

namespace {

void AddLimits(CLI::App& app, SearchArguments& to, const std::string& time_help) {
  const std::string group = "Solving";
  app.add_option("--time-limit", to.solver.time_limit_s, time_help)
      ->check(CLI::Range(0.001, 3600.0))
      ->type_name("SECONDS")
      ->group(group);
  app.add_option("--gap", to.solver.relative_gap, "Stop at this relative gap; 0: prove optimality")
      ->check(CLI::Range(0.0, 0.999))
      ->capture_default_str()
      ->group(group);
}

void AddSolving(CLI::App& app, SearchArguments& to, const std::string& time_help) {
  const std::string group = "Solving";
  std::vector<std::string> solvers = {"auto"};
  for (const std::string& name : NamesOf(allocation::Solvers())) solvers.push_back(name);
  app.add_option("--solver", to.solver.solver, "Solver")
      ->check(CLI::IsMember(solvers))
      ->capture_default_str()
      ->group(group);
  AddLimits(app, to, time_help);
}

void AddEvaluation(CLI::App& app, SearchArguments& to) {
  CLI::Option* evaluation =
      app.add_option("--evaluation", to.evaluation,
                     "Held-out data: run the plan on them when it is found, beside the float network and uniform plans")
          ->check(CheckCalibration)
          ->type_name("FILES")
          ->group(kEvaluationGroup);
  app.add_option("--evaluation-activations", to.evaluation_activations,
                 "quantized (over ranges of the calibration data) or float [as the sensitivities count them]")
      ->check(CLI::IsMember({kQuantizedActivations, kFloatActivations}))
      ->needs(evaluation)
      ->group(kEvaluationGroup);
  app.add_option("--evaluation-samples", to.evaluation_samples, "Use only the first N held-out samples; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->needs(evaluation)
      ->group(kEvaluationGroup);
}

// Exactly one source; the parser itself can only say "at most one".
absl::Status ValidateSource(const CLI::App& app, const SearchArguments& arguments) {
  if (!arguments.model.empty()) return absl::OkStatus();
  if (arguments.sensitivities.empty() && arguments.measurement.empty()) {
    return InvalidArgument("a network (MODEL.onnx with --calibration) or --sensitivities is required");
  }
  if (!arguments.evaluation.empty() && !arguments.sensitivities.empty()) {
    return InvalidArgument(
        "--evaluation: given sensitivities come without a network to run; 'plan evaluate' takes one");
  }
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() != kMeasuringGroup || option->count() == 0) continue;
    return InvalidArgument("{}: only for a network that is still to be measured", option->get_name());
  }
  return absl::OkStatus();
}

// What the options say together.
absl::Status ValidateArguments(const CLI::App& app, const SearchArguments& arguments) {
  BITPLAN_RETURN_IF_ERROR(ValidateSource(app, arguments));
  BITPLAN_ASSIGN_OR_RETURN(const auto budgets, BudgetsOf(arguments));
  BITPLAN_RETURN_IF_ERROR(pipeline::ValidateSearchRequest({.budgets = budgets, .solver = arguments.solver}));
  BITPLAN_RETURN_IF_ERROR(QuantizationOf(arguments).status());
  return Validate(arguments.sensitivity);
}

}  // namespace

std::shared_ptr<SearchArguments> AddSearchOptions(CLI::App& app, bool on_server) {
  auto arguments = std::make_shared<SearchArguments>();
  AddSources(app, *arguments, on_server);
  AddProblem(app, *arguments, /*needs_budget=*/true);
  app.add_option("--robustness", arguments->robustness_resamples,
                 "Resampled searches that tell how sure each layer's option is, given the standard errors; 0: none")
      ->type_name("COUNT")
      ->capture_default_str();
  app.add_option("--save", arguments->save, "Also write the plan to FILE.json or FILE.csv")
      ->check(CheckSave)
      ->type_name("FILE");
  if (!on_server) {
    AddThreads(app, arguments->threads);
    app.add_flag("--forecast", arguments->forecast, "Only say how long measuring would take, from a short pilot")
        ->needs("model");
  }
  AddMeasuringOptions(app, *arguments);
  AddSolving(app, *arguments, "Seconds for solving [60]");
  AddEvaluation(app, *arguments);
  app.parse_complete_callback([&app, to = arguments.get()] {
    const absl::Status status = ValidateArguments(app, *to);
    const auto code = CLI::ExitCodes::ValidationError;
    if (!status.ok()) throw CLI::ParseError(MessageOf(status), code);  // caught in commands.cc
  });
  return arguments;
}

namespace {

// What answers at once on a server is of what was measured before.
void AddMeasuredSources(CLI::App& app, SearchArguments& to, bool on_server) {
  if (!on_server) {
    AddSources(app, to, on_server);
    return;
  }
  CLI::Option* given = app.add_option("--sensitivities", to.sensitivities,
                                      "Given sensitivities (docs/formats/sensitivities.md): imported first")
                           ->check(CLI::ExistingFile)
                           ->type_name("FILE");
  app.add_option("--measurement", to.measurement, "Measurement on the server")->type_name("NAME")->excludes(given);
}

void AddSweep(CLI::App& app, FrontierArguments& to) {
  const std::string group = "Frontier";
  std::vector<std::string> resources;
  resources.reserve(kResources.size());
  for (const Resource resource : kResources) resources.emplace_back(ToString(resource));
  app.add_option("--resource", to.resource, "Resource whose limit varies; --budget fixes others")
      ->check(CLI::IsMember(resources))
      ->capture_default_str()
      ->group(group);
  CLI::Option* points = app.add_option("--points", to.num_points, "Number of evenly spaced limits")
                            ->check(CLI::Range(2, pipeline::kMostFrontierPoints))
                            ->capture_default_str()
                            ->group(group);
  CLI::Option* limits = app.add_option("--limits", to.limits, "These limits instead: 0.3x,0.5x,500kB")
                            ->allow_extra_args(false)
                            ->delimiter(',')
                            ->type_name("AMOUNT,..")
                            ->excludes(points)
                            ->group(group);
  app.add_flag("--all", to.complete, "Every plan that none beats in both loss and use, with proof")
      ->excludes(limits)
      ->group(group);
}

std::string CheckFrontierSave(const std::string& path) {
  return path.ends_with(".json") || path.ends_with(".csv")
             ? ""
             : fmt::format("got '{}', want a file name that ends in .json or .csv", path);
}

absl::Status ValidateMeasuredSource(const CLI::App& app, const SearchArguments& search, bool on_server) {
  if (!on_server) return ValidateSource(app, search);
  if (!search.sensitivities.empty() || !search.measurement.empty()) return absl::OkStatus();
  return InvalidArgument("--measurement or --sensitivities is required; 'search' and 'local {}' take a network",
                         app.get_name());
}

absl::Status ValidateFrontierArguments(const CLI::App& app, const FrontierArguments& arguments, bool on_server) {
  BITPLAN_RETURN_IF_ERROR(ValidateMeasuredSource(app, arguments.search, on_server));
  BITPLAN_ASSIGN_OR_RETURN(const FrontierSearch request, FrontierOf(arguments));
  BITPLAN_RETURN_IF_ERROR(pipeline::ValidateFrontierSearch(request));
  BITPLAN_RETURN_IF_ERROR(QuantizationOf(arguments.search).status());
  return Validate(arguments.search.sensitivity);
}

absl::Status ValidateTopPlansArguments(const CLI::App& app, const TopPlansArguments& arguments, bool on_server) {
  BITPLAN_RETURN_IF_ERROR(ValidateMeasuredSource(app, arguments.search, on_server));
  BITPLAN_ASSIGN_OR_RETURN(SearchRequest search, SearchRequestOf(arguments.search));
  BITPLAN_RETURN_IF_ERROR(pipeline::ValidateTopPlansSearch({.search = std::move(search), .top = arguments.top}));
  BITPLAN_RETURN_IF_ERROR(QuantizationOf(arguments.search).status());
  return Validate(arguments.search.sensitivity);
}

void AddPlaces(CLI::App& app, TopChoicesRequest& to) {
  const std::string group = "Plans";
  app.add_option("--count", to.count, "How many plans, at most 100")->capture_default_str()->group(group);
  app.add_option("--distance", to.distance, "Any two plans differ in at least so many layers; tied ones count once")
      ->capture_default_str()
      ->group(group);
}

}  // namespace

std::shared_ptr<FrontierArguments> AddFrontierOptions(CLI::App& app, bool on_server) {
  auto arguments = std::make_shared<FrontierArguments>();
  AddMeasuredSources(app, arguments->search, on_server);
  AddSweep(app, *arguments);
  AddProblem(app, arguments->search, /*needs_budget=*/false);
  app.add_option("--save", arguments->search.save, "Also write all points to FILE.json or FILE.csv")
      ->check(CheckFrontierSave)
      ->type_name("FILE");
  if (!on_server) {
    AddThreads(app, arguments->search.threads);
    AddMeasuringOptions(app, arguments->search);
  }
  AddSolving(app, arguments->search, "Seconds for all points together [60; server: 10]");
  app.parse_complete_callback([&app, to = arguments.get(), on_server] {
    const absl::Status status = ValidateFrontierArguments(app, *to, on_server);
    const auto code = CLI::ExitCodes::ValidationError;
    if (!status.ok()) throw CLI::ParseError(MessageOf(status), code);  // caught in commands.cc
  });
  return arguments;
}

absl::StatusOr<RuntimeRules> ReadRuntime(const std::string& name_or_path) {
  if (!name_or_path.ends_with(".json")) return hardware::FindShippedRuntime(name_or_path);
  BITPLAN_ASSIGN_OR_RETURN(const std::string json, ReadFile(name_or_path));
  return hardware::ParseRuntime(json);
}

absl::StatusOr<std::optional<RuntimeRules>> RuntimeOf(const SearchArguments& arguments) {
  if (arguments.runtime.empty()) return std::nullopt;
  BITPLAN_ASSIGN_OR_RETURN(RuntimeRules runtime, ReadRuntime(arguments.runtime));
  return std::optional(std::move(runtime));
}

std::shared_ptr<TopPlansArguments> AddTopPlansOptions(CLI::App& app, bool on_server) {
  auto arguments = std::make_shared<TopPlansArguments>();
  AddMeasuredSources(app, arguments->search, on_server);
  AddPlaces(app, arguments->top);
  AddProblem(app, arguments->search, /*needs_budget=*/true);
  if (on_server) {
    app.add_flag("--store", arguments->store, "Store the plans on the server");
  } else {
    app.add_option("--save", arguments->search.save, "Also write the plans to FILE-1.json, FILE-2.json, ... (or .csv)")
        ->check(CheckSave)
        ->type_name("FILE.json");
    AddThreads(app, arguments->search.threads);
    AddMeasuringOptions(app, arguments->search);
  }
  AddSolving(app, arguments->search, "Seconds for all plans together [60; server: 10]");
  app.parse_complete_callback([&app, to = arguments.get(), on_server] {
    const absl::Status status = ValidateTopPlansArguments(app, *to, on_server);
    const auto code = CLI::ExitCodes::ValidationError;
    if (!status.ok()) throw CLI::ParseError(MessageOf(status), code);  // caught in commands.cc
  });
  return arguments;
}

absl::StatusOr<FrontierSearch> FrontierOf(const FrontierArguments& arguments) {
  FrontierSearch request{.num_points = arguments.num_points, .complete = arguments.complete};
  BITPLAN_ASSIGN_OR_RETURN(request.search, SearchRequestOf(arguments.search));
  BITPLAN_ASSIGN_OR_RETURN(request.resource, ParseResource(arguments.resource));
  request.limits.reserve(arguments.limits.size());
  for (const std::string& text : arguments.limits) {
    BITPLAN_ASSIGN_OR_RETURN(request.limits.emplace_back(),
                             pipeline::ParseBudget(fmt::format("{}={}", arguments.resource, text)));
  }
  return request;
}

absl::StatusOr<SearchRequest> SearchRequestOf(const SearchArguments& arguments) {
  SearchRequest request{.ties = TiesOf(arguments),
                        .leave_out_unpriced = arguments.leave_out_unpriced,
                        .repair_monotonicity = arguments.repair_monotonicity,
                        .robustness_resamples = arguments.robustness_resamples,
                        .solver = arguments.solver,
                        .untie_activations = arguments.untie_activations};
  BITPLAN_ASSIGN_OR_RETURN(request.budgets, BudgetsOf(arguments));
  BITPLAN_ASSIGN_OR_RETURN(request.rules, RulesOf(arguments));
  BITPLAN_ASSIGN_OR_RETURN(request.runtime, RuntimeOf(arguments));
  return request;
}

absl::StatusOr<std::vector<BudgetSpec>> BudgetsOf(const SearchArguments& arguments) {
  std::vector<BudgetSpec> budgets;
  for (const std::string& text : arguments.budgets) {
    BITPLAN_ASSIGN_OR_RETURN(budgets.emplace_back(), pipeline::ParseBudget(text));
  }
  return budgets;
}

absl::StatusOr<std::vector<WidthRule>> RulesOf(const SearchArguments& arguments) {
  std::vector<WidthRule> rules;
  for (const std::string& text : arguments.pins) {
    BITPLAN_ASSIGN_OR_RETURN(rules.emplace_back(), ParseWidthRule(WidthRuleKind::kPin, text));
  }
  for (const std::string& text : arguments.forbids) {
    BITPLAN_ASSIGN_OR_RETURN(rules.emplace_back(), ParseWidthRule(WidthRuleKind::kForbid, text));
  }
  return rules;
}

std::vector<std::vector<std::string>> TiesOf(const SearchArguments& arguments) {
  std::vector<std::vector<std::string>> ties;
  ties.reserve(arguments.ties.size());
  for (const std::string& text : arguments.ties) ties.push_back(CLI::detail::split(text, ','));
  return ties;
}

std::optional<bool> QuantizesActivations(const SearchArguments& arguments) {
  if (arguments.evaluation_activations.empty()) return std::nullopt;
  return arguments.evaluation_activations == kQuantizedActivations;
}

absl::StatusOr<QuantizationOptions> QuantizationOf(const SearchArguments& arguments) {
  QuantizationOptions quantization = arguments.quantization;
  if (!arguments.granularities.empty()) quantization.granularities.clear();
  for (const std::string& name : arguments.granularities) {
    BITPLAN_ASSIGN_OR_RETURN(quantization.granularities.emplace_back(), ParseGranularity(name));
  }
  if (!arguments.roundings.empty()) quantization.roundings.clear();
  for (const std::string& name : arguments.roundings) {
    BITPLAN_ASSIGN_OR_RETURN(quantization.roundings.emplace_back(), ParseRounding(name));
  }
  if (!arguments.has_widths && !arguments.hardware.empty()) {
    // A name that is not known here may be known to the server; if not, it is its business to say so.
    const absl::StatusOr<HardwareProfile> profile = ReadProfile(arguments.hardware);
    if (profile.ok()) quantization = pipeline::DefaultWidthsFor(*profile, std::move(quantization));
  }
  BITPLAN_RETURN_IF_ERROR(Validate(quantization));
  return quantization;
}

}  // namespace bitplan::client
