#ifndef BITPLAN_SEARCH_ONNX_WIRING_H_
#define BITPLAN_SEARCH_ONNX_WIRING_H_

#include <map>
#include <set>
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
    std::string name;  // unique in the whole model
    std::vector<ValueId> inputs;
    std::vector<ValueId> outputs;
    std::vector<ValueId> captured;  // what the graphs in its attributes read from here
  };

  ValueId first_id = 0;                  // of value_names[0]
  std::vector<std::string> value_names;  // by ValueId - first_id
  std::vector<ValueId> initializers;     // by index in the file
  std::vector<int> inputs;               // indices in the file of the inputs that are not initializers
  std::vector<ValueId> input_values;     // their values
  std::vector<NodeEnds> nodes;
  std::vector<ValueId> outputs;
  std::vector<int> order;     // nodes that lead to an output, topologically sorted
  std::vector<bool> is_read;  // by ValueId - first_id: read by such a node or what is in it, or an output of the graph
  // Trees, not hash tables: names come from strangers, who can make hashes collide.
  std::map<std::string, ValueId, std::less<>> ids;
  const Wiring* outer = nullptr;  // of the graph that this one is in; must outlive it

  // kNoValue if the name is not defined here or further out.
  ValueId Find(std::string_view name) const;
  bool IsRead(ValueId id) const { return is_read[id - first_id]; }
};

// Where a graph stands.
struct WireScope {
  ValueId first_id = 0;
  const Wiring* outer = nullptr;
};

// Gives names to nodes that are unique in the whole model.
class NodeNames {
 public:
  std::string Unique(const std::string& wanted);

 private:
  std::set<std::string> taken_;
  std::map<std::string, int> next_suffix_;
};

// Errors, all kInvalidArgument: a name empty, too long or not plain UTF-8; a value defined twice or never; an output
// missing; a cycle, named.
absl::StatusOr<Wiring> Wire(const onnx_wire::GraphProto& graph, const WireScope& scope, NodeNames& names,
                            const ParseLimits& limits);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_WIRING_H_
