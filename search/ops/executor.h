#ifndef BITPLAN_SEARCH_OPS_EXECUTOR_H_
#define BITPLAN_SEARCH_OPS_EXECUTOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/graph/graph.h"
#include "search/ops/operator.h"

namespace bitplan::ops {

// The nodes that outputs[0] of a graph needs, made ready for a fixed number of samples.
struct Program {
  struct Step {
    int node = 0;
    std::unique_ptr<Operator> op;
  };

  const Graph* graph = nullptr;  // must outlive the program
  std::vector<Step> steps;       // in execution order
  std::vector<Shape> shapes;     // by ValueId
  ValueId output = kNoValue;     // graph->outputs[0]

  // Errors: those of InferShapes; kInvalidArgument if the graph has no output or its output is not computed by a node.
  static absl::StatusOr<Program> Compile(const Graph& graph, int64_t batch);

  // Float elements of all computed values together.
  int64_t num_elements() const;
};

// By ValueId: whether a value takes part in a derivative with respect to the given layer weights, that is, depends on
// one of them and the output depends on it. Work on other values is skipped.
using Activity = std::vector<bool>;
Activity FindActive(const Program& program, std::span<const ValueId> weights);

// What one run reads. Spans must live until the run is over.
struct Feed {
  std::vector<std::span<const float>> inputs;   // as Graph::inputs
  std::vector<std::span<const float>> weights;  // as Graph::layer_weights
};

// Runs a program forward and back, with and without tangents. Buffers stay allocated from run to run.
//
// Order of calls: Forward; for a gradient then Backward; for a Hessian product ForwardTangent, BackwardTangent instead.
// Memory:         one buffer a value for each of values, tangents, gradients, gradient tangents that has been asked
// for. Threads:        one thread at a time.
class Executor {
 public:
  explicit Executor(const Program& program);

  // Computes every value.
  void Forward(const Feed& feed);
  std::span<const float> output() const { return values_.view(program_->output); }

  // Tangents of all active values. weight_tangents is as Graph::layer_weights; entries of weights that are not active
  // are not read.
  void ForwardTangent(const Activity& active, const std::vector<std::span<const float>>& weight_tangents);
  // The output's tangent; empty if the output is not active.
  std::span<const float> output_tangent() const { return tangents_.view(program_->output); }

  // Gradients of the active values from the output's.
  void Backward(const Activity& active, std::span<const float> output_gradient);
  // Gradients of the active values but weights, and gradient tangents of all active values, from the output's.
  void BackwardTangent(const Activity& active, std::span<const float> output_gradient,
                       std::span<const float> output_gradient_tangent);

  // Of layer i after Backward or BackwardTangent; empty if its weight is not active (the derivative is zero).
  std::span<const float> weight_gradient(int layer) const { return gradients_.view(WeightId(layer)); }
  std::span<const float> weight_gradient_tangent(int layer) const { return gradient_tangents_.view(WeightId(layer)); }

  // After Forward: "nodes[3] 'conv2' (Conv)", the first node whose output has a value that is not finite.
  std::optional<std::string> FirstNonFinite() const;

 private:
  // A tensor for each value that has one: bound from outside or owned.
  class TensorSet {
   public:
    explicit TensorSet(const Program& program) : program_(&program), storage_(program.shapes.size()) { Clear(); }

    void Clear() { views_.assign(storage_.size(), {}); }
    bool has(ValueId id) const { return !views_[id].empty(); }
    std::span<const float> view(ValueId id) const { return id == kNoValue ? std::span<const float>() : views_[id]; }
    void Bind(ValueId id, std::span<const float> data) { views_[id] = data; }
    // The value's own buffer, from now on present.
    std::span<float> Claim(ValueId id);

   private:
    const Program* program_;
    std::vector<FloatVector> storage_;
    std::vector<std::span<const float>> views_;
  };

  // Where a node writes gradients of its inputs.
  class GradientSink;

  ValueId WeightId(int layer) const { return program_->graph->layer_weights[layer].weight; }

  const Program* program_;
  std::vector<bool> is_weight_;  // by ValueId: a layer's weight
  TensorSet values_;
  TensorSet tangents_;
  TensorSet gradients_;
  TensorSet gradient_tangents_;
  std::vector<FloatVector> scratch_;  // by input position of a node
};

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_EXECUTOR_H_
