#ifndef BITPLAN_SEARCH_OPS_OBJECTIVE_H_
#define BITPLAN_SEARCH_OPS_OBJECTIVE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/data/dataset.h"
#include "search/graph/graph.h"

namespace bitplan {

// Where one layer's weights lie in the flat weight vector.
struct WeightSlice {
  int64_t offset = 0;
  int64_t size = 0;
};

struct ObjectiveOptions {
  // A name of the loss table, or auto: cross_entropy for class labels, mean_squared_error else.
  std::string loss = "auto";
  // Only the first max_samples of the dataset; 0: all of them.
  int64_t max_samples = 0;
  // Work unit of one thread; part of the result's bits, not of its meaning. Lowered where one shard would need more
  // than 1 GiB; a network that takes a fixed number of samples runs that number.
  int64_t samples_per_shard = 16;
  // Memory for values and gradients kept between Hessian products; no result bit depends on it.
  int64_t max_cache_bytes = int64_t{512} << 20;
};

struct LossAndGradient {
  double loss = 0;
  std::vector<double> gradient;  // num_weights entries
};

// The loss of a network on a dataset as a function of its layer weights:
//
//   L(w) = (1/N) sum_n loss(f(x_n; w), y_n),     w = all layer weights, flattened in layer order, each row-major as
//   stored.
//
// f is the network's first output; cross-entropy reads the input of a Softmax that the network ends in (loss_note).
//
// Other parameters (biases, normalisation) are constants. Evaluation mode: Dropout is the identity, BatchNormalization
// uses its running statistics. Storage and products are float; losses, gradients and products over samples are added in
// double.
//
// Determinism: samples are cut into shards of samples_per_shard and partial results are added in shard order, so
// results do not
//              depend on context.num_threads.
// Threads:     all methods are const and may be called from several threads.
class Objective {
 public:
  // Checks that the dataset fits the graph (input names and shapes, labels in range, finite) and that every node is
  // supported. `graph` and `data` must outlive the result. Errors: kInvalidArgument (data does not fit, model overflows
  // to a non-finite loss), kUnimplemented (ops, losses).
  static absl::StatusOr<std::unique_ptr<Objective>> Create(const Graph& graph, const Dataset& data,
                                                           const ObjectiveOptions& options);
  virtual ~Objective() = default;

  virtual int64_t num_weights() const = 0;
  virtual int64_t num_samples() const = 0;
  virtual const std::string& loss_name() const = 0;
  // One sentence on how the loss reads the network that users should know (ops::FindLossInput); empty: nothing.
  virtual const std::string& loss_note() const = 0;
  // One slice a layer, in layer order, adjacent.
  virtual const std::vector<WeightSlice>& slices() const = 0;
  // The weights stored in the graph, num_weights() entries.
  virtual std::span<const float> weights() const = 0;

  // L at the given weights (num_weights() entries; empty: the graph's own).
  virtual absl::StatusOr<double> Loss(std::span<const float> weights, const RunContext& context) const = 0;
  // L and dL/dw at the given weights (empty: the graph's own).
  virtual absl::StatusOr<LossAndGradient> Gradient(std::span<const float> weights, const RunContext& context) const = 0;

  // The exact product with the Hessian of L at the graph's weights by forward-over-reverse differentiation
  // (Pearlmutter 1994, the R-operator): one pass forward with tangents, one pass back with tangents.
  //   whole network (layer empty): v and out have num_weights() entries, out = H v
  //   one layer's diagonal block:  v and out have slices()[*layer].size entries, out = H_ll v; work outside the paths
  //                                through that layer is skipped
  // Cost: about 2 gradients for the whole network. Values and gradients that do not depend on v are kept from the first
  //       product on (max_cache_bytes); a shard that has no room recomputes them, about 0.7 gradients more.
  // Errors: kInvalidArgument (sizes, layer, non-finite loss), kCancelled, kDeadlineExceeded.
  virtual absl::Status HessianVectorProduct(std::span<const float> v, std::optional<int> layer, std::span<double> out,
                                            const RunContext& context) const = 0;

  // f(x_n; w) of all samples, [N, ...].
  virtual absl::StatusOr<Tensor> Outputs(std::span<const float> weights, const RunContext& context) const = 0;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_OPS_OBJECTIVE_H_
