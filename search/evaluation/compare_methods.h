#ifndef BITPLAN_SEARCH_EVALUATION_COMPARE_METHODS_H_
#define BITPLAN_SEARCH_EVALUATION_COMPARE_METHODS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/data/dataset.h"
#include "search/graph/graph.h"
#include "search/layer/layer.h"
#include "search/sensitivity/estimate.h"

namespace bitplan {

struct ComparisonOptions {
  std::vector<std::string> methods;  // names of the method table; empty: all that can score what is asked for
  int num_plans = 100;               // random plans that are run
  SensitivityOptions sensitivity;    // of every method; its `method` is not read
};
absl::Status Validate(const ComparisonOptions& options);

// How far a prediction of random plans agrees with what they measure on some data. Spearman's rank correlations, -1..1;
// absent where one side has a single value.
struct PlanAgreement {
  std::optional<double> loss;        // with the increase of the loss
  std::optional<double> divergence;  // with the label-free loss: how far outputs are from the float network's

  bool operator==(const PlanAgreement&) const = default;
};

struct MethodAgreement {
  std::string method;
  std::string loss;              // that it scored
  double cost_in_gradients = 0;  // CPU time over that of one gradient on the same data; not reproducible
  std::vector<double> scores;    // of every option of every layer, alone
  PlanAgreement calibration;
  std::optional<PlanAgreement> held_out;  // with held-out data
  // Measured by predicted, through the origin, of the method's own loss on the calibration data: 1 where predictions
  // are right on average, above where plans are worse than predicted.
  double slope = 0;
};

// How far methods agree with each other and with what plans measure: nobody has to believe in Hessians.
struct MethodComparison {
  int64_t num_samples = 0;           // of the calibration data
  int64_t num_held_out_samples = 0;  // 0: no held-out data
  int num_plans = 0;
  std::vector<MethodAgreement> methods;
  std::vector<std::vector<double>>
      between;  // Spearman of the scores of methods i and j; 0 where one has a single value
  // Of the plans' measured loss increases on the calibration data with those on the held-out data: what knowing the
  // calibration loss exactly would give.
  std::optional<double> measured_on_both;
};

namespace evaluation {

// Spearman's rank correlation: that of the ranks, equal values sharing the mean of theirs. nullopt if either side has
// less than two different values. Sizes must agree.
std::optional<double> RankCorrelation(const std::vector<double>& a, const std::vector<double>& b);

// Scores all options by every method, draws random plans (each layer takes one of its options, all equally likely, by
// options.sensitivity.seed), runs them by simulated quantization and compares.
//
// Activations are quantized in plans and scores where options.sensitivity.quantize_activations says so, over ranges of
// the calibration data; methods that score weights only are then left out, or refused if they were asked for.
// Cost:     that of the methods, and a forward pass for each plan on either data. Memory: besides, the quantized
// weights
//           of every option.
// Errors:   those of sensitivity::Estimate; kInvalidArgument (options).
// Progress: stages of the methods; "plans".
// Same bits for any number of threads, but for cost_in_gradients.
absl::StatusOr<MethodComparison> CompareMethods(const Graph& graph, const Dataset& calibration, const Dataset* held_out,
                                                const OptionTable& option_table, const ComparisonOptions& options,
                                                const RunContext& context);

}  // namespace evaluation
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_EVALUATION_COMPARE_METHODS_H_
