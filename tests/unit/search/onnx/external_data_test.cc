#include "search/onnx/external_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/onnx/parse_model.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::OnnxModel;

void SetEntry(onnx_wire::TensorProto& tensor, const std::string& key, const std::string& value) {
  auto* entry = tensor.add_external_data();
  entry->set_key(key);
  entry->set_value(value);
}

std::string Floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

// A float tensor of the shape whose data is elsewhere.
void FillExternal(onnx_wire::TensorProto& tensor, const std::vector<int64_t>& shape, const std::string& location) {
  tensor.set_data_type(1);
  tensor.set_data_location(1);
  for (const int64_t size : shape) tensor.add_dims(size);
  SetEntry(tensor, "location", location);
}

// input [N, 2] -> MatMul 'w' [2, 2] -> Add 'b' [2] -> y: w in 8.bin from byte 4 on, b (in a Constant node) all of
// b.bin.
OnnxModel TwoFiles() {
  OnnxModel model;
  model.Input("input", {kDynamic, 2}).Output("y");
  model.Add("MatMul", {"input", "w"}, {"h"});
  auto& constant = *model.Add("Constant", {}, {"b"}).add_attribute();
  constant.set_name("value");
  constant.set_type(4);
  FillExternal(*constant.mutable_t(), {2}, "sub/b.bin");
  model.Add("Add", {"h", "b"}, {"y"});
  onnx_wire::TensorProto& w = *model.graph().add_initializer();
  w.set_name("w");
  FillExternal(w, {2, 2}, "w.bin");
  SetEntry(w, "offset", "4");
  SetEntry(w, "length", "16");
  SetEntry(w, "checksum", "not looked at");
  return model;
}

onnx_wire::TensorProto& WeightOf(OnnxModel& model) { return *model.graph().mutable_initializer(0); }

const std::string& WeightFile() {
  static const auto& bytes = *new std::string(Floats({-1, 1, 2, 3, 4, -1}));
  return bytes;
}
const std::string& BiasFile() {
  static const auto& bytes = *new std::string(Floats({5, 6}));
  return bytes;
}

absl::StatusOr<std::string> Inline(const OnnxModel& model, const ParseLimits& limits = {}) {
  const std::vector<ExternalFile> files = {{"w.bin", WeightFile()}, {"sub/b.bin", BiasFile()}};
  return InlineExternalData(model.Bytes(), files, limits);
}

void ExpectRefused(const OnnxModel& model, const std::string& message, const ParseLimits& limits = {}) {
  const absl::StatusOr<std::string> inlined = Inline(model, limits);
  ASSERT_FALSE(inlined.ok()) << message;
  EXPECT_EQ(inlined.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(inlined.status()), HasSubstr(message));
}

TEST(ExternalData, ListsEachLocationOnce) {
  OnnxModel model = TwoFiles();
  FillExternal(*model.graph().add_initializer(), {2}, "w.bin");
  const auto found = ListExternalFiles(model.Bytes());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(*found, ElementsAre("sub/b.bin", "w.bin"));
  EXPECT_THAT(*ListExternalFiles(testing::TinyClassifier().Bytes()), IsEmpty());
}

TEST(ExternalData, BecomesPartOfTheModel) {
  const auto inlined = Inline(TwoFiles());
  ASSERT_TRUE(inlined.ok()) << inlined.status();
  const auto graph = ParseModel(*inlined);
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto constant = [&](const std::string& name) {
    for (const Value& value : graph->values) {
      if (value.name == name) return std::get<Tensor>(value.constant).data;
    }
    return FloatVector();
  };
  EXPECT_THAT(constant("w"), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(constant("b"), ElementsAre(5, 6));
  // Nothing is left to put inside.
  EXPECT_EQ(*InlineExternalData(*inlined, {}), *inlined);
}

TEST(ExternalData, ReadsBranches) {
  OnnxModel model = TwoFiles();
  OnnxModel branch = TwoFiles();
  SetEntry(WeightOf(branch), "offset", "0");  // twice
  auto& attribute = *model.Add("If", {"c"}, {"z"}).add_attribute();
  attribute.set_name("then_branch");
  attribute.set_type(5);
  *attribute.mutable_g() = branch.graph();
  ExpectRefused(model, "onnx: tensor 'w': external data: 'offset' is there twice");
}

TEST(ExternalData, KeepsWhatTheImporterDoesNotRead) {
  OnnxModel model = TwoFiles();
  model.proto().mutable_unknown_fields()->append(
      "\x1A\x03"
      "1.0");  // producer_version
  const auto inlined = Inline(model);
  ASSERT_TRUE(inlined.ok()) << inlined.status();
  EXPECT_THAT(*inlined, HasSubstr("\x1A\x03"
                                  "1.0"));
}

TEST(ExternalData, ReturnsAModelInOneFileAsItIs) {
  const std::string bytes = testing::TinyClassifier().Bytes();
  EXPECT_EQ(*InlineExternalData(bytes, {}), bytes);
}

TEST(ExternalData, RefusesPartsThatAreNotInTheFile) {
  OnnxModel past = TwoFiles();
  WeightOf(past).mutable_external_data(1)->set_value("12");
  ExpectRefused(past, "onnx: tensor 'w': external data: 'w.bin' has 24 bytes, want 16 from 12 on");
  OnnxModel outside = TwoFiles();
  WeightOf(outside).mutable_external_data(1)->set_value("25");
  ExpectRefused(outside, "'w.bin' has 24 bytes, the data begins at 25");
  OnnxModel wraps = TwoFiles();
  WeightOf(wraps).mutable_external_data(2)->set_value("18446744073709551615");
  ExpectRefused(wraps, "want 18446744073709551615 from 4 on");
  for (const std::string bad : {"-4", "", "4x", "0x4", "99999999999999999999"}) {
    OnnxModel number = TwoFiles();
    WeightOf(number).mutable_external_data(1)->set_value(bad);
    ExpectRefused(number, "offset: got '" + bad + "', want a number of bytes");
  }
}

TEST(ExternalData, RefusesTensorsWithoutALocation) {
  OnnxModel none = TwoFiles();
  WeightOf(none).clear_external_data();
  ExpectRefused(none, "no location");
  OnnxModel empty = TwoFiles();
  WeightOf(empty).mutable_external_data(0)->set_value("");
  ExpectRefused(empty, "no location");
  OnnxModel binary = TwoFiles();
  WeightOf(binary).mutable_external_data(0)->set_value(std::string("w\0.bin", 6));
  ExpectRefused(binary, "is not plain UTF-8");
  EXPECT_FALSE(ListExternalFiles(binary.Bytes()).ok());
}

TEST(ExternalData, NamesTheMissingFile) {
  const auto inlined = InlineExternalData(TwoFiles().Bytes(), {});
  EXPECT_EQ(inlined.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(inlined.status()), HasSubstr("onnx: tensor 'w': external data: no file 'w.bin'"));
}

// Many tensors of one part of a file would make a small model large.
TEST(ExternalData, LimitsTheWhole) {
  OnnxModel model = TwoFiles();
  const auto size = static_cast<int64_t>(model.Bytes().size());
  ExpectRefused(model, "the model with its data has more than", {.max_file_bytes = size + 20});
  EXPECT_TRUE(Inline(model, {.max_file_bytes = size + 24}).ok());
}

TEST(ExternalData, RefusesWhatIsNoModel) {
  EXPECT_EQ(ListExternalFiles("\x07garbage").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(InlineExternalData("\x07garbage", {}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bitplan::onnx
