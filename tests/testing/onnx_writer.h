#ifndef BITPLAN_TESTS_TESTING_ONNX_WRITER_H_
#define BITPLAN_TESTS_TESTING_ONNX_WRITER_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "search/graph/graph.h"
#include "search/onnx/onnx_wire.pb.h"

namespace bitplan::testing {

// Builds an ONNX model message by message, right or wrong as a test wants it.
class OnnxModel {
 public:
  explicit OnnxModel(int64_t opset_version = 13);

  // Size kDynamic becomes a symbolic dimension "N". Returns *this for chains.
  OnnxModel& Input(const std::string& name, const Shape& shape, int elem_type = 1);
  OnnxModel& Output(const std::string& name);
  // Weights as raw float bytes or int64.
  OnnxModel& Weight(const std::string& name, const Tensor& tensor);
  OnnxModel& Weight(const std::string& name, const IntTensor& tensor);
  // Every element `value`.
  OnnxModel& Weight(const std::string& name, const Shape& shape, float value);
  // Returns the node for further fields.
  onnx_wire::NodeProto& Add(const std::string& op_type, const std::vector<std::string>& inputs,
                            const std::vector<std::string>& outputs, const Attributes& attributes = {},
                            const std::string& name = "");

  onnx_wire::ModelProto& proto() { return proto_; }
  onnx_wire::GraphProto& graph() { return *proto_.mutable_graph(); }
  std::string Bytes() const { return proto_.SerializeAsString(); }

 private:
  onnx_wire::ModelProto proto_;
};

void SetAttribute(onnx_wire::NodeProto& node, const std::string& name, const Attribute& value);

// input [N, 1, 6, 6] -> Conv 'conv' (4 channels, 3x3, padded, bias) -> Relu -> Flatten -> Gemm 'fc' (3 classes, bias)
// -> logits [N, 3]. Weights are small, fixed and different. Layers 'conv' (36 weights, 1296 MACs) and 'fc' (432, 432).
OnnxModel TinyClassifier();

// A model whose initializers' raw data lies in another file, each at a multiple of 4096 bytes, as exporters write them.
struct TwoFileModel {
  std::string onnx;
  std::string weights;
};
TwoFileModel MoveWeightsOut(const std::string& onnx, const std::string& location);

// Writes any graph: constants as initializers, nodes with all their attributes.
std::string WriteOnnx(const Graph& graph);

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_ONNX_WRITER_H_
