#include "search/onnx/wire_build.h"

#include <bit>
#include <cstring>

#include "search/base/status.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/tensor_decode.h"

namespace bitplan::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "raw data of ONNX is little endian");

// AttributeProto.type
constexpr int kAttributeInt = 2;
constexpr int kAttributeInts = 7;

onnx_wire::TensorProto Described(const std::string& name, const Shape& shape, int data_type) {
  onnx_wire::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(data_type);
  for (const int64_t size : shape) tensor.add_dims(size);
  return tensor;
}

std::string PackedNibbles(std::span<const int32_t> codes) {
  constexpr uint32_t kNibble = 0xF;
  std::string packed((codes.size() + 1) / 2, '\0');
  for (size_t i = 0; i < codes.size(); ++i) {
    const uint32_t nibble = static_cast<uint32_t>(codes[i]) & kNibble;
    packed[i / 2] = static_cast<char>(static_cast<uint8_t>(packed[i / 2]) | nibble << (i % 2 == 0 ? 0 : 4));
  }
  return packed;
}

}  // namespace

void FreshNames::Add(const onnx_wire::GraphProto& graph) {  // NOLINT(misc-no-recursion): max_graph_depth
  for (const auto& tensor : graph.initializer()) taken_.insert(tensor.name());
  for (const auto& input : graph.input()) taken_.insert(input.name());
  for (const auto& node : graph.node()) {
    taken_.insert(node.name());
    taken_.insert(node.input().begin(), node.input().end());
    taken_.insert(node.output().begin(), node.output().end());
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) Add(attribute.g());
    }
  }
}

std::string FreshNames::Fresh(const std::string& wanted) {
  std::string name = wanted;
  for (int i = 2; !taken_.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
  return name;
}

onnx_wire::TensorProto FloatTensor(const std::string& name, const Shape& shape, std::span<const float> values) {
  onnx_wire::TensorProto tensor = Described(name, shape, kTypeFloat);
  tensor.set_raw_data(values.data(), values.size_bytes());
  return tensor;
}

onnx_wire::TensorProto Int64Tensor(const std::string& name, const Shape& shape, std::span<const int64_t> values) {
  onnx_wire::TensorProto tensor = Described(name, shape, kTypeInt64);
  tensor.set_raw_data(values.data(), values.size_bytes());
  return tensor;
}

onnx_wire::TensorProto CodeTensor(const std::string& name, const Shape& shape, std::span<const int32_t> codes,
                                  int data_type, int bits) {
  constexpr int kNibbleBits = 4;
  constexpr int kByteBits = 8;
  onnx_wire::TensorProto tensor = Described(name, shape, data_type);
  if (bits == kNibbleBits) {
    tensor.set_raw_data(PackedNibbles(codes));
    return tensor;
  }
  std::string& raw = *tensor.mutable_raw_data();
  raw.reserve(codes.size() * bits / kByteBits);
  for (const int32_t code : codes) {
    for (int shift = 0; shift < bits; shift += kByteBits) {
      raw.push_back(static_cast<char>(static_cast<uint32_t>(code) >> shift));
    }
  }
  return tensor;
}

void SetIntAttribute(onnx_wire::NodeProto& node, const std::string& name, int64_t value) {
  onnx_wire::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(kAttributeInt);
  attribute.set_i(value);
}

void SetIntsAttribute(onnx_wire::NodeProto& node, const std::string& name, std::span<const int64_t> values) {
  onnx_wire::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(kAttributeInts);
  for (const int64_t value : values) attribute.add_ints(value);
}

onnx_wire::NodeProto MakeNode(const NodeText& text) {
  onnx_wire::NodeProto node;
  node.set_op_type(text.op_type);
  node.set_name(text.name);
  for (const std::string& input : text.inputs) node.add_input(input);
  node.add_output(text.output);
  return node;
}

}  // namespace bitplan::onnx
