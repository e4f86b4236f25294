#ifndef BITPLAN_TESTS_BENCH_NETWORK_PLANS_H_
#define BITPLAN_TESTS_BENCH_NETWORK_PLANS_H_

// What predictor_bench and plan_bench share: a network with its data, options that are symmetric per channel, and plans
// that are run.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "search/base/status.h"
#include "search/data/npz.h"
#include "search/onnx/parse_model.h"
#include "search/ops/objective.h"
#include "search/quantization/options.h"
#include "search/quantization/quantizer.h"
#include "search/sensitivity/activation_ranges.h"
#include "search/sensitivity/estimate.h"
#include "search/sensitivity/measured_loss.h"
#include "search/sensitivity/plan_predictor.h"

namespace bitplan::bench {

using Choice = std::vector<int>;  // option of each layer
using Scores = std::vector<std::vector<double>>;

inline std::string ReadAll(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void Need(const absl::Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "{}\n", MessageOf(status));
  std::exit(1);
}

template <typename T>
T Need(absl::StatusOr<T> value) {
  Need(value.status());
  return *std::move(value);
}

inline double Millis(std::clock_t start) { return static_cast<double>(std::clock() - start) * 1e3 / CLOCKS_PER_SEC; }

inline std::vector<int> ParseWidths(const std::string& text) {
  std::vector<int> widths;
  for (size_t at = 0; at < text.size();) {
    widths.push_back(std::atoi(text.c_str() + at));
    const size_t comma = text.find(',', at);
    at = comma == std::string::npos ? text.size() : comma + 1;
  }
  return widths;
}

struct RunResult {
  double loss_increase = 0;
  double accuracy = 0;  // of class labels; 0 without
};

class NetworkPlans {
 public:
  // activations: each layer's activations take the width of its weights; else they stay float.
  NetworkPlans(const char* model, const char* calibration, const char* held_out, const std::vector<int>& widths,
               bool activations)
      : graph(Need(onnx::ParseModel(ReadAll(model)))),
        calibration(Need(data::ParseNpz(ReadAll(calibration)))),
        held_out(Need(data::ParseNpz(ReadAll(held_out)))),
        activations(activations),
        options(Need(quantization::ListOptions(
            graph.layers,
            {.weight_bits = widths,
             .activation_bits = {activations ? kSameAsWeights : 32},
             .schemes = {"symmetric"},
             .granularities = {Granularity::kPerChannel}}))),
        on_calibration(Need(Objective::Create(graph, this->calibration, {}))),
        on_held_out(Need(Objective::Create(graph, this->held_out, {}))) {
    for (int l = 0; l < num_layers(); ++l) {
      const auto [offset, size] = on_calibration->slices()[l];
      const Layer& layer = graph.layers.layers[l];
      const TensorView weight(on_calibration->weights().subspan(offset, size), layer.weight_shape);
      for (const Option& option : options.options[l]) {
        perturbations[l].push_back(Need(quantization::Perturb(weight, layer.output_channel_axis, option)).delta);
      }
    }
    if (activations) ranges = Need(sensitivity::CalibrateActivations(graph, *on_calibration, kRange, {}));
  }

  int num_layers() const { return static_cast<int>(graph.layers.layers.size()); }

  double GradientMillis() const {
    double best = 1e300;
    for (int i = 0; i < 5; ++i) {
      const std::clock_t start = std::clock();
      Need(on_calibration->Gradient({}, {}).status());
      best = std::min(best, Millis(start));
    }
    return best;
  }

  MethodInput Input(const Objective& objective) const {
    return {.objective = objective,
            .layers = graph.layers,
            .options = options,
            .perturbation_sq = none_,
            .curvature = no_curvature_,
            .perturbations = perturbations,
            .settings = settings_,
            .checkpoint_prefix = no_prefix_,
            .activations = activations ? &ranges : nullptr};
  }

