#include "search/onnx/wire_scan.h"

#include <algorithm>
#include <array>
#include <span>

#include "search/base/status.h"

namespace bitplan::onnx {
namespace {

// Wire types of protobuf (https://protobuf.dev/programming-guides/encoding).
enum WireType : uint32_t { kWireVarint = 0, kWireFixed64 = 1, kWireBytes = 2, kWireFixed32 = 5 };

enum class Kind {
  kVarint,   // one number, or many of them packed
  kFixed32,  // likewise
  kFixed64,  // likewise
  kBytes,    // string, or a message that we leave unparsed
  kMessage,  // walked
};

enum MessageType {
  kModel,
  kOpset,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kEntry,
  kValueInfo,
  kType,
  kTensorType,
  kShape,
  kDim
};

struct Field {
  uint32_t number;
  Kind kind;
  MessageType child = kModel;  // for kMessage
};

// The schema of onnx_wire.proto, message by message.
constexpr auto kModelFields = std::to_array<Field>({{1, Kind::kVarint},
                                                    {2, Kind::kBytes},
                                                    {7, Kind::kMessage, kGraph},
                                                    {8, Kind::kMessage, kOpset},
                                                    {25, Kind::kBytes}});
constexpr auto kOpsetFields = std::to_array<Field>({{1, Kind::kBytes}, {2, Kind::kVarint}});
constexpr auto kGraphFields = std::to_array<Field>({{1, Kind::kMessage, kNode},
                                                    {2, Kind::kBytes},
                                                    {5, Kind::kMessage, kTensor},
                                                    {11, Kind::kMessage, kValueInfo},
                                                    {12, Kind::kMessage, kValueInfo},
                                                    {15, Kind::kBytes}});
constexpr auto kNodeFields = std::to_array<Field>({{1, Kind::kBytes},
                                                   {2, Kind::kBytes},
                                                   {3, Kind::kBytes},
                                                   {4, Kind::kBytes},
                                                   {5, Kind::kMessage, kAttribute},
                                                   {7, Kind::kBytes}});
constexpr auto kAttributeFields = std::to_array<Field>({{1, Kind::kBytes},
                                                        {2, Kind::kFixed32},
                                                        {3, Kind::kVarint},
                                                        {4, Kind::kBytes},
                                                        {5, Kind::kMessage, kTensor},
                                                        {6, Kind::kMessage, kGraph},
                                                        {7, Kind::kFixed32},
                                                        {8, Kind::kVarint},
                                                        {9, Kind::kBytes},
                                                        {10, Kind::kBytes},
                                                        {11, Kind::kBytes},
                                                        {20, Kind::kVarint},
                                                        {21, Kind::kBytes},
                                                        {22, Kind::kBytes}});
constexpr auto kTensorFields = std::to_array<Field>({{1, Kind::kVarint},
                                                     {2, Kind::kVarint},
                                                     {3, Kind::kBytes},
                                                     {4, Kind::kFixed32},
                                                     {5, Kind::kVarint},
                                                     {7, Kind::kVarint},
                                                     {8, Kind::kBytes},
                                                     {9, Kind::kBytes},
                                                     {10, Kind::kFixed64},
                                                     {11, Kind::kVarint},
                                                     {13, Kind::kMessage, kEntry},
                                                     {14, Kind::kVarint}});
constexpr auto kEntryFields = std::to_array<Field>({{1, Kind::kBytes}, {2, Kind::kBytes}});
constexpr auto kValueInfoFields = std::to_array<Field>({{1, Kind::kBytes}, {2, Kind::kMessage, kType}});
constexpr auto kTypeFields = std::to_array<Field>(
    {{1, Kind::kMessage, kTensorType}, {4, Kind::kBytes}, {5, Kind::kBytes}, {8, Kind::kBytes}, {9, Kind::kBytes}});
constexpr auto kTensorTypeFields = std::to_array<Field>({{1, Kind::kVarint}, {2, Kind::kMessage, kShape}});
constexpr auto kShapeFields = std::to_array<Field>({{1, Kind::kMessage, kDim}});
constexpr auto kDimFields = std::to_array<Field>({{1, Kind::kVarint}, {2, Kind::kBytes}});

// In the order of MessageType.
constexpr auto kSchema = std::to_array<std::span<const Field>>(
    {kModelFields, kOpsetFields, kGraphFields, kNodeFields, kAttributeFields, kTensorFields, kEntryFields,
     kValueInfoFields, kTypeFields, kTensorTypeFields, kShapeFields, kDimFields});

// Memory of one parsed message and of one string beside its characters, as generated code and libstdc++ lay them out
// (the largest message, TensorProto, has 232 bytes; a string has 32 and a pointer to it).
constexpr int64_t kMessageBytes = 250;
constexpr int64_t kStringBytes = 48;
constexpr int64_t kNumberBytes = 8;

// Sizes that an encoded number may have: 64 bits in groups of 7.
constexpr int kMaxVarintBytes = 10;
constexpr uint64_t kMaxFieldNumber = (1U << 29) - 1;

const Field* FindField(MessageType message, uint32_t number) {
  for (const Field& field : kSchema[message]) {
    if (field.number == number) return &field;
  }
  return nullptr;
}

uint32_t WireTypeOf(Kind kind) {
  switch (kind) {
    case Kind::kVarint:
      return kWireVarint;
    case Kind::kFixed32:
      return kWireFixed32;
    case Kind::kFixed64:
      return kWireFixed64;
    case Kind::kBytes:
    case Kind::kMessage:
      return kWireBytes;
  }
  return kWireBytes;
}

bool MayBePacked(Kind kind) { return kind != Kind::kBytes && kind != Kind::kMessage; }

class Walker {
 public:
  Walker(std::string_view bytes, const ParseLimits& limits) : bytes_(bytes), limits_(limits) {}

