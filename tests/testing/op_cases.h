#ifndef BITPLAN_TESTS_TESTING_OP_CASES_H_
#define BITPLAN_TESTS_TESTING_OP_CASES_H_

#include <ostream>
#include <string>
#include <vector>

#include "search/graph/graph.h"
#include "search/tensor/tensor.h"

namespace bitplan::testing {

// A node with inputs at a point where it is smooth: no value within 0.05 of a kink, maxima apart by more. The graph's
// inputs are the node's differentiable inputs; all else is constant. The node is the graph's first; where it has
// several outputs, further nodes flatten them and put them one behind the other.
struct OpCase {
  std::string name;  // "Conv_GroupsDilated"
  Graph graph;
  std::vector<Tensor> inputs;  // as Graph::inputs
};

inline void PrintTo(const OpCase& op_case, std::ostream* out) { *out << op_case.name; }  // for gtest

// Cases of every operator of the table; a row without a case fails the suite.
std::vector<OpCase> AllOpCases();

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_OP_CASES_H_
