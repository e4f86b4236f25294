#ifndef BITPLAN_SEARCH_ONNX_WIRE_BUILD_H_
#define BITPLAN_SEARCH_ONNX_WIRE_BUILD_H_

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "search/tensor/tensor.h"

namespace bitplan::onnx_wire {
class GraphProto;
class NodeProto;
class TensorProto;
}  // namespace bitplan::onnx_wire

namespace bitplan::onnx {

// Names of values and nodes that a model does not have yet.
class FreshNames {
 public:
  // Takes note of all names in `graph` and the graphs in its nodes.
  void Add(const onnx_wire::GraphProto& graph);
  // `wanted`, or `wanted`_2, _3, ..: taken from now on.
  std::string Fresh(const std::string& wanted);

 private:
  std::set<std::string> taken_;
};

// Tensors with raw data, little endian, row-major.
onnx_wire::TensorProto FloatTensor(const std::string& name, const Shape& shape, std::span<const float> values);
onnx_wire::TensorProto Int64Tensor(const std::string& name, const Shape& shape, std::span<const int64_t> values);
// `bits` is 4, 8 or 16; codes are cut to their low bits. 4 bits: two codes a byte, the first in the low half; the high
// half of the last byte is 0 where their number is odd (ONNX IR.md, "4-bit types").
onnx_wire::TensorProto CodeTensor(const std::string& name, const Shape& shape, std::span<const int32_t> codes,
                                  int data_type, int bits);

void SetIntAttribute(onnx_wire::NodeProto& node, const std::string& name, int64_t value);
void SetIntsAttribute(onnx_wire::NodeProto& node, const std::string& name, std::span<const int64_t> values);

struct NodeText {
  std::string op_type;
  std::string name;
  std::vector<std::string> inputs;
  std::string output;
};
onnx_wire::NodeProto MakeNode(const NodeText& text);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_WIRE_BUILD_H_
