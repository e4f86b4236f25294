#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/commands.h"
#include "client/comparison_output.h"
#include "client/files.h"
#include "client/local_run.h"
#include "client/model_file.h"
#include "client/search_options.h"
#include "search/base/status.h"
#include "search/pipeline/run_evaluation.h"

namespace bitplan::client {
namespace {

struct CompareArguments {
  SearchArguments measuring;
  std::string held_out;
  std::vector<std::string> methods;
  int num_plans = ComparisonOptions{}.num_plans;
};

absl::StatusOr<ExitCode> Run(Session& session, const CompareArguments& arguments) {
  const SearchArguments& measuring = arguments.measuring;
  BITPLAN_ASSIGN_OR_RETURN(const std::string onnx, ReadModel(measuring.model));
  BITPLAN_ASSIGN_OR_RETURN(const std::string npz, ReadCalibration(measuring.calibration));
  std::string held_out;
  if (!arguments.held_out.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(held_out, ReadCalibration(arguments.held_out));
  }
  CompareRequest request{.measure = {.onnx = onnx, .dataset = npz, .sensitivity = measuring.sensitivity},
                         .held_out = held_out,
                         .methods = arguments.methods,
                         .num_plans = arguments.num_plans};
  BITPLAN_ASSIGN_OR_RETURN(request.measure.quantization, QuantizationOf(measuring));
  const LocalRun run(session, measuring.threads);
  BITPLAN_ASSIGN_OR_RETURN(const MethodComparison comparison, pipeline::CompareMethods(request, run.context()));
  session.console.Answer(session.globals.is_json() ? ComparisonJson(comparison) : RenderComparison(comparison));
  return ExitCode::kOk;
}

}  // namespace

Action DeclareLocalCompare(CLI::App& app) {
  auto arguments = std::make_shared<CompareArguments>();
  app.add_option("model", arguments->measuring.model, "ONNX network")->required()->check(CLI::ExistingFile);
  app.add_option("--calibration", arguments->measuring.calibration, "Calibration data, as for a search")
      ->required()
      ->type_name("FILES");
  app.add_option("--data", arguments->held_out, "Held-out data to run the plans on, too")->type_name("FILES");
  app.add_option("--methods", arguments->methods, "Methods to compare; default: all")
      ->check(CLI::IsMember(EstimatingMethods()))
      ->allow_extra_args(false)
      ->delimiter(',')
      ->type_name("NAME,..");
  app.add_option("--plans", arguments->num_plans, "Random plans to run")
      ->check(CLI::Range(2, 1'000'000))
      ->capture_default_str();
  AddThreads(app, arguments->measuring.threads);
  AddMeasuringOptions(app, arguments->measuring);
  app.remove_option(app.get_option("--method"));
  return [arguments](Session& session) { return Run(session, *arguments); };
}

}  // namespace bitplan::client
