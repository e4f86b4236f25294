#include "search/onnx/attributes.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "search/base/status.h"
#include "search/base/text.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/tensor_decode.h"

namespace bitplan::onnx {
namespace {

using onnx_wire::AttributeProto;

// AttributeProto.type.
constexpr int kAttributeFloat = 1;
constexpr int kAttributeInt = 2;
constexpr int kAttributeString = 3;
constexpr int kAttributeTensor = 4;
constexpr int kAttributeGraph = 5;
constexpr int kAttributeFloats = 6;
constexpr int kAttributeInts = 7;
constexpr int kAttributeStrings = 8;
constexpr int kAttributeGraphs = 10;
constexpr int kLastAttributeType = 14;

// Infinities are values of a mask or of padding: legal in Constant, Pad and Clip, nowhere else.
bool MayBeInfinite(std::string_view op_type) { return op_type == "Constant" || op_type == "Pad" || op_type == "Clip"; }

bool IsLegal(float value, std::string_view op_type) {
  return std::isfinite(value) || (std::isinf(value) && MayBeInfinite(op_type));
}

absl::StatusOr<Attribute> DecodeFloats(const AttributeProto& attribute, std::string_view op_type) {
  std::vector<float> floats(attribute.floats().begin(), attribute.floats().end());
  const bool legal = std::ranges::all_of(floats, [op_type](float value) { return IsLegal(value, op_type); });
  if (!legal) return InvalidArgument("want finite numbers");
  return floats;
}

absl::StatusOr<Attribute> DecodeStrings(const AttributeProto& attribute) {
  for (const std::string& text : attribute.strings()) {
    if (!IsPlainText(text)) return InvalidArgument("'{}' is not plain UTF-8", Printable(text));
  }
  return std::vector<std::string>(attribute.strings().begin(), attribute.strings().end());
}

absl::StatusOr<Attribute> DecodeTensorAttribute(const AttributeProto& attribute, const ParseLimits& limits) {
  BITPLAN_ASSIGN_OR_RETURN(Constant constant, DecodeTensor(attribute.t(), limits));
  return std::visit([](auto& tensor) { return Attribute(std::move(tensor)); }, constant);
}

absl::StatusOr<Attribute> DecodeValue(const AttributeProto& attribute, std::string_view op_type,
                                      const ParseLimits& limits) {
  if (attribute.has_ref_attr_name()) return Unimplemented("references to attributes of a function are not supported");
  switch (attribute.type()) {
    case kAttributeFloat:
      if (!IsLegal(attribute.f(), op_type)) return InvalidArgument("got {}, want a finite number", attribute.f());
      return attribute.f();
    case kAttributeInt:
      return attribute.i();
    case kAttributeString:
      if (!IsPlainText(attribute.s())) return InvalidArgument("'{}' is not plain UTF-8", Printable(attribute.s()));
      return attribute.s();
    case kAttributeTensor:
      return DecodeTensorAttribute(attribute, limits);
    case kAttributeFloats:
      return DecodeFloats(attribute, op_type);
    case kAttributeInts:
      return std::vector<int64_t>(attribute.ints().begin(), attribute.ints().end());
    case kAttributeStrings:
      return DecodeStrings(attribute);
    case kAttributeGraph:
    case kAttributeGraphs:
      return Unimplemented("subgraphs are not supported");
    default:
      break;
  }
  if (attribute.type() < 1 || attribute.type() > kLastAttributeType) {
    return InvalidArgument("unknown attribute type {}", attribute.type());
  }
  return Unimplemented("attributes of type {} are not supported", attribute.type());
}

}  // namespace

absl::StatusOr<Attributes> DecodeAttributes(const onnx_wire::NodeProto& node, const ParseLimits& limits) {
  Attributes attributes;
  for (const AttributeProto& proto : node.attribute()) {
    if (proto.name().empty() || !IsPlainText(proto.name())) {
      return InvalidArgument("attribute name '{}' is empty or not plain UTF-8", Printable(proto.name()));
    }
    absl::StatusOr<Attribute> value = DecodeValue(proto, node.op_type(), limits);
    if (!value.ok()) return WithContext(value.status(), fmt::format("attribute '{}'", Printable(proto.name())));
    if (!attributes.emplace(proto.name(), *std::move(value)).second) {
      return InvalidArgument("attribute '{}' occurs twice", proto.name());
    }
  }
  return attributes;
}

}  // namespace bitplan::onnx
