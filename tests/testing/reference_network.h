#ifndef BITPLAN_TESTS_TESTING_REFERENCE_NETWORK_H_
#define BITPLAN_TESTS_TESTING_REFERENCE_NETWORK_H_

#include <Eigen/Core>
#include <span>
#include <string>
#include <vector>

#include "search/data/dataset.h"
#include "search/graph/graph.h"

// A slow, plain interpreter of graphs in double that shares no code with search/ops: naive loops over indices, shapes
// worked out by each operation, derivatives by a tape of scalar operations. Made to be read, and to judge the kernels.
// Malformed graphs abort.
namespace bitplan::testing {

// A dense tensor of doubles.
struct DoubleTensor {
  Shape shape;
  std::vector<double> data;
};

// graph.outputs[0] for the given inputs (as Graph::inputs).
DoubleTensor ReferenceForward(const Graph& graph, const std::vector<DoubleTensor>& inputs);

// Exact derivatives of y = graph.outputs[0] as a function of the graph's inputs, named as in search/ops/operator.h.
// Entries of inputs without a tangent (x_dot[i] empty) are empty.
struct ReferenceDerivatives {
  std::vector<double> y_dot;
  std::vector<std::vector<double>> x_bar;
  std::vector<std::vector<double>> x_bar_dot;
};
ReferenceDerivatives Differentiate(const Graph& graph, const std::vector<DoubleTensor>& x,
                                   const std::vector<std::vector<double>>& x_dot, std::span<const double> y_bar,
                                   std::span<const double> y_bar_dot);

// graph.outputs[0] of all samples of the dataset.
DoubleTensor ReferenceOutputs(const Graph& graph, const Dataset& data);

// The mean loss (cross_entropy for class labels, mean_squared_error else) at flat layer weights; empty: the graph's.
double ReferenceLoss(const Graph& graph, const Dataset& data, std::span<const double> weights = {});

// dL/dw over all layer weights, flattened in layer order, by reverse differentiation of the tape.
Eigen::VectorXd ReferenceGradient(const Graph& graph, const Dataset& data);

// The exact Hessian d2L/dw2 over all layer weights: column i is the derivative along e_i of the reversed tape, every
// step a rule for one scalar operation, so exact to double rounding. Cost: about 200 ns a scalar operation of the
// network on all samples, for each weight; meant for fewer than 2,000 weights.
Eigen::MatrixXd DenseHessian(const Graph& graph, const Dataset& data);

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_REFERENCE_NETWORK_H_
