#ifndef BITPLAN_TESTS_TESTING_DEQUANTIZED_MODEL_H_
#define BITPLAN_TESTS_TESTING_DEQUANTIZED_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "search/onnx/onnx_wire.pb.h"

namespace bitplan::testing {

// Codes of a tensor of 4, 8 or 16 bits as the ONNX specification packs them.
inline std::vector<int32_t> UnpackCodes(const onnx_wire::TensorProto& tensor) {
  int64_t count = 1;
  for (const int64_t size : tensor.dims()) count *= size;
  const std::string& raw = tensor.raw_data();
  const auto byte = [&](int64_t i) { return static_cast<int32_t>(static_cast<uint8_t>(raw[i])); };
  std::vector<int32_t> codes;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t nibble = i % 2 == 0 ? byte(i / 2) & 15 : byte(i / 2) >> 4;
    switch (tensor.data_type()) {
      case 2:
        codes.push_back(byte(i));
        break;
      case 3:
        codes.push_back(static_cast<int8_t>(raw[i]));
        break;
      case 4:
        codes.push_back(byte(2 * i) | byte(2 * i + 1) << 8);
        break;
      case 21:
        codes.push_back(nibble);
        break;
      case 22:
        codes.push_back(nibble >= 8 ? nibble - 16 : nibble);
        break;
      default:
        return {};
    }
  }
  return codes;
}

inline std::vector<float> FloatsOf(const onnx_wire::TensorProto& tensor) {
  std::vector<float> floats(tensor.raw_data().size() / sizeof(float));
  std::copy_n(tensor.raw_data().data(), tensor.raw_data().size(), reinterpret_cast<char*>(floats.data()));
  return floats;
}

// The model with every DequantizeLinear of an initializer computed as the specification says (integers only), and those
// behind QuantizeLinear left out, both together: what remains is float and has the quantized weights.
inline std::string DequantizedWeights(const std::string& bytes) {
  onnx_wire::ModelProto model;
  model.ParseFromString(bytes);
  onnx_wire::GraphProto& graph = *model.mutable_graph();
  std::map<std::string, onnx_wire::TensorProto> tensors;
  for (const auto& tensor : graph.initializer()) tensors[tensor.name()] = tensor;
  onnx_wire::GraphProto kept = graph;
  kept.clear_node();
  std::map<std::string, std::string> quantized_from;
  for (const auto& node : graph.node()) {
    if (node.op_type() == "QuantizeLinear") {
      quantized_from[node.output(0)] = node.input(0);
      continue;
    }
    if (node.op_type() != "DequantizeLinear") {
      *kept.add_node() = node;
      continue;
    }
    if (const auto from = quantized_from.find(node.input(0)); from != quantized_from.end()) {
      onnx_wire::NodeProto& identity = *kept.add_node();
      identity.set_op_type("Identity");
      identity.add_input(from->second);
      identity.add_output(node.output(0));
      continue;
    }
    const onnx_wire::TensorProto& quantized = tensors.at(node.input(0));
    const std::vector<int32_t> codes = UnpackCodes(quantized);
    const std::vector<float> scales = FloatsOf(tensors.at(node.input(1)));
    const std::vector<int32_t> zero_points = UnpackCodes(tensors.at(node.input(2)));
    int64_t axis = 1;
    int64_t block = 0;
    for (const auto& attribute : node.attribute()) (attribute.name() == "axis" ? axis : block) = attribute.i();
    int64_t inner = 1;
    for (int i = static_cast<int>(axis) + 1; i < quantized.dims_size(); ++i) inner *= quantized.dims(i);
    std::vector<float> values;
    for (int64_t i = 0; i < static_cast<int64_t>(codes.size()); ++i) {
      int64_t scale = 0;
      if (scales.size() > 1) {
        const int64_t place = i / inner % quantized.dims(static_cast<int>(axis));
        if (block == 0) {
          scale = place;
        } else {
          const int64_t blocks = (quantized.dims(static_cast<int>(axis)) + block - 1) / block;
          const int64_t outer = i / inner / quantized.dims(static_cast<int>(axis));
          scale = (outer * blocks + place / block) * inner + i % inner;
        }
      }
      values.push_back(scales[scale] * static_cast<float>(codes[i] - zero_points[scale]));
    }
    onnx_wire::TensorProto& tensor = *kept.add_initializer();
    *tensor.mutable_dims() = quantized.dims();
    tensor.set_data_type(1);
    tensor.set_name(node.output(0));
    tensor.set_raw_data(values.data(), values.size() * sizeof(float));
  }
  // Codes and scales that are left over: of types that the importer does not read.
  for (int i = kept.initializer_size() - 1; i >= 0; --i) {
    const int type = kept.initializer(i).data_type();
    if (type != 1 && type != 7) kept.mutable_initializer()->DeleteSubrange(i, 1);
  }
  *model.mutable_graph() = kept;
  return model.SerializeAsString();
}

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_DEQUANTIZED_MODEL_H_
