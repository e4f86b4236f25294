// Searched plans at the sizes of uniform ones, run on held-out data:
//
//   plan_bench model.onnx calibration.npz held_out.npz [widths [budgets [activations]]]
//
// Options: symmetric per channel, the widths of a comma-separated list (default 2,3,4,5,6,8); budgets: the sizes of
// these uniform widths (default 2,3,4). For each budget and predictor: predicted and measured loss increase on
// calibration data, loss increase and accuracy on held-out data, and for whole-plan predictors the proven gap.
#include "search/allocation/convex_search.h"
#include "search/allocation/solve.h"
#include "search/quantization/storage.h"
#include "tests/bench/network_plans.h"

namespace {

using namespace bitplan::bench;  // NOLINT(google-build-using-namespace)
using bitplan::PlanPredictor;
using bitplan::Problem;
using bitplan::Solution;

class PredictedLoss final : public bitplan::ConvexObjective {
 public:
  explicit PredictedLoss(const PlanPredictor& predictor) : predictor_(predictor) {}
  double Value(std::span<const double> x) const override { return predictor_.Value(x); }
  double ValueAndGradient(std::span<const double> x, std::span<double> gradient) const override {
    return predictor_.ValueAndGradient(x, gradient);
  }
  double tolerance() const override { return predictor_.tolerance(); }

 private:
  const PlanPredictor& predictor_;
};

Problem ProblemOf(const NetworkPlans& network, const Scores& scores) {
  Problem problem{.resources = {"size"}};
  for (int l = 0; l < network.num_layers(); ++l) {
    bitplan::ProblemLayer& layer = problem.layers.emplace_back();
    for (size_t o = 0; o < network.options.options[l].size(); ++o) {
      const auto bits =
          bitplan::quantization::StorageBits(network.graph.layers.layers[l], network.options.options[l][o]);
      layer.options.push_back({.objective = scores[l][o], .cost = {*bits}});
    }
  }
  return problem;
}

Choice Uniform(const NetworkPlans& network, int bits) {
  Choice choice;
  for (const auto& of_layer : network.options.options) {
    const auto found = std::ranges::find(of_layer, bits, &bitplan::Option::weight_bits);
    if (found == of_layer.end()) std::exit(2);
    choice.push_back(static_cast<int>(found - of_layer.begin()));
  }
  return choice;
}

class PlanBench {
 public:
  explicit PlanBench(const NetworkPlans& network) : network_(network) {
    for (const char* method : {"hawq_v2", "gauss_newton_direct", "measured_loss"}) {
      if (network_.activations && std::string(method).starts_with("hawq")) continue;  // weights only
      scores_.emplace_back(method, network.ScoresBy(method));
    }
    const bitplan::OutputResponses measured = network.MeasuredChanges();
    for (const bool label_free : {false, true}) {
      predictors_.emplace_back(fmt::format("logit superposition{}", label_free ? ", label-free" : ""),
                               network.Predictor(measured, bitplan::PlanForm::kSuperposition, label_free));
    }
    predictors_.emplace_back("quadratic",
                             network.Predictor(network.FirstOrderChanges(), bitplan::PlanForm::kQuadratic, false));
  }

  void Run(int bits) const {
    const Choice uniform = Uniform(network_, bits);
    Problem problem = ProblemOf(network_, scores_.back().second);
    int64_t limit = 0;
    for (size_t l = 0; l < uniform.size(); ++l) limit += problem.layers[l].options[uniform[l]].cost[0];
    fmt::print("\nsize of uniform {} bit: {} bytes\n", bits, limit / 8);
    fmt::print(
        "| plan | predicted | calibration | held-out | accuracy | gap | ms |\n| --- | --- | --- | --- | --- | --- | "
        "--- |\n");
    Report(fmt::format("uniform {} bit", bits), uniform, 0, 0, 0);
    for (const auto& [name, scores] : scores_) {
      Problem additive = ProblemOf(network_, scores);
      additive.budgets = {{.resource = 0, .limit = limit}};
      const std::clock_t start = std::clock();
      const Solution solution = Need(bitplan::allocation::Solve(additive, {}, {}));
      Report(name, solution.choice, solution.objective, solution.gap, Millis(start));
    }
    problem.budgets = {{.resource = 0, .limit = limit}};
    for (const auto& [name, predictor] : predictors_) {
      const std::clock_t start = std::clock();
      const Solution solution =
          Need(bitplan::allocation::SolveConvex(problem, PredictedLoss(predictor), std::span(&uniform, 1), {}, {}));
      Report(name, solution.choice, solution.objective, solution.gap, Millis(start));
    }
  }

 private:
  void Report(const std::string& name, const Choice& plan, double predicted, double gap, double ms) const {
    std::string widths;
    for (size_t l = 0; l < plan.size(); ++l) widths += std::to_string(network_.options.options[l][plan[l]].weight_bits);
    const RunResult held_out = network_.OnHeldOut(plan);
    fmt::print("| {} | {:.4f} | {:.4f} | {:.4f} | {:.2f} % | {:.1e} | {:.0f} | {}\n", name, predicted,
               network_.OnCalibration(plan).loss_increase, held_out.loss_increase, 100 * held_out.accuracy, gap, ms,
               widths);
    std::fflush(stdout);
  }

  const NetworkPlans& network_;
  std::vector<std::pair<std::string, Scores>> scores_;
  std::vector<std::pair<std::string, PlanPredictor>> predictors_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr, "usage: plan_bench model.onnx calibration.npz held_out.npz [widths [budgets [activations]]]\n");
    return 2;
  }
  const NetworkPlans network(argv[1], argv[2], argv[3], ParseWidths(argc > 4 ? argv[4] : "2,3,4,5,6,8"), argc > 6);
  const PlanBench bench(network);
  for (const int bits : ParseWidths(argc > 5 ? argv[5] : "2,3,4")) bench.Run(bits);
}
