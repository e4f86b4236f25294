#ifndef BITPLAN_SEARCH_ONNX_WIRING_H_
#define BITPLAN_SEARCH_ONNX_WIRING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/graph/graph.h"
#include "search/onnx/parse_limits.h"

namespace bitplan::onnx_wire {
class GraphProto;
}  // namespace bitplan::onnx_wire

namespace bitplan::onnx {

// A graph's names turned into indices. Every name of a value gets a ValueId, in the order initializers, inputs, outputs
// of nodes; nodes keep their index in the file.
struct Wiring {
  struct NodeEnds {
    std::string name;  // unique
    std::vector<ValueId> inputs;
    std::vector<ValueId> outputs;
  };

  std::vector<std::string> value_names;
  std::vector<ValueId> initializers;  // by index in the file
  std::vector<int> inputs;            // indices in the file of the inputs that are not initializers
  std::vector<ValueId> input_values;  // their values
  std::vector<NodeEnds> nodes;
  std::vector<ValueId> outputs;
  std::vector<int> order;     // nodes that lead to an output, topologically sorted
  std::vector<bool> is_read;  // by value: an input of such a node, or an output of the graph
};

// Errors, all kInvalidArgument: a name empty, too long or not plain UTF-8; a value defined twice or never; an output
// missing; a cycle, named.
absl::StatusOr<Wiring> Wire(const onnx_wire::GraphProto& graph, const ParseLimits& limits);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_WIRING_H_
