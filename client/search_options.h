#ifndef BITPLAN_CLIENT_SEARCH_OPTIONS_H_
#define BITPLAN_CLIENT_SEARCH_OPTIONS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/commands.h"
#include "search/allocation/solver_options.h"
#include "search/allocation/top_choices.h"
#include "search/layer/width_rule.h"
#include "search/pipeline/budget.h"
#include "search/pipeline/run_frontier.h"
#include "search/quantization/options.h"
#include "search/sensitivity/estimate.h"

namespace bitplan::client {

// What `search` and `local search` ask for, as typed.
struct SearchArguments {
  std::string model;          // path of an ONNX file; or
  std::string sensitivities;  // path of a sensitivities document; or
  std::string measurement;    // name or id on the server
  std::string calibration;    // with model: ReadCalibration

  // Run the plan on held-out data when it is found.
  std::string evaluation;              // ReadCalibration; empty: no evaluation
  std::string evaluation_activations;  // "quantized", "float" or, empty, as the sensitivities count them
  int64_t evaluation_samples = 0;      // only the first so many; 0: all

  bool has_widths = false;  // weight or activation bits were listed; else DefaultWidthsFor says which
  std::string hardware;     // name of a profile or path of a profile document (*.json)
  std::vector<std::string> budgets;
  std::vector<std::string> ties;  // "layer,layer[,layer..]" each
  std::string runtime;            // ReadRuntime; empty: none

  QuantizationOptions quantization;
  std::vector<std::string> granularities;  // names; empty: quantization's default
  std::vector<std::string> roundings;      // likewise
  SensitivityOptions sensitivity;
  SolverOptions solver;
  bool leave_out_unpriced = false;
  bool repair_monotonicity = false;
  std::vector<std::string> pins;     // "layer=widths" each
  std::vector<std::string> forbids;  // likewise
  bool untie_activations = false;
  int robustness_resamples = 0;

  std::string save;       // path; empty: not asked for
  int threads = 0;        // local only; 0: all processors
  bool forecast = false;  // local only: say what measuring would take and stop
};

// Adds the options to `app`; the values arrive in the returned struct when it has parsed. `on_server` picks those that
// need a server (measurement) or run without one (threads). What is wrong by itself (a budget that cannot be read, a
// format that does not exist) is refused while parsing, as wrong usage.
std::shared_ptr<SearchArguments> AddSearchOptions(CLI::App& app, bool on_server);

// What `frontier` and `local frontier` ask for besides: sources, other budgets and solving are those of a search.
struct FrontierArguments {
  SearchArguments search;
  std::string resource = "size";
  int num_points = 20;
  std::vector<std::string> limits;  // amounts of `resource`: "0.5x", "500kB"
  bool complete = false;
};
std::shared_ptr<FrontierArguments> AddFrontierOptions(CLI::App& app, bool on_server);
// Without a profile.
absl::StatusOr<FrontierSearch> FrontierOf(const FrontierArguments& arguments);

// What `top` and `local top` ask for besides: everything else is as for a search.
struct TopPlansArguments {
  SearchArguments search;
  TopChoicesRequest top;
  bool store = false;  // on a server
};
std::shared_ptr<TopPlansArguments> AddTopPlansOptions(CLI::App& app, bool on_server);

// What is asked for, read, without a profile. Everything was checked while parsing.
absl::StatusOr<SearchRequest> SearchRequestOf(const SearchArguments& arguments);

// The rules of a runtime: shipped, by name, or from a document FILE.json.
absl::StatusOr<RuntimeRules> ReadRuntime(const std::string& name_or_path);
// None where the arguments name none.
absl::StatusOr<std::optional<RuntimeRules>> RuntimeOf(const SearchArguments& arguments);

// What is measured and how: the options' lists, method, estimators. For commands besides the searches.
void AddMeasuringOptions(CLI::App& app, SearchArguments& to);
// Names of the methods that `--method` takes: all that estimate.
std::vector<std::string> EstimatingMethods();

// The budgets, read. They were checked while parsing.
absl::StatusOr<std::vector<BudgetSpec>> BudgetsOf(const SearchArguments& arguments);
// Pins, then forbidden widths, read. They were checked while parsing.
absl::StatusOr<std::vector<WidthRule>> RulesOf(const SearchArguments& arguments);
// "a,b" and "c,d" as groups of names.
std::vector<std::vector<std::string>> TiesOf(const SearchArguments& arguments);
// Whether the evaluation quantizes activations; nullopt: as the sensitivities count them.
std::optional<bool> QuantizesActivations(const SearchArguments& arguments);
// Everything about options and estimators, checked.
absl::StatusOr<QuantizationOptions> QuantizationOf(const SearchArguments& arguments);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_SEARCH_OPTIONS_H_
