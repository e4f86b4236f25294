#ifndef BITPLAN_SEARCH_OPS_OPERATOR_H_
#define BITPLAN_SEARCH_OPS_OPERATOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/graph/graph.h"

namespace bitplan::ops {

// Tensors of one node by position, as in Node::inputs and Node::outputs, row-major. An empty span stands for a tensor
// that is not there: an optional input that was not given, an integer constant (read when the operator was made), a
// tangent that is zero, a gradient nobody wants. Real tensors are never empty: shapes with a zero size are refused.
using Reads = std::span<const std::span<const float>>;
using Writes = std::span<const std::span<float>>;

// Inputs and outputs of a node at the point of differentiation.
struct Primal {
  Reads x;
  Reads y;
};

// Which input of a node would be a layer weight, if it is a constant tensor of rank 2 or more.
struct WeightUse {
  int input = 0;
  LayerKind kind = LayerKind::kOther;
  int output_channel_axis = 0;
  int64_t macs = 0;  // multiply-accumulates of the node for all samples of the shapes it was made for
};

// A node's operation y = f(x) with its attributes parsed, for fixed shapes, and its derivatives. Once made it cannot
// fail: everything is checked by the Make function of its row in op_table.cc.
//
// Derivatives, with J_i = df/dx_i, a dot for tangents and a bar for gradients of a scalar loss:
//   Jvp         y_dot = sum_i J_i x_dot_i
//   Vjp         x_bar_i = J_i' y_bar
//   VjpTangent  x_bar_dot_i = J_i' y_bar_dot + (dJ_i[x_dot])' y_bar      the derivative of Vjp along x_dot, y_bar_dot
// An input is active if it has a tangent (x_dot[i] not empty). Jvp needs at least one active input. Vjp and VjpTangent
// write those results that are not empty; VjpTangent is asked for active inputs only. Results are overwritten, not
// added to, and never overlap anything that is read.
//
// Threads: const methods may run at the same time on several threads, inside ParallelShards.
class Operator {
 public:
  virtual ~Operator() = default;

  // One shape an output of the node.
  const std::vector<Shape>& output_shapes() const { return output_shapes_; }

  virtual void Forward(Reads x, Writes y) const = 0;
  virtual void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const = 0;
  virtual void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const = 0;
  // The default is for operators that are piecewise linear in all inputs together: Vjp of y_bar_dot.
  virtual void VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const;

  // What the derivatives read, so that other tensors need not be kept: the values of inputs and of outputs (else they
  // may be empty in Primal), and, where the operator bends, x_dot and y_bar in VjpTangent.
  virtual bool reads_x() const { return true; }
  virtual bool reads_y() const { return true; }
  virtual bool bends() const { return true; }

  virtual std::optional<WeightUse> weight_use() const { return std::nullopt; }

  // ||J_input' y_bar||^2 of a weight without forming that gradient, where that is less work; nullopt where it is not.
  virtual std::optional<double> WeightGradientSquaredNorm(Reads x, Reads y_bar, int input) const;

  // Announces that a tensor given as `input` from this address will not change while the operator lives: a kernel may
  // keep it in a layout of its own from the first use on. Before any use by several threads.
  virtual void Pin(int /*input*/, std::span<const float> /*tensor*/) {}

  // Builds what is costly to build (kernels, tables); MakeOperator calls it, shape inference does not. kUnimplemented
  // if the kernel library refuses.
  virtual absl::Status Prepare() { return absl::OkStatus(); }

 protected:
  explicit Operator(std::vector<Shape> output_shapes) : output_shapes_(std::move(output_shapes)) {}
  explicit Operator(Shape output_shape) { output_shapes_.push_back(std::move(output_shape)); }

 private:
  std::vector<Shape> output_shapes_;
};

// An operator y = A x (plus a constant) with one differentiable input, input 0.
class LinearMap : public Operator {
 public:
  void Forward(Reads x, Writes y) const override { Apply(x[0], y[0]); }
  void Jvp(const Primal& /*primal*/, Reads x_dot, Writes y_dot) const final { Apply(x_dot[0], y_dot[0]); }
  void Vjp(const Primal& /*primal*/, Reads y_bar, Writes x_bar) const final { ApplyTransposed(y_bar[0], x_bar[0]); }
  bool reads_x() const final { return false; }
  bool reads_y() const final { return false; }
  bool bends() const final { return false; }

