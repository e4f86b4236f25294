#ifndef BITPLAN_SEARCH_SENSITIVITY_ESTIMATE_H_
#define BITPLAN_SEARCH_SENSITIVITY_ESTIMATE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/data/dataset.h"
#include "search/graph/graph.h"
#include "search/layer/layer.h"
#include "search/ops/objective.h"
#include "search/sensitivity/sensitivity_table.h"

namespace bitplan {

struct SensitivityOptions {
  std::string method = "logit_superposition";  // a name of the method table
  std::string loss = "auto";                   // a name of the loss table, or auto (sensitivity::LossOfMethod)
  double label_smoothing = 0;  // share of each label that is spread over all classes; cross_entropy only, 0..1
  int64_t max_samples = 0;     // only the first so many calibration samples; 0: all
  uint64_t seed = 0;           // of probes and start vectors
  std::string trace_estimator = "gauss_newton";  // a name of TraceEstimators()
  double trace_relative_error = 0.05;            // wanted relative standard error of each layer's trace
  int64_t max_probes = 512;                      // most work for the traces, in passes over all samples
  double eigenvalue_tolerance = 0.01;            // relative residual, see PowerIterationOptions
  int64_t max_iterations = 100;                  // for each eigenvalue
  int64_t max_memory_bytes = 0;                  // of everything besides graph and data; 0: no limit
  bool all_curvature = false;  // also what the method does not need: traces, block and network eigenvalues
  // Scores count what quantizing each layer's activations to the option's activation_bits does, too. False: these bits
  // price BOPs and change no score. Only for methods that can (MethodEntry::scores_activations) and with a graph.
  bool quantize_activations = false;
  std::string activation_range = "minmax";  // quantization::ActivationRangeNames; with quantize_activations
  std::string output_changes = "measured";  // a name of sensitivity::kOutputChanges; methods that predict plans only
};
absl::Status Validate(const SensitivityOptions& options);

namespace sensitivity {

// Scores every option of every layer by options.method; measures the curvature the method needs on the way.
//
// Cost:        traces: that of the estimator; eigenvalues: up to max_iterations products with each layer's block.
// Errors:      kInvalidArgument (options, data that does not fit, non-finite weights or curvature, tables that
// disagree),
//              kNotFound (method, scheme), kUnimplemented (ops, losses), kResourceExhausted
//              (max_memory_bytes), kCancelled, kDeadlineExceeded.
// Progress:    stages "activation ranges", "importance", "perturbations", "gradient", "traces", "eigenvalues", "network
// eigenvalue". Checkpoints: probe sums every few probes, each finished eigenvalue. Keys hold a digest of weights, loss,
// gradient and
//              options, so that a changed model or dataset finds nothing. A resumed run gives the bits of an
//              uninterrupted one.
// Same seed, same bits, for any number of threads.
absl::StatusOr<SensitivityTable> Estimate(const Graph& graph, const Dataset& data, const OptionTable& option_table,
                                          const SensitivityOptions& options, const RunContext& context);

// The same for a loss that exists already; options.loss and options.max_samples are the caller's business then.
// `layers` describes objective.slices(), in that order.
absl::StatusOr<SensitivityTable> Estimate(const Objective& objective, const LayerTable& layers,
                                          const OptionTable& option_table, const SensitivityOptions& options,
                                          const RunContext& context);

}  // namespace sensitivity
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_SENSITIVITY_ESTIMATE_H_