  Scores ScoresBy(const std::string& method) const {
    SensitivityOptions settings{.method = method, .seed = 1};
    settings.quantize_activations = activations;
    settings.activation_range = kRange;
    return Need(sensitivity::Estimate(graph, calibration, options, settings, {})).score;
  }

  OutputResponses FirstOrderChanges() const {
    ActivationChanges changes;
    if (activations) changes = Need(sensitivity::ActivationChangesOf(ranges, options));
    return Need(curvature::MeasureResponses(*on_calibration, perturbations, {}, {}, changes));
  }

  OutputResponses MeasuredChanges() const {
    return Need(sensitivity::MeasureChanges(Input(*on_calibration), int64_t{1} << 30, {})).responses;
  }

  PlanPredictor Predictor(OutputResponses responses, PlanForm form, bool label_free) const {
    const Tensor outputs = Need(on_calibration->Outputs({}, {}));
    return Need(PlanPredictor::Create({.form = form,
                                       .loss = (label_free ? "label_free_" : "") + on_calibration->loss_name(),
                                       .output_shape = outputs.shape,
                                       .outputs = outputs.data,
                                       .targets = calibration.targets,
                                       .responses = std::move(responses)}));
  }

  RunResult Run(const Objective& objective, const Dataset& data, const Choice& plan) const {
    std::vector<std::vector<float>> weights(plan.size());
    Substitution substitution;
    std::vector<const Option*> chosen;
    for (int l = 0; l < num_layers(); ++l) {
      const auto [offset, size] = objective.slices()[l];
      const std::span<const float> own = objective.weights().subspan(offset, size);
      weights[l].assign(own.begin(), own.end());
      for (int64_t i = 0; i < size; ++i) weights[l][i] += perturbations[l][plan[l]][i];
      substitution.weights[l] = weights[l];
      chosen.push_back(&options.options[l][plan[l]]);
    }
    if (activations) {
      substitution.transforms =
          Need(sensitivity::ActivationTransforms(ranges, sensitivity::WidthsOfPoints(ranges, chosen)));
    }
    const auto* labels = std::get_if<ClassLabels>(&data.targets);
    double sum = 0;
    int64_t right = 0;
    const auto visit = [&](int, int64_t first, std::span<const float> outputs, std::span<const double> losses) {
      const int64_t width = std::ssize(outputs) / std::ssize(losses);
      for (size_t n = 0; n < losses.size(); ++n) {
        sum += losses[n];
        const std::span<const float> row = outputs.subspan(n * width, width);
        if (labels != nullptr) right += std::ranges::max_element(row) - row.begin() == (*labels)[first + n] ? 1 : 0;
      }
    };
    Need(objective.RunSubstituted(std::span(&substitution, 1), visit, {}));
    const auto samples = static_cast<double>(objective.num_samples());
    return {.loss_increase = sum / samples - Need(objective.Loss({}, {})),
            .accuracy = static_cast<double>(right) / samples};
  }
  RunResult OnCalibration(const Choice& plan) const { return Run(*on_calibration, calibration, plan); }
  RunResult OnHeldOut(const Choice& plan) const { return Run(*on_held_out, held_out, plan); }

 private:
  static constexpr const char* kRange = "mse";  // of activations

 public:
  Graph graph;
  Dataset calibration;
  Dataset held_out;
  bool activations = false;
  OptionTable options;
  std::unique_ptr<Objective> on_calibration;
  std::unique_ptr<Objective> on_held_out;
  curvature::Perturbations perturbations = curvature::Perturbations(options.options.size());
  ActivationCalibration ranges;

 private:
  std::vector<std::vector<double>> none_;
  std::vector<LayerCurvature> no_curvature_;
  SensitivityOptions settings_;
  std::string no_prefix_;
};

}  // namespace bitplan::bench

#endif  // BITPLAN_TESTS_BENCH_NETWORK_PLANS_H_
