#ifndef BITPLAN_SEARCH_OPS_EXECUTOR_H_
#define BITPLAN_SEARCH_OPS_EXECUTOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "search/graph/graph.h"
#include "search/ops/operator.h"

namespace bitplan::ops {

// The nodes that one value of a graph needs, made ready for a fixed number of samples.
struct Program {
  struct Step {
    int node = 0;
    std::unique_ptr<Operator> op;
  };

  // What the passes back read of a value, so that the rest of its tensors is not kept.
  struct Lifetime {
    bool value = false;     // by a derivative of its reader or of the node that computes it
    bool tangent = false;   // by BackwardTangent
    bool gradient = false;  // by BackwardTangent
  };

  const Graph* graph = nullptr;                  // must outlive the program
  std::vector<Step> steps;                       // in execution order
  std::vector<Shape> shapes;                     // by ValueId
  std::vector<Lifetime> lifetimes;               // by ValueId
  std::vector<std::vector<ValueId>> last_reads;  // by step: computed values but the output that no later step reads
  ValueId output = kNoValue;                     // what the program computes

  // Computes `output`, or graph.outputs[0]. Errors: those of InferShapes; kInvalidArgument if the graph has no output
  // or no node computes it.
  static absl::StatusOr<Program> Compile(const Graph& graph, int64_t batch, ValueId output = kNoValue);

  // Float elements of all values and gradients that Hessian products keep.
  int64_t num_kept_elements() const;
};

// By ValueId: whether a value takes part in a derivative with respect to the given layer weights, that is, depends on
// one of them and the output depends on it. Work on other values is skipped.
using Activity = std::vector<bool>;
Activity FindActive(const Program& program, std::span<const ValueId> weights);

// Buffers that wait for their next use, by size: the second run of the same passes allocates nothing.
class BufferPool {
 public:
  FloatVector Take(int64_t size);
  void Give(FloatVector buffer);
  // Frees what waits.
  void Drop() { waiting_.clear(); }

 private:
  std::map<int64_t, std::vector<FloatVector>> waiting_;
};

// A tensor for each value that has one: bound from outside or owned. Buffers come from a pool, which several sets may
// share. `program` must outlive it.
class TensorSet {
 public:
  explicit TensorSet(const Program& program, std::shared_ptr<BufferPool> pool = std::make_shared<BufferPool>())
      : program_(&program), pool_(std::move(pool)), storage_(program.shapes.size()), views_(program.shapes.size()) {}

  // Forgets all tensors, or all but that of one value; their buffers go to the pool.
  void Clear(ValueId kept = kNoValue);
  void Release(ValueId id);
  bool has(ValueId id) const { return !views_[id].empty(); }
  // Empty if there is none, or for kNoValue.
  std::span<const float> view(ValueId id) const { return id == kNoValue ? std::span<const float>() : views_[id]; }
  // Takes a tensor that somebody else owns and that must outlive its use.
  void Bind(ValueId id, std::span<const float> data) { views_[id] = data; }
  // The value's own buffer, from now on its tensor.
  std::span<float> Claim(ValueId id);
  BufferPool& pool() { return *pool_; }

 private:
  const Program* program_;
  std::shared_ptr<BufferPool> pool_;
  std::vector<FloatVector> storage_;
  std::vector<std::span<const float>> views_;
};

// What one run reads. Spans must live as long as the Primals they are run into.
struct Feed {
  std::vector<std::span<const float>> inputs;   // as Graph::inputs
  std::vector<std::span<const float>> weights;  // as Graph::layer_weights
};

// Values of a run and gradients of a scalar with respect to them.
struct Primals {
  explicit Primals(const Program& program, std::shared_ptr<BufferPool> pool = std::make_shared<BufferPool>())
      : values(program, pool), gradients(program, pool) {}

  TensorSet values;
  TensorSet gradients;
};

// Derivatives of Primals along a direction of the weights.
struct Tangents {
  explicit Tangents(const Program& program, std::shared_ptr<BufferPool> pool = std::make_shared<BufferPool>())
      : values(program, pool), gradients(program, pool) {}

  TensorSet values;
  TensorSet gradients;
};

// The four passes. Forward and Backward give a gradient; with ForwardTangent and BackwardTangent after them a Hessian
// product, along as many directions as wanted.
//
// Memory:  what a later pass reads (Program::Lifetime) has a buffer of its own, everything else is given back to the
//          pool after its last use.
// Threads: arguments that are not const belong to one thread; programs and const arguments may be shared.

// Sets primals.values, of which stay the output and
enum class KeepValues {
  kNone,            // nothing else
  kForDerivatives,  // what the other passes read
  kAll,
};
void Forward(const Program& program, const Feed& feed, KeepValues keep, Primals& primals);
// Its parts: binds constants, inputs and weights; computes the outputs of step s from `values` into their own buffers.
void BindFeed(const Program& program, const Feed& feed, TensorSet& values);
void RunStep(const Program& program, int s, TensorSet& values);

// Computes the gradients of all active values from that of the output, which the caller has claimed and filled. Those
// of graph inputs and weights stay.
void Backward(const Program& program, const Activity& active, const TensorSet& values, TensorSet& gradients);
// The same with the gradients that BackwardTangent reads.
void BackwardForTangents(const Program& program, const Activity& active, Primals& primals);
// As Backward, but values are given up on the way.
void BackwardLast(const Program& program, const Activity& active, Primals& primals);

// The gradient of one layer weight and its squared norm. `gradient` is empty where only the norm was asked for and was
// found without it.
using VisitLayer = std::function<void(int layer, std::span<const float> gradient, double squared_norm)>;

// Where the layer weights of a program are read.
struct LayerReads {
  struct Read {
    int input = 0;
    int layer = 0;
  };
  std::vector<std::vector<Read>> alone;  // by step: layer weights that nobody else reads
  std::vector<int> shared;               // layers whose weight is read more than once
};
LayerReads FindLayerReads(const Program& program);

// Takes the gradient of a value.
using VisitValue = std::function<void(ValueId id, std::span<const float> gradient)>;

// What BackwardByLayer hands out.
struct LayerVisits {
  const std::vector<bool>& wants_gradient;  // by layer
  const VisitLayer& visit_layer;
  const VisitValue& visit_value;  // of every active graph input and computed value; may be null
};

// As Backward for `active`, the values whose gradients stay (layer weights with one reader must not be among them), but
// hands out the gradients of layer weights as they come, one at a time, so that one buffer serves all of them. Layers
// that the output does not depend on are left out.
void BackwardByLayer(const Program& program, const Activity& active, const LayerReads& reads, const TensorSet& values,
                     TensorSet& gradients, const LayerVisits& visits);

// Sets tangents.values of the active values that BackwardTangent reads and of the output. weight_tangents is as
// Graph::layer_weights; entries of weights that are not active are not read. The output has no tangent if it is not
// active.
void ForwardTangent(const Program& program, const Activity& active,
                    const std::vector<std::span<const float>>& weight_tangents, const Primals& primals,
                    Tangents& tangents);

// As Backward with tangents.gradients; gives tangents.values up. primals is from BackwardForTangents for the active
// values or more.
void BackwardTangent(const Program& program, const Activity& active, const Primals& primals, Tangents& tangents);

// After Forward with kAll: "nodes[3] 'conv2' (Conv)", the first node whose output has a value that is not finite.
std::optional<std::string> FirstNonFinite(const Program& program, const Primals& primals);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_EXECUTOR_H_