  absl::StatusOr<WireSummary> Walk() {
    if (static_cast<int64_t>(bytes_.size()) > limits_.max_file_bytes) {
      return InvalidArgument("onnx: the file has {} bytes, want at most {}", bytes_.size(), limits_.max_file_bytes);
    }
    BITPLAN_RETURN_IF_ERROR(WalkMessage(kModel, bytes_.size()));
    return summary_;
  }

 private:
  // Walks the fields from position_ to `end`. Recursion follows the schema, whose only cycle are graphs in attributes.
  absl::Status WalkMessage(MessageType message, size_t end) {  // NOLINT(misc-no-recursion)
    if (message == kGraph && ++graph_depth_ > limits_.max_graph_depth) {
      return InvalidArgument("onnx: graphs nested more than {} deep", limits_.max_graph_depth);
    }
    while (position_ < end) BITPLAN_RETURN_IF_ERROR(WalkField(message, end));
    if (message == kGraph) --graph_depth_;
    return absl::OkStatus();
  }

  absl::Status WalkField(MessageType message, size_t end) {  // NOLINT(misc-no-recursion)
    const size_t start = position_;
    uint64_t tag = 0;
    BITPLAN_RETURN_IF_ERROR(ReadVarint(end, tag));
    const uint64_t number = tag >> 3;
    const auto wire_type = static_cast<uint32_t>(tag & 7);
    if (number == 0 || number > kMaxFieldNumber) return Malformed(start, "field number out of range");
    const Field* field = FindField(message, static_cast<uint32_t>(number));
    if (field != nullptr && wire_type != WireTypeOf(field->kind) &&
        !(wire_type == kWireBytes && MayBePacked(field->kind))) {
      return Malformed(start, "field of the wrong wire type");
    }
    BITPLAN_RETURN_IF_ERROR(Count(1, kNumberBytes));
    switch (wire_type) {
      case kWireVarint:
        return ReadVarint(end, tag);
      case kWireFixed32:
        return Skip(4, end);
      case kWireFixed64:
        return Skip(8, end);
      case kWireBytes:
        return WalkLengthDelimited(field, end);
      default:
        return Malformed(start, "groups and unknown wire types are not part of ONNX");
    }
  }

