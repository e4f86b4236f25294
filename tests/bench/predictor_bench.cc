// How well predictions agree with measured losses, on single options and on random mixed plans:
//
//   predictor_bench model.onnx calibration.npz held_out.npz [plans [widths [activations]]]
//
// Options: symmetric per channel, the widths of a comma-separated list (default 3,4,6,8); with "activations" each
// layer's activations take the same width as its weights. Prints, for each method, its CPU time in gradients on the
// calibration data, and Spearman's rank correlation with measured loss increases: of single options on held-out data,
// of plans on calibration and held-out data; slope: of measured by predicted increases, through the origin, on
// calibration data.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "search/base/rng.h"
#include "tests/bench/network_plans.h"

namespace {

using namespace bitplan::bench;  // NOLINT(google-build-using-namespace)
using bitplan::Objective;
using bitplan::PlanPredictor;

// Ranks from 1, equal values the mean of theirs.
std::vector<double> Ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (size_t k = i; k < end; ++k) ranks[order[k]] = (static_cast<double>(i + end) + 1) / 2;
    i = end;
  }
  return ranks;
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

double Spearman(const std::vector<double>& a, const std::vector<double>& b) { return Correlation(Ranks(a), Ranks(b)); }

double Slope(const std::vector<double>& predicted, const std::vector<double>& measured) {
  double xy = 0;
  double xx = 0;
  for (size_t i = 0; i < predicted.size(); ++i) {
    xy += predicted[i] * measured[i];
    xx += predicted[i] * predicted[i];
  }
  return xy / xx;
}

std::vector<double> Flat(const Scores& scores) {
  std::vector<double> all;
  for (const auto& of_layer : scores) all.insert(all.end(), of_layer.begin(), of_layer.end());
  return all;
}

class PredictorBench {
 public:
  PredictorBench(const NetworkPlans& network, int num_plans) : network_(network), plans_(num_plans) {
    bitplan::Rng rng(1, 0);
    for (Choice& plan : plans_) {
      for (const auto& of_layer : network.options.options) {
        plan.push_back(static_cast<int>(rng.NextBelow(of_layer.size())));
      }
      on_calibration_.push_back(network.OnCalibration(plan).loss_increase);
      on_held_out_.push_back(network.OnHeldOut(plan).loss_increase);
    }
    singles_ = Flat(Need(bitplan::sensitivity::MeasuredLoss(network.Input(*network.on_held_out), {})).score);
    gradient_ms_ = network.GradientMillis();
  }

  void Run() const {
    fmt::print("gradient {:.0f} ms; {} layers, {} options; plans: calibration with held-out {:.3f}\n", gradient_ms_,
               network_.num_layers(), singles_.size(), Spearman(on_calibration_, on_held_out_));
    fmt::print("| predictor | gradients | singles | plans, calibration | plans, held-out | slope |\n");
    fmt::print("| --- | --- | --- | --- | --- | --- |\n");
    for (const char* method : {"hawq_v1", "hawq_v2", "fisher_diagonal", "gauss_newton_direct", "measured_loss"}) {
      if (network_.activations && std::string(method).starts_with("hawq")) continue;  // weights only
      const std::clock_t start = std::clock();
      const Scores scores = network_.ScoresBy(method);
      Report(method, Millis(start), Flat(scores), Sums(scores));
    }
    for (const bool measured : {false, true}) {
      const std::clock_t start = std::clock();
      const bitplan::OutputResponses changes = measured ? network_.MeasuredChanges() : network_.FirstOrderChanges();
      const double ms = Millis(start);
      for (const bool quadratic : {true, false}) {
        for (const bool label_free : {false, true}) {
          const auto form = quadratic ? bitplan::PlanForm::kQuadratic : bitplan::PlanForm::kSuperposition;
          const PlanPredictor predictor = network_.Predictor(changes, form, label_free);
          std::vector<double> of_plans;
          for (const Choice& plan : plans_) of_plans.push_back(predictor.Predict(plan).mean);
          Report(fmt::format("{}, {} changes{}", quadratic ? "quadratic" : "logit superposition",
                             measured ? "measured" : "first-order", label_free ? ", label-free" : ""),
                 ms, Singles(predictor), of_plans);
        }
      }
    }
  }

 private:
  void Report(const std::string& name, double ms, const std::vector<double>& of_singles,
              const std::vector<double>& of_plans) const {
    fmt::print("| {} | {:.1f} | {:.2f} | {:.3f} | {:.3f} | {:.2f} |\n", name, ms / gradient_ms_,
               Spearman(of_singles, singles_), Spearman(of_plans, on_calibration_), Spearman(of_plans, on_held_out_),
               Slope(of_plans, on_calibration_));
    std::fflush(stdout);
  }

  std::vector<double> Sums(const Scores& scores) const {
    std::vector<double> sums;
    for (const Choice& plan : plans_) {
      double sum = 0;
      for (size_t l = 0; l < plan.size(); ++l) sum += scores[l][plan[l]];
      sums.push_back(sum);
    }
    return sums;
  }

  std::vector<double> Singles(const PlanPredictor& predictor) const {
    std::vector<double> all;
    for (int l = 0; l < network_.num_layers(); ++l) {
      for (int o = 0; o < std::ssize(network_.options.options[l]); ++o) {
        Choice alone(network_.num_layers(), -1);
        alone[l] = o;
        all.push_back(predictor.Predict(alone).mean);
      }
    }
    return all;
  }

  const NetworkPlans& network_;
  std::vector<Choice> plans_;
  std::vector<double> on_calibration_;
  std::vector<double> on_held_out_;
  std::vector<double> singles_;  // each option alone, on held-out data
  double gradient_ms_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    fmt::print(stderr,
               "usage: predictor_bench model.onnx calibration.npz held_out.npz [plans [widths [activations]]]\n");
    return 2;
  }
  const NetworkPlans network(argv[1], argv[2], argv[3], ParseWidths(argc > 5 ? argv[5] : "3,4,6,8"), argc > 6);
  PredictorBench(network, argc > 4 ? std::atoi(argv[4]) : 200).Run();
}
