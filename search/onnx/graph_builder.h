#ifndef BITPLAN_SEARCH_ONNX_GRAPH_BUILDER_H_
#define BITPLAN_SEARCH_ONNX_GRAPH_BUILDER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "search/graph/graph.h"
#include "search/onnx/parse_options.h"

namespace bitplan::onnx_wire {
class GraphProto;
}  // namespace bitplan::onnx_wire

namespace bitplan::onnx {

// Turns a parsed ONNX graph into a Graph: decodes weights, folds constants, infers shapes, finds the layers. Contract
// and errors: parse_model.h. Weights are moved out of `proto`, which is of no use afterwards.
absl::StatusOr<Graph> BuildGraph(onnx_wire::GraphProto& proto, int64_t opset_version, const ParseOptions& options);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_GRAPH_BUILDER_H_