  absl::Status WalkLengthDelimited(const Field* field, size_t end) {  // NOLINT(misc-no-recursion)
    const size_t start = position_;
    uint64_t length = 0;
    BITPLAN_RETURN_IF_ERROR(ReadVarint(end, length));
    if (length > end - position_) return Malformed(start, "length goes past the end of its message");
    const size_t field_end = position_ + length;
    if (field == nullptr || field->kind == Kind::kBytes) {
      BITPLAN_RETURN_IF_ERROR(Count(0, kStringBytes + static_cast<int64_t>(length)));
      position_ = field_end;
      return absl::OkStatus();
    }
    if (field->kind != Kind::kMessage) return WalkPacked(field->kind, field_end);
    if (field->child == kNode && ++summary_.nodes > limits_.max_nodes) {
      return InvalidArgument("onnx: more than {} nodes", limits_.max_nodes);
    }
    BITPLAN_RETURN_IF_ERROR(Count(0, kMessageBytes));
    return WalkMessage(field->child, field_end);
  }

  // A packed varint ends with the byte whose high bit is clear, so numbers are counted without decoding.
  absl::Status WalkPacked(Kind kind, size_t end) {
    const std::string_view payload = bytes_.substr(position_, end - position_);
    position_ = end;
    if (kind != Kind::kVarint) return Count(0, static_cast<int64_t>(payload.size()));
    if (!payload.empty() && (payload.back() & 0x80) != 0) return Malformed(end, "a packed number is cut off");
    const int64_t numbers = std::ranges::count_if(payload, [](char byte) { return (byte & 0x80) == 0; });
    return Count(0, numbers * kNumberBytes);
  }

  // Almost all numbers have one byte.
  absl::Status ReadVarint(size_t end, uint64_t& value) {
    if (position_ < end && static_cast<uint8_t>(bytes_[position_]) < 0x80) {
      value = static_cast<uint8_t>(bytes_[position_++]);
      return absl::OkStatus();
    }
    return ReadLongVarint(end, value);
  }

  absl::Status ReadLongVarint(size_t end, uint64_t& value) {
    const size_t start = position_;
    value = 0;
    for (int i = 0; i < kMaxVarintBytes; ++i) {
      if (position_ == end) return Malformed(start, "the file is truncated or a message is too short");
      const auto byte = static_cast<uint8_t>(bytes_[position_++]);
      value |= static_cast<uint64_t>(byte & 0x7F) << (7 * i);
      if ((byte & 0x80) == 0) return absl::OkStatus();
    }
    return Malformed(start, "a number of more than 10 bytes");
  }

  absl::Status Skip(size_t count, size_t end) {
    if (count > end - position_) return Malformed(position_, "the file is truncated or a message is too short");
    position_ += count;
    return absl::OkStatus();
  }

  absl::Status Count(int64_t elements, int64_t parsed_bytes) {
    summary_.elements += elements;
    summary_.parsed_bytes += parsed_bytes;
    if (summary_.elements > limits_.max_wire_elements) {
      return InvalidArgument("onnx: more than {} messages, strings and numbers in the file", limits_.max_wire_elements);
    }
    if (summary_.parsed_bytes > limits_.max_parsed_bytes) {
      return InvalidArgument("onnx: the file would take more than {} bytes once parsed", limits_.max_parsed_bytes);
    }
    return absl::OkStatus();
  }

  static absl::Status Malformed(size_t offset, std::string_view what) {
    return InvalidArgument("onnx: malformed file at byte {}: {}", offset, what);
  }

  std::string_view bytes_;
  const ParseLimits& limits_;
  WireSummary summary_;
  size_t position_ = 0;
  int64_t graph_depth_ = 0;
};

}  // namespace

absl::StatusOr<WireSummary> ScanWire(std::string_view bytes, const ParseLimits& limits) {
  return Walker(bytes, limits).Walk();
}

}  // namespace bitplan::onnx
