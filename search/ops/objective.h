#ifndef BITPLAN_SEARCH_OPS_OBJECTIVE_H_
#define BITPLAN_SEARCH_OPS_OBJECTIVE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/data/dataset.h"
#include "search/graph/activation_points.h"
#include "search/graph/graph.h"
#include "search/ops/substitution.h"

namespace bitplan {

// Where one layer's weights lie in the flat weight vector.
struct WeightSlice {
  int64_t offset = 0;
  int64_t size = 0;
};

struct ObjectiveOptions {
  // A name of the loss table, or auto: cross_entropy for class labels, mean_squared_error for real targets,
  // label_free_cross_entropy where the dataset has neither.
  std::string loss = "auto";
  // Share of each label that is spread over all classes; cross_entropy only, 0..1.
  double label_smoothing = 0;
  // Only the first max_samples of the dataset; 0: all of them.
  int64_t max_samples = 0;
  // Work unit of one thread; part of the result's bits, not of its meaning. Lowered where one shard would need more
  // than 1 GiB; a network that takes a fixed number of samples runs that number.
  int64_t samples_per_shard = 16;
  // Memory for values and gradients kept between Hessian products; no result bit depends on it.
  int64_t max_cache_bytes = int64_t{512} << 20;
  // Memory for everything besides graph and data; 0: no limit. Shards are made smaller to fit (which changes result
  // bits), less is kept between products, and fewer threads run than asked for.
  int64_t max_memory_bytes = 0;
};

// A vector s to pull back from the outputs z_n of one sample: the gradient of s'z_n by the layer weights is to be
// taken. F_n = d2l/dz2 is the loss's curvature in the outputs and S_n S_n' = F_n.
struct OutputFactor {
  enum class Kind {
    kLossSigns,     // s = S_n r, r independent signs: Rng(seed, index).FillRademacher
    kLossColumn,    // s = column `index` of S_n
    kOutputColumn,  // s = e_index
  };
  int64_t sample = 0;
  Kind kind = Kind::kLossSigns;
  uint64_t index = 0;
  uint64_t seed = 0;
};

// Takes what Objective::PullBack finds.
class PullBackVisitor {
 public:
  virtual ~PullBackVisitor() = default;
  // Whether Visit reads the layer's gradient; else its squared norm is enough, which may be cheaper.
  virtual bool wants_gradient(int layer) const = 0;
  // J_nl' s for factor k = (n, s): the gradient by the weights of one layer, valid during the call; empty unless
  // wanted. Layers that the outputs do not depend on are not visited. Calls for different k may come at the same time
  // from several threads.
  virtual void Visit(int64_t k, int layer, std::span<const float> gradient, double squared_norm) = 0;

  // Whether VisitActivation is to be called: costs a way back to the network's inputs.
  virtual bool wants_activations() const { return false; }
  // For entry `point` of Objective::activation_points(): its tensor and s' times the outputs' derivative by that. Both
  // hold all samples that the network takes together; the gradient is zero for others than n.
  virtual void VisitActivation(int64_t /*k*/, int /*point*/, std::span<const float> /*values*/,
                               std::span<const float> /*gradient*/) {}
};

// Takes what Objective::RunSubstituted finds: f(x_n) under substitution k for consecutive samples from first_sample on,
// row-major [samples, ...], and the loss of each of them. The spans are valid during the call. Calls for different
// samples may come at the same time from several threads.
using VisitOutputs =
    std::function<void(int k, int64_t first_sample, std::span<const float> outputs, std::span<const double> losses)>;

// How the outputs of one sample make rows over classes (or over whatever the loss reads together): row r of sample n
// holds outputs[n][offset(r) + k * stride], k = 0 .. width - 1.
struct OutputRows {
  int64_t rows = 1;    // of a sample: tokens, pixels
  int64_t width = 1;   // entries of a row
  int64_t stride = 1;  // 1: rows follow each other; else rows are interleaved

