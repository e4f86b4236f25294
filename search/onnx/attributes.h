#ifndef BITPLAN_SEARCH_ONNX_ATTRIBUTES_H_
#define BITPLAN_SEARCH_ONNX_ATTRIBUTES_H_

#include "absl/status/statusor.h"
#include "search/graph/graph.h"
#include "search/onnx/parse_limits.h"

namespace bitplan::onnx_wire {
class NodeProto;
}  // namespace bitplan::onnx_wire

namespace bitplan::onnx {

// Decodes the attributes of a node by their declared type. A list of strings of one entry is not a string.
//
// Errors (the attribute is named, the node is not): kInvalidArgument: no name, a name twice, no or unknown type, a
// float that is not finite, text that is not UTF-8, errors of DecodeTensor. kUnimplemented: subgraphs, lists of
// tensors or graphs, sparse tensors, references to a function's attributes.
absl::StatusOr<Attributes> DecodeAttributes(const onnx_wire::NodeProto& node, const ParseLimits& limits);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_ATTRIBUTES_H_