 protected:
  using Operator::Operator;
  virtual void Apply(std::span<const float> x, std::span<float> y) const = 0;            // y = A x
  virtual void ApplyTransposed(std::span<const float> y, std::span<float> x) const = 0;  // x = A' y
};

// An operator y = B(x_0, x_1) + b with B linear in each of two inputs and an optional b = input 2 that is broadcast:
// convolution and matrix products.
class BilinearMap : public Operator {
 public:
  void Forward(Reads x, Writes y) const final;
  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const final;
  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const final;
  void VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const final;
  bool reads_y() const final { return false; }

 protected:
  using In = std::span<const float>;
  using Out = std::span<float>;
  using Operator::Operator;
  // y = B(a, b) + bias, or y += B(a, b) where `accumulate`; bias may be empty and is empty when accumulating.
  virtual void Product(In a, In b, In bias, Out y, bool accumulate) const = 0;
  // a = B(., b)' y, added to a where `accumulate`.
  virtual void LeftGradient(In y, In b, Out a, bool accumulate) const = 0;
  // b = B(a, .)' y, added to b where `accumulate`.
  virtual void RightGradient(In a, In y, Out b, bool accumulate) const = 0;
  // Sums of two products that a kernel may find together with less work; false: it cannot, nothing was written.
  //   y = B(a_dot, b) + B(a, b_dot)
  virtual bool ProductTangent(In /*a*/, In /*b*/, In /*a_dot*/, In /*b_dot*/, Out /*y*/) const { return false; }
  //   a_out = B(., b)' y_dot + B(., b_dot)' y,  b_out = B(a, .)' y_dot + B(a_dot, .)' y
  struct Tangents {
    In a, b, y, a_dot, b_dot, y_dot;
  };
  virtual bool GradientTangents(const Tangents& /*in*/, Out /*a*/, Out /*b*/) const { return false; }
  // y += broadcast bias, and its transpose.
  virtual void AddBias(In bias, Out y) const = 0;
  virtual void BiasGradient(In y, Out bias) const = 0;
};

// What an operator is made from. Errors need no node name: MakeOperator puts it in front.
struct OpRequest {
  const Node& node;
  int64_t opset_version = 13;
  std::vector<const Value*> inputs;  // null: optional input that is not given
  std::vector<Shape> input_shapes;   // same length; meaningless where inputs[i] is null
  int64_t num_samples = 1;           // first dimension of the graph's inputs

  bool has_input(size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  const Shape& shape(size_t i) const { return input_shapes[i]; }
  int64_t rank(size_t i) const { return static_cast<int64_t>(input_shapes[i].size()); }
};

// kInvalidArgument unless inputs 0 .. min_inputs-1 are given and there are at most max_inputs, and output 0 is there;
// kUnimplemented if one of the first num_floats inputs is an integer tensor.
absl::Status CheckArity(const OpRequest& request, size_t min_inputs, size_t max_inputs, size_t num_floats);
inline absl::Status CheckArity(const OpRequest& request, size_t min_inputs, size_t max_inputs) {
  return CheckArity(request, min_inputs, max_inputs, max_inputs);
}
// Most elements one value may have; keeps a hostile shape from asking for all memory.
inline constexpr int64_t kMaxValueElements = int64_t{1} << 31;
// kInvalidArgument for sizes below 1, kResourceExhausted above kMaxValueElements.
absl::Status CheckShape(const Shape& shape);
// The elements of an integer input that must be a constant; kUnimplemented if it is computed at run time.
absl::StatusOr<std::vector<int64_t>> ConstantInts(const OpRequest& request, size_t input, std::string_view what);
// The value of an input that must be a constant with one element.
absl::StatusOr<float> ConstantScalar(const OpRequest& request, size_t input, std::string_view what);
// A float input that must be a constant.
absl::StatusOr<const Tensor*> ConstantTensor(const OpRequest& request, size_t input, std::string_view what);
// `axis` counted from the end where negative, as 0 .. rank-1; kInvalidArgument if out of range.
absl::StatusOr<int64_t> NormalizedAxis(int64_t axis, int64_t rank, std::string_view what);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_OPERATOR_H_