  int64_t offset(int64_t r) const { return stride == 1 ? r * width : r; }
};

// Curvature matrices of the loss over the weights.
//   kHessian      H = d2L/dw2
//   kGaussNewton  G = (1/N) sum_n J_n' F_n J_n (Schraudolph 2002): J_n the outputs' derivative by the weights, F_n =
//                 d2l/dz2 of sample n. Positive semidefinite.
//   kRemainder    H - G: what bends in the network itself. Its diagonal block is zero for a layer in whose weights the
//                 outputs are piecewise linear.
enum class CurvatureMatrix { kHessian, kGaussNewton, kRemainder };

struct LossAndGradient {
  double loss = 0;
  std::vector<double> gradient;  // num_weights entries
};

// The loss of a network on a dataset as a function of its layer weights:
//
//   L(w) = (1/N) sum_n loss(f(x_n; w), y_n),     w = all layer weights, flattened in layer order, each row-major as
//   stored.
//
// f is the network's first output; a cross-entropy reads the input of the Softmax or Sigmoid that the network ends in
// (loss_note).
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
  // Where activations are quantized.
  virtual const std::vector<ActivationPoint>& activation_points() const = 0;
  // The weights stored in the graph, num_weights() entries.
  virtual std::span<const float> weights() const = 0;

  // L at the given weights (num_weights() entries; empty: the graph's own).
  virtual absl::StatusOr<double> Loss(std::span<const float> weights, const RunContext& context) const = 0;
  // L and dL/dw at the given weights (empty: the graph's own).
  virtual absl::StatusOr<LossAndGradient> Gradient(std::span<const float> weights, const RunContext& context) const = 0;

  // The same into a buffer of the caller's, num_weights() entries; returns the loss.
  virtual absl::StatusOr<double> GradientInto(std::span<const float> weights, std::span<double> out,
                                              const RunContext& context) const = 0;

  // The exact product with a curvature matrix M at the graph's weights by forward-over-reverse differentiation
  // (Pearlmutter 1994, the R-operator): one pass forward with tangents, one pass back, with tangents but for G.
  //   whole network (layer empty): v and out have num_weights() entries, out = M v
  //   one layer's diagonal block:  v and out have slices()[*layer].size entries, out = M_ll v; work outside the paths
  //                                through that layer is skipped
  // Cost: about 2 gradients for the whole network. Values and gradients that do not depend on v are kept from the first
  //       product on (max_cache_bytes); a shard that has no room recomputes them, about 0.7 gradients more.
  // Errors: kInvalidArgument (sizes, layer, non-finite loss), kCancelled, kDeadlineExceeded.
  virtual absl::Status VectorProduct(CurvatureMatrix matrix, std::span<const float> v, std::optional<int> layer,
                                     std::span<double> out, const RunContext& context) const = 0;
  absl::Status HessianVectorProduct(std::span<const float> v, std::optional<int> layer, std::span<double> out,
                                    const RunContext& context) const {
    return VectorProduct(CurvatureMatrix::kHessian, v, layer, out, context);
  }

  // Entries of z_n.
  virtual int64_t num_outputs() const = 0;
  // How the loss reads them (ops::SampleLoss).
  virtual OutputRows output_rows() const { return {.rows = 1, .width = num_outputs(), .stride = 1}; }

  // tr F_n of every sample: how much the loss can curve in its outputs; 0 where the prediction is certain.
  virtual absl::StatusOr<std::vector<double>> OutputCurvatureTraces(const RunContext& context) const = 0;

  // Pulls every factor back at the graph's weights. A forward pass for each run of factors of the same sample, a
  // backward pass for each factor; one layer's gradient is in memory at a time. Errors: kInvalidArgument (a factor out
  // of range, non-finite outputs), kCancelled, kDeadlineExceeded.
  virtual absl::Status PullBack(std::span<const OutputFactor> factors, PullBackVisitor& visitor,
                                const RunContext& context) const = 0;

  // f(x_n; w) of all samples, [N, ...].
  virtual absl::StatusOr<Tensor> Outputs(std::span<const float> weights, const RunContext& context) const = 0;

  // Runs the network under each substitution on all samples; an empty one is the network itself. Values that a
  // substitution does not reach are computed once for all (ops::SubstitutedRuns), with the bits of a run of their own.
  // Memory:   of a thread, the float values that are shared and those of one run.
  // Errors:   kInvalidArgument (layer, size of a weight, a transform of a constant, outputs that are not finite: says
  //           which substitution and which samples), kCancelled, kDeadlineExceeded.
  // Progress: stage "forward".
  virtual absl::Status RunSubstituted(std::span<const Substitution> substitutions, const VisitOutputs& visit,
                                      const RunContext& context) const = 0;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_OPS_OBJECTIVE_H_
