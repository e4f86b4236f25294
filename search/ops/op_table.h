#ifndef BITPLAN_SEARCH_OPS_OP_TABLE_H_
#define BITPLAN_SEARCH_OPS_OP_TABLE_H_

#include <memory>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/ops/operator.h"

namespace bitplan::ops {

// Newest version of the ONNX operator set that is understood.
inline constexpr int64_t kMaxOpset = 23;

// One supported ONNX operator. The table in op_table.cc is the only list: importer, capability reports and the
// conformance tests read it. Derivatives, shapes and the layer weight come with the operator that `make` returns.
struct OpEntry {
  std::string_view name;  // ONNX name in the default domain
  int64_t min_opset = 1;  // graphs with min_opset <= opset_version <= max_opset are accepted
  int64_t max_opset = kMaxOpset;
  // Parses attributes, checks shapes. kInvalidArgument: malformed; kUnimplemented: legal ONNX that is not supported.
  absl::StatusOr<std::unique_ptr<Operator>> (*make)(const OpRequest& request) = nullptr;
  // The result is an integer in ONNX; as a float it would mean something else to operators such as Div. It may be an
  // output of the graph that the loss does not read; a graph in which something reads it is kUnimplemented.
  bool integer_result = false;
};

// All rows, sorted by name.
std::span<const OpEntry> OpTable();

// The row of an operator of the default domain; null if it is not supported.
const OpEntry* FindOp(std::string_view name);

// Makes the operator of a node, ready to run; shapes[id] must be known for its inputs. Errors begin with "nodes[3]
// 'conv1' (Conv): "; kUnimplemented if there is no row for the node or the graph's opset is outside it.
absl::StatusOr<std::unique_ptr<Operator>> MakeOperator(const Graph& graph, int node, const std::vector<Shape>& shapes);
// The same without Operator::Prepare: enough for output_shapes and weight_use.
absl::StatusOr<std::unique_ptr<Operator>> MakeUnpreparedOperator(const Graph& graph, int node,
                                                                 const std::vector<Shape>& shapes);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_OP_TABLE_H_
