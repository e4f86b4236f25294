// Searched plans at the sizes of uniform ones, run on held-out data:
//
//   plan_bench model.onnx calibration.npz held_out.npz [budgets [activations]]
//
// Budgets: the sizes of these uniform widths (a comma-separated list, default 2,3,4), symmetric per channel over
// min-max ranges. "plain" plans choose among such options of 2, 3, 4, 5, 6 and 8 bits; the others also among affine
// codes, the full range of symmetric ones (symmetric_full) and ranges of least squared error (mse). With "activations"
// each layer's activations take the width of its weights, over ranges of least squared error. For each budget and
// method: predicted loss increase; measured on calibration data; measured on held-out data, with accuracy; proven gap;
// CPU time of the search.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "search/allocation/convex_search.h"
#include "search/allocation/solve.h"
#include "search/base/status.h"
#include "search/data/npz.h"
#include "search/onnx/parse_model.h"
#include "search/ops/objective.h"
#include "search/pipeline/predicted_loss.h"
#include "search/quantization/options.h"
#include "search/quantization/quantizer.h"
#include "search/quantization/storage.h"
#include "search/sensitivity/activation_ranges.h"
#include "search/sensitivity/estimate.h"
#include "search/sensitivity/plan_predictor.h"

namespace {

using namespace bitplan;  // NOLINT(google-build-using-namespace)

using Choice = std::vector<int>;  // option of each layer

constexpr const char* kActivationRange = "mse";

std::string ReadAll(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Need(const absl::Status& status) {
  if (status.ok()) return;
  fmt::print(stderr, "{}\n", MessageOf(status));
  std::exit(1);
}

template <typename T>
T Need(absl::StatusOr<T> value) {
  Need(value.status());
  return *std::move(value);
}

double Millis(std::clock_t start) { return static_cast<double>(std::clock() - start) * 1e3 / CLOCKS_PER_SEC; }

std::vector<int> ParseWidths(const std::string& text) {
  std::vector<int> widths;
  for (size_t at = 0; at < text.size();) {
    widths.push_back(std::atoi(text.c_str() + at));
    const size_t comma = text.find(',', at);
    at = comma == std::string::npos ? text.size() : comma + 1;
  }
  return widths;
}

// A network under one table of options.
class Network {
 public:
  Network(const Graph& graph, const Dataset& calibration, const Dataset& held_out, const QuantizationOptions& options,
          bool activations)
      : graph_(graph),
        calibration_(calibration),
        held_out_(held_out),
        options_(Need(quantization::ListOptions(graph.layers, options))),
        on_calibration_(Need(Objective::Create(graph, calibration, {}))),
        on_held_out_(Need(Objective::Create(graph, held_out, {}))),
        activations_(activations) {
    for (int l = 0; l < num_layers(); ++l) {
      const auto [offset, size] = on_calibration_->slices()[l];
      const std::span<const float> own = on_calibration_->weights().subspan(offset, size);
      const Layer& layer = graph.layers.layers[l];
      auto& of_layer = weights_.emplace_back();
      for (const Option& option : options_.options[l]) {
        std::vector<float> weight =
            Need(quantization::Perturb(TensorView(own, layer.weight_shape), layer.output_channel_axis, option)).delta;
        for (int64_t i = 0; i < size; ++i) weight[i] += own[i];
        of_layer.push_back(std::move(weight));
      }
    }
    if (activations) ranges_ = Need(sensitivity::CalibrateActivations(graph, *on_calibration_, kActivationRange, {}));
  }

  int num_layers() const { return static_cast<int>(graph_.layers.layers.size()); }
  const Option& option(int layer, int k) const { return options_.options[layer][k]; }

  SensitivityTable Measure(const std::string& method, const std::string& loss) const {
    SensitivityOptions settings{.method = method, .loss = loss, .seed = 1};
    settings.quantize_activations = activations_;
    settings.activation_range = kActivationRange;
    return Need(sensitivity::Estimate(graph_, calibration_, options_, settings, {}));
  }

  Problem ProblemOf(const SensitivityTable& table, int64_t limit) const {
    Problem problem{.resources = {"size"}, .budgets = {{.resource = 0, .limit = limit}}};
    for (int l = 0; l < num_layers(); ++l) {
      ProblemLayer& layer = problem.layers.emplace_back();
      for (size_t o = 0; o < options_.options[l].size(); ++o) {
        layer.options.push_back({.objective = table.score[l][o], .cost = {SizeOf(l, static_cast<int>(o))}});
      }
    }
    return problem;
  }
  int64_t SizeOf(int layer, int k) const {
    return *quantization::StorageBits(graph_.layers.layers[layer], options_.options[layer][k]);
  }

  // "| calibration | held-out | accuracy |" of a plan.
  std::string Run(const Choice& plan) const {
    const auto [calibration, unused] = RunOn(*on_calibration_, calibration_, plan);
    const auto [held_out, accuracy] = RunOn(*on_held_out_, held_out_, plan);
    return fmt::format("{:.4f} | {:.4f} | {:.2f} %", calibration, held_out, 100 * accuracy);
  }
  std::string RunFloat() const {
    const auto [loss, accuracy] = Result(*on_held_out_, held_out_, {});
    return fmt::format("held-out loss {:.4f}, accuracy {:.2f} %", loss, 100 * accuracy);
  }

 private:
  // Loss and accuracy.
  static std::pair<double, double> Result(const Objective& objective, const Dataset& data,
                                          const Substitution& changed) {
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
    Need(objective.RunSubstituted(std::span(&changed, 1), visit, {}));
    const auto samples = static_cast<double>(objective.num_samples());
    return {sum / samples, static_cast<double>(right) / samples};
  }

  // Loss increase and accuracy.
  std::pair<double, double> RunOn(const Objective& objective, const Dataset& data, const Choice& plan) const {
    Substitution substitution;
    std::vector<const Option*> chosen;
    for (int l = 0; l < num_layers(); ++l) {
      substitution.weights[l] = weights_[l][plan[l]];
      chosen.push_back(&options_.options[l][plan[l]]);
    }
    if (activations_) {
      substitution.transforms =
          Need(sensitivity::ActivationTransforms(ranges_, sensitivity::WidthsOfPoints(ranges_, chosen)));
    }
    const auto [loss, accuracy] = Result(objective, data, substitution);
    return {loss - Need(objective.Loss({}, {})), accuracy};
  }

  const Graph& graph_;
  const Dataset& calibration_;
  const Dataset& held_out_;
  OptionTable options_;
  std::unique_ptr<Objective> on_calibration_;
  std::unique_ptr<Objective> on_held_out_;
  bool activations_ = false;
  std::vector<std::vector<std::vector<float>>> weights_;  // [layer][option]
  ActivationCalibration ranges_;
};

struct Row {
  std::string name;
  const Network* network;
  SensitivityTable table;
};

Choice Uniform(const Network& plain, int bits) {
  Choice choice(plain.num_layers(), 0);
  for (int l = 0; l < plain.num_layers(); ++l) {
    while (plain.option(l, choice[l]).weight_bits != bits) ++choice[l];
  }
  return choice;
}

void Print(const std::string& name, double predicted, const Network& network, const Choice& plan, double gap,
           double ms) {
  std::string widths;
  for (int l = 0; l < network.num_layers(); ++l) widths += std::to_string(network.option(l, plan[l]).weight_bits);
  fmt::print("| {} | {:.4f} | {} | {:.0e} | {:.0f} | {} |\n", name, predicted, network.Run(plan), gap, ms, widths);
  std::fflush(stdout);
}

void Search(const Row& row, int64_t limit) {
  BuiltProblem built{.problem = row.network->ProblemOf(row.table, limit)};
  for (const ProblemLayer& layer : built.problem.layers) {
    std::vector<int>& kept = built.kept.emplace_back(layer.options.size());
    std::iota(kept.begin(), kept.end(), 0);
  }
  const std::clock_t start = std::clock();
  if (!row.table.responses) {
    const Solution solution = Need(allocation::Solve(built.problem, {}, {}));
    return Print(row.name, solution.objective, *row.network, solution.choice, solution.gap, Millis(start));
  }
  const PlanPredictor predictor = Need(PlanPredictor::Create(*row.table.responses));
  const Solution solution =
      Need(allocation::SolveConvex(built.problem, pipeline::PredictedLoss(predictor, built), {}, {}, {}));
  Print(row.name, solution.objective, *row.network, solution.choice, solution.gap, Millis(start));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: plan_bench model.onnx calibration.npz held_out.npz [budgets [activations]]\n");
    return 2;
  }
  const Graph graph = Need(onnx::ParseModel(ReadAll(argv[1])));
  const Dataset calibration = Need(data::ParseNpz(ReadAll(argv[2])));
  const Dataset held_out = Need(data::ParseNpz(ReadAll(argv[3])));
  const bool activations = argc > 5;
  QuantizationOptions options{.activation_bits = {activations ? kSameAsWeights : 32},
                              .schemes = {"symmetric"},
                              .granularities = {Granularity::kPerChannel}};
  const Network plain(graph, calibration, held_out, options, activations);
  options.schemes = {"symmetric", "symmetric_full", "affine"};
  options.range_rules = {"minmax", "mse"};
  const Network all(graph, calibration, held_out, options, activations);
  std::vector<Row> rows;
  if (!activations) rows.push_back({"hawq_v2, plain", &plain, plain.Measure("hawq_v2", "auto")});
  rows.push_back({"gauss_newton_direct, plain", &plain, plain.Measure("gauss_newton_direct", "auto")});
  rows.push_back({"logit_superposition, plain", &plain, plain.Measure("logit_superposition", "auto")});
  rows.push_back({"measured_loss", &all, all.Measure("measured_loss", "auto")});
  rows.push_back({"quadratic", &all, all.Measure("quadratic", "auto")});
  rows.push_back(
      {"logit_superposition of the labels' loss", &all, all.Measure("logit_superposition", "cross_entropy")});
  rows.push_back({"logit_superposition", &all, all.Measure("logit_superposition", "auto")});
  fmt::print("float: {}\n", plain.RunFloat());
  for (const int bits : ParseWidths(argc > 4 ? argv[4] : "2,3,4")) {
    const Choice uniform = Uniform(plain, bits);
    int64_t limit = 0;
    for (int l = 0; l < plain.num_layers(); ++l) limit += plain.SizeOf(l, uniform[l]);
    fmt::print("\nsize of uniform {} bit: {} bytes\n", bits, limit / 8);
    fmt::print("| plan | predicted | calibration | held-out | accuracy | gap | ms | weight bits |\n");
    fmt::print("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    Print("uniform", 0, plain, uniform, 0, 0);
    for (const Row& row : rows) Search(row, limit);
  }
}
