#include "search/onnx/wire_scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "search/base/status.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::onnx {
namespace {

using ::testing::HasSubstr;

// Encodes fields of a message.
std::string Varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
  return out;
}
std::string Tag(uint64_t field, uint64_t wire_type) { return Varint(field << 3 | wire_type); }
std::string Message(uint64_t field, const std::string& body) { return Tag(field, 2) + Varint(body.size()) + body; }

void ExpectRefused(const std::string& bytes, const std::string& message, const ParseLimits& limits = {}) {
  const absl::StatusOr<WireSummary> summary = ScanWire(bytes, limits);
  ASSERT_FALSE(summary.ok()) << message;
  EXPECT_EQ(summary.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(summary.status()), HasSubstr(message));
}

TEST(ScanWire, CountsNodesAndElements) {
  const std::string bytes = testing::TinyClassifier().Bytes();
  const absl::StatusOr<WireSummary> summary = ScanWire(bytes, {});
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->nodes, 4);
  EXPECT_GT(summary->elements, 50);
  EXPECT_GT(summary->parsed_bytes, static_cast<int64_t>(bytes.size()));
}

TEST(ScanWire, CountsOneElementAField) {
  // ir_version = 8; graph { node {} node {} }: 1 + 1 + 2 fields.
  const std::string bytes = Tag(1, 0) + Varint(8) + Message(7, Message(1, "") + Message(1, ""));
  const absl::StatusOr<WireSummary> summary = ScanWire(bytes, {});
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->elements, 4);
  EXPECT_EQ(summary->nodes, 2);
  EXPECT_TRUE(ScanWire(bytes, {.max_wire_elements = 4, .max_nodes = 2}).ok());
  ExpectRefused(bytes, "more than 3 messages", {.max_wire_elements = 3});
  ExpectRefused(bytes, "more than 1 nodes", {.max_nodes = 1});
  ExpectRefused(bytes, "want at most 5", {.max_file_bytes = 5});
}

// 2 bytes of file each, 250 bytes of memory once parsed: the reason for the scan.
TEST(ScanWire, RefusesBombsOfEmptyMessages) {
  std::string tensors;
  while (tensors.size() < (4 << 20)) tensors += Message(5, "");
  ExpectRefused(Message(7, tensors), "more than 500000 messages");
}

// 1 byte of file each, 8 bytes of memory.
TEST(ScanWire, CountsPackedNumbers) {
  const std::string dims(1000, '\x01');
  const std::string bytes = Message(7, Message(5, Message(7, dims)));
  const absl::StatusOr<WireSummary> summary = ScanWire(bytes, {});
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_GE(summary->parsed_bytes, 8000);
  ExpectRefused(bytes, "once parsed", {.max_parsed_bytes = 4000});
  ExpectRefused(Message(7, Message(5, Message(7, "\x01\x80"))), "packed number is cut off");
}

TEST(ScanWire, RefusesMalformedBytes) {
  ExpectRefused("\x08", "truncated");
  ExpectRefused("\x80", "truncated");
  ExpectRefused(std::string(11, '\xFF'), "more than 10 bytes");
  ExpectRefused(std::string(1, '\0'), "field number");
  ExpectRefused(Message(7,
                        "\x0A\x05"
                        "ab"),
                "goes past the end");
  ExpectRefused(Tag(7, 2) + Varint(~uint64_t{0}), "goes past the end");
  ExpectRefused(Tag(7, 2) + Varint(uint64_t{1} << 63), "goes past the end");
  ExpectRefused(Tag(100, 1) + "1234567", "truncated");
  ExpectRefused(Tag(100, 5) + "123", "truncated");
  ExpectRefused(Tag(7, 0) + Varint(1), "wrong wire type");
  ExpectRefused(Tag(1, 5) + "1234", "wrong wire type");
}

// Groups are the one construct of the encoding that nests without lengths.
TEST(ScanWire, RefusesGroups) {
  ExpectRefused(Tag(100, 3) + Tag(100, 4), "groups");
  std::string nested;
  for (int depth = 0; depth < 100'000; ++depth) nested += Tag(100, 3);
  ExpectRefused(nested, "groups");
  ExpectRefused(Tag(100, 7), "unknown wire types");
}

TEST(ScanWire, SkipsUnknownFields) {
  const std::string bytes =
      Tag(1, 0) + Varint(8) + Message(14, "metadata") + Tag(99, 1) + "12345678" + Tag(98, 5) + "1234";
  EXPECT_TRUE(ScanWire(bytes, {}).ok());
}

// Graphs inside attributes count like the model's own, and go only so deep.
TEST(ScanWire, BoundsHowDeepGraphsNest) {
  const auto nested = [](int graphs) {
    std::string graph;
    for (int depth = 1; depth < graphs; ++depth) graph = Message(1, Message(5, Message(6, graph)));
    return ScanWire(Message(7, graph), {.max_nodes = 40});
  };
  const absl::StatusOr<WireSummary> summary = nested(16);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->nodes, 15);
  EXPECT_THAT(MessageOf(nested(17).status()), HasSubstr("graphs nested more than 16 deep"));
  EXPECT_THAT(MessageOf(nested(10'000).status()), HasSubstr("graphs nested more than 16 deep"));
}

// The table of the scan and the schema of the parser are written down twice. A message with every field set must give
// the same count as its size in fields.
TEST(ScanWire, KnowsEveryMessageOfTheSchema) {
  onnx_wire::ModelProto model;
  onnx_wire::GraphProto& graph = *model.mutable_graph();
  onnx_wire::NodeProto& node = *graph.add_node();
  node.add_input("x");
  onnx_wire::AttributeProto& attribute = *node.add_attribute();
  attribute.mutable_t()->set_name("t");
  attribute.add_floats(1);
  attribute.add_ints(1);
  graph.add_initializer()->add_dims(1);
  onnx_wire::TypeProto::Tensor& type = *graph.add_input()->mutable_type()->mutable_tensor_type();
  type.mutable_shape()->add_dim()->set_dim_value(1);
  graph.add_output()->set_name("y");
  model.add_opset_import()->set_version(13);
  const absl::StatusOr<WireSummary> summary = ScanWire(model.SerializeAsString(), {});
  ASSERT_TRUE(summary.ok()) << summary.status();
  // graph, node, input, attribute, t, name, floats, ints; initializer, dims; input, type, tensor_type, shape, dim,
  // dim_value; output, name; opset_import, version.
  EXPECT_EQ(summary->elements, 8 + 2 + 6 + 2 + 2);
}

}  // namespace
}  // namespace bitplan::onnx
