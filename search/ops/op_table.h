#ifndef BITPLAN_SEARCH_OPS_OP_TABLE_H_
#define BITPLAN_SEARCH_OPS_OP_TABLE_H_

#include <memory>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/ops/lowering.h"
#include "search/ops/operator.h"

namespace bitplan::ops {

// Newest version of the ONNX operator set that is understood.
inline constexpr int64_t kMaxOpset = 23;

// What an operator does with integers that are computed at run time (Value::integer), which it sees as floats.
enum class Integers {
  kRefused,   // a graph in which it reads them is kUnimplemented: integer division, for one, is another operation
  kMoved,     // its result is made of them as they are: an integer if input 0 is one
  kComputed,  // arithmetic that is exact for them, with constant integers as well: an integer if one operand is
  kRead,      // its result is floating point or boolean whatever it reads
};

// One supported ONNX operator. The table in op_table.cc is the only list: importer, capability reports and the
// conformance tests read it. Derivatives, shapes and the layer weight come with the operator that `make` returns.
struct OpEntry {
  std::string_view name;  // ONNX name in the default domain
  int64_t min_opset = 1;  // graphs with min_opset <= opset_version <= max_opset are accepted
  int64_t max_opset = kMaxOpset;
  // Parses attributes, checks shapes. kInvalidArgument: malformed; kUnimplemented: legal ONNX that is not supported.
  absl::StatusOr<std::unique_ptr<Operator>> (*make)(const OpRequest& request) = nullptr;
  // Set instead of `make` where the importer writes simpler nodes in the node's place; MakeOperator refuses it.
  LowerFunction lower = nullptr;
  Integers integers = Integers::kRefused;
  // The result is an integer whatever it reads. The network's first output, which the loss reads, may be none.
  bool integer_result = false;
};

// All rows, sorted by name.
std::span<const OpEntry> OpTable();

// The row of an operator of the default domain; null if it is not supported.
const OpEntry* FindOp(std::string_view name);

// Whether the node's outputs are integers computed at run time, from its inputs' Value::integer.
bool HasIntegerResult(const Graph& graph, const Node& node);
// Sets Value::integer of all values that nodes compute; those of graph inputs stay as they are.
void MarkIntegers(Graph& graph);

// Makes the operator of a node, ready to run; shapes[id] must be known for its inputs. Errors begin with "nodes[3]
// 'conv1' (Conv): "; kUnimplemented if there is no row for the node or the graph's opset is outside it.
absl::StatusOr<std::unique_ptr<Operator>> MakeOperator(const Graph& graph, int node, const std::vector<Shape>& shapes);
// The same without Operator::Prepare: enough for output_shapes and weight_use.
absl::StatusOr<std::unique_ptr<Operator>> MakeUnpreparedOperator(const Graph& graph, int node,
                                                                 const std::vector<Shape>& shapes);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_OP_TABLE_H_
