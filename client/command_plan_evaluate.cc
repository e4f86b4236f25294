#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/commands.h"
#include "client/evaluation_output.h"
#include "client/files.h"
#include "client/local_run.h"
#include "client/model_file.h"
#include "client/plan_source.h"
#include "search/base/status.h"
#include "search/ops/losses.h"
#include "search/pipeline/run_evaluation.h"
#include "search/quantization/dynamic_range.h"

namespace bitplan::client {
namespace {

struct EvaluateArguments {
  std::string plan;
  std::string model;
  std::string held_out;
  std::string calibration;  // empty: activations stay float, unless their ranges are dynamic
  EvaluationOptions options;
  std::string save;
  int threads = 0;
};

absl::StatusOr<ExitCode> Run(Session& session, const EvaluateArguments& arguments) {
  BITPLAN_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(session, arguments.plan));
  BITPLAN_ASSIGN_OR_RETURN(const std::string onnx, ReadModel(arguments.model));
  BITPLAN_ASSIGN_OR_RETURN(const std::string held_out, ReadCalibration(arguments.held_out));
  std::string calibration;
  if (!arguments.calibration.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(calibration, ReadCalibration(arguments.calibration));
  }
  const LocalRun run(session, arguments.threads);
  BITPLAN_ASSIGN_OR_RETURN(
      const Evaluation evaluation,
      pipeline::Evaluate(
          {.onnx = onnx, .held_out = held_out, .calibration = calibration, .plan = plan, .options = arguments.options},
          run.context()));
  BITPLAN_RETURN_IF_ERROR(PrintEvaluation(session, evaluation, arguments.save));
  return ExitCode::kOk;
}

template <typename Entries>
std::vector<std::string> NamesOf(const Entries& entries, std::vector<std::string> names = {}) {
  for (const auto& entry : entries) names.emplace_back(entry.name);
  return names;
}

}  // namespace

Action DeclarePlanEvaluate(CLI::App& app) {
  auto arguments = std::make_shared<EvaluateArguments>();
  app.add_option("plan", arguments->plan, kPlanHelp)->required();
  app.add_option("--model", arguments->model, "The ONNX network that the plan is of")
      ->required()
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  app.add_option("--data", arguments->held_out,
                 "Held-out data, not those the plan was made from: data.npz, or images.npy,labels.npy")
      ->required()
      ->type_name("FILES");
  app.add_option("--calibration", arguments->calibration,
                 "Calibration data: quantize activations too, over their ranges on these data; else they stay float")
      ->type_name("FILES");
  app.add_option("--activation-range", arguments->options.activation_range,
                 "Rule of the activations' ranges on the calibration data (ternary: three levels at 2 bits), or at run "
                 "time, without such data: dynamic_sample, dynamic_token")
      ->check(CLI::IsMember(quantization::ActivationRangeNames()))
      ->capture_default_str();
  app.add_option("--loss", arguments->options.loss, "Loss, or auto: by the targets")
      ->check(CLI::IsMember(NamesOf(ops::LossTable(), {"auto"})))
      ->capture_default_str();
  app.add_option("--label-smoothing", arguments->options.label_smoothing,
                 "Share of each label that is spread over all classes")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--samples", arguments->options.max_samples, "Use only the first N held-out samples; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--memory-limit", arguments->options.max_memory_bytes,
                 "Memory besides model and data, in bytes or with MB, GB, MiB; 0: no limit")
      ->transform(CLI::AsSizeValue(true))
      ->capture_default_str();
  AddThreads(app, arguments->threads);
  app.add_option("--save", arguments->save, "Also write the JSON document to FILE")->type_name("FILE");
  return [arguments](Session& session) { return Run(session, *arguments); };
}

}  // namespace bitplan::client
