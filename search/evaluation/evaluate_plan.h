#ifndef BITPLAN_SEARCH_EVALUATION_EVALUATE_PLAN_H_
#define BITPLAN_SEARCH_EVALUATION_EVALUATE_PLAN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/resource.h"
#include "search/base/run_context.h"
#include "search/data/dataset.h"
#include "search/graph/graph.h"
#include "search/layer/layer.h"
#include "search/plan/plan.h"
#include "search/sensitivity/paired_difference.h"

namespace bitplan {

struct EvaluationOptions {
  std::string loss = "auto";     // a name of the loss table, or auto
  double label_smoothing = 0;    // as for the sensitivities
  int64_t max_samples = 0;       // only the first so many held-out samples; 0: all
  int64_t max_memory_bytes = 0;  // ObjectiveOptions::max_memory_bytes
  // quantization::ActivationRangeNames. Static ranges (range rules) want calibration data, dynamic ones need none.
  std::string activation_range = "minmax";
  bool quantize_activations = true;  // false: activations stay float even where their ranges are to be had
};
absl::Status Validate(const EvaluationOptions& options);

// One network on the held-out data.
struct EvaluatedNetwork {
  std::string name;                     // "float", "plan", "uniform 4 bit"
  std::optional<int> uniform_bits;      // of a uniform plan
  bool within_cost = false;             // uses no more than the plan of every compared resource
  SampleMean loss;                      // mean over samples
  SampleMean loss_increase;             // over the float network, paired by sample
  std::optional<SampleMean> accuracy;   // share of right classes; where the data have labels
  std::optional<SampleMean> agreement;  // share of classes as the float network gives; where outputs are classes
  Costs costs;                          // empty for the float network

  bool operator==(const EvaluatedNetwork&) const = default;
};

// What quantization does to one layer of the plan. Ratios are 10 log10(sum of squares / sum of squared errors), in dB;
// absent where nothing is quantized or the error is zero.
struct LayerNoise {
  std::string layer;
  Option option;
  std::optional<double> weight_sqnr_db;
  // Of the tensors that the layer owns (ActivationPoint), on the held-out data as the quantized network computes them.
  std::optional<double> activation_sqnr_db;
  // What the layer would take to store with its codes in Huffman coding, code table included (HuffmanBits), the rest as
  // in StorageBits. Not what budgets count.
  int64_t huffman_size_bits = 0;

  bool operator==(const LayerNoise&) const = default;
};

// A plan, measured.
struct Evaluation {
  std::string loss;         // a name of the loss table
  int64_t num_samples = 0;  // held-out samples used
  bool quantized_activations = false;
  std::string activation_range;  // rule of their ranges; empty if they stay float
  std::string plan_fingerprint;

  EvaluatedNetwork float_network;
  EvaluatedNetwork plan;
  std::vector<EvaluatedNetwork> uniform;  // by bits: every width that all layers have an option of
  double predicted_increase = 0;          // the plan's objective
  std::vector<Resource> compared;         // resources that decide within_cost: those of the budgets, else the size
  // The largest uniform width within cost: what anybody would take without a search. Absent if there is none.
  std::optional<int> reference_bits;
  std::optional<SampleMean> loss_below_reference;  // loss(uniform) - loss(plan), paired; positive: the plan is better
  std::string verdict;                             // one sentence: whether the plan beats that uniform plan

  std::vector<LayerNoise> layers;
  std::vector<std::string> notes;  // one sentence each

  bool operator==(const Evaluation&) const = default;
};

namespace evaluation {

// Runs `plan` on held-out data by simulated quantization: weights are quantized and dequantized as the plan's options
// say; activations too where there are ranges for them, each tensor to the activation bits of the layer that owns it:
// static ranges of `calibration` (null: none), or dynamic ones (sensitivity::CalibrateActivations). Everything between
// is float.
//
// Importance:    where an option's scheme takes that of each weight (hessian_kmeans), it is estimated again from all of
//                `calibration`, by the loss and seed of the plan's provenance (sensitivity::WeightImportance): what the
//                measurement used, unless that took other data, only some of them, label smoothing or a memory limit. A
//                note says so.
// Uniform plans: for each width b that every layer has options of, the options of b weight bits; where a layer has
//                several, those with b activation bits before others, then symmetric before other schemes, per_channel
//                before other granularities, then the first. They are evaluated in the same way.
// Accuracy:      of a sample the share of its rows (tokens, pixels) whose largest output is the label's, rows that do
//                not count left out; then the mean over samples. The first of equal outputs is taken.
// Cost:          a forward pass for each network; memory of one copy of the weights and of outputs of one network.
// Errors:        kInvalidArgument (options, a plan that has no choice or is of other layers, naming the first that
//                differs; data that do not fit; widths that cannot be simulated; no calibration data where importance
//                is wanted), kUnimplemented (ops, losses), kNotFound (range rule), kCancelled, kDeadlineExceeded.
// Progress:      stages "activation ranges", "evaluation".
// Same bits for any number of threads.
absl::StatusOr<Evaluation> EvaluatePlan(const Graph& graph, const Dataset& held_out, const Plan& plan,
                                        const Dataset* calibration, const EvaluationOptions& options,
                                        const RunContext& context);

// kInvalidArgument unless the plan has a choice and its layers are those of the network (names, numbers of weights).
absl::Status CheckPlan(const Graph& graph, const Plan& plan);

// The importance of each weight, in layer order: what the plan's measurement estimated from its data, as far as the
// plan tells. Errors: kInvalidArgument: no calibration data; those of WeightImportance.
absl::StatusOr<std::vector<float>> ImportanceFor(const Graph& graph, const Plan& plan, const Dataset* calibration,
                                                 int64_t max_memory_bytes, const RunContext& context);

}  // namespace evaluation
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_EVALUATION_EVALUATE_PLAN_H_
