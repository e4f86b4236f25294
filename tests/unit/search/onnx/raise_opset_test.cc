#include "search/onnx/raise_opset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/parse_model.h"
#include "search/ops/executor.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::onnx {
namespace {

using ::testing::HasSubstr;
using testing::OnnxModel;

FloatVector Forward(const std::string& bytes, const FloatVector& input) {
  const absl::StatusOr<Graph> graph = ParseModel(bytes);
  EXPECT_TRUE(graph.ok()) << graph.status();
  if (!graph.ok()) return {};
  const auto program = ops::Program::Compile(*graph, 2, graph->outputs[0]);
  EXPECT_TRUE(program.ok()) << program.status();
  ops::Feed feed;
  feed.inputs.push_back(input);
  ops::Primals primals(*program);
  ops::Forward(*program, feed, ops::KeepValues::kNone, primals);
  const std::span<const float> output = primals.values.view(program->output);
  return {output.begin(), output.end()};
}

using Ints = std::vector<int64_t>;

// Every operator that is converted, in the words of opset 9: x [N, 4] -> pad, slice, clip, split, squeeze, ... -> [N,
// 2].
OnnxModel OldWords() {
  OnnxModel model(9);
  model.proto().set_ir_version(4);
  model.Input("x", {kDynamic, 4}).Output("y");
  model.Weight("w", Tensor{.shape = {4, 4}, .data = {1, 2, 3, 4, -1, 0, 1, 2, 0.5F, 1, 0, 1, -2, 1, 0, 0.25F}});
  model.Add("MatMul", {"x", "w"}, {"m"});
  model.Add("Pad", {"m"}, {"p"}, {{"mode", std::string("constant")}, {"pads", Ints{0, 1, 0, 1}}, {"value", 0.5F}});
  model.Add("Slice", {"p"}, {"s"}, {{"axes", Ints{1}}, {"starts", Ints{0}}, {"ends", Ints{4}}});
  model.Add("Clip", {"s"}, {"c"}, {{"min", -1.0F}, {"max", 1.5F}});
  model.Add("Softmax", {"c"}, {"soft"});
  model.Add("Dropout", {"soft"}, {"d"}, {{"ratio", 0.5F}});
  model.Add("Split", {"d"}, {"a", "b"}, {{"axis", int64_t{1}}, {"split", Ints{1, 3}}});
  model.Add("Squeeze", {"a"}, {"a1"}, {{"axes", Ints{1}}});
  model.Add("Unsqueeze", {"a1"}, {"a2"}, {{"axes", Ints{1}}});
  model.Add("ReduceMean", {"b"}, {"mean"}, {{"axes", Ints{1}}, {"keepdims", int64_t{1}}});
  model.Add("ReduceSum", {"b"}, {"sum"}, {{"axes", Ints{1}}, {"keepdims", int64_t{1}}});
  model.Add("Add", {"a2", "sum"}, {"top"});
  model.Add("Concat", {"top", "mean"}, {"y"}, {{"axis", int64_t{1}}});
  return model;
}

TEST(RaiseOpset, ComputesTheSameInEveryOpset) {
  const OnnxModel old = OldWords();
  const FloatVector input = {1, -0.5F, 0.25F, 2, 0, 1, -1, 0.75F};
  const FloatVector wanted = Forward(old.Bytes(), input);
  ASSERT_EQ(wanted.size(), 4U);
  for (const int64_t target : {10, 11, 12, 13, 14, 18, 19, 21}) {
    SCOPED_TRACE(target);
    OnnxModel model = old;
    const absl::Status raised = RaiseOpset(model.proto(), target, {{"soft", 2}});
    ASSERT_TRUE(raised.ok()) << raised;
    EXPECT_EQ(OpsetOf(model.proto()), target);
    EXPECT_EQ(Forward(model.Bytes(), input), wanted);
  }
}

TEST(RaiseOpset, SetsTheIrVersionAndNeverLowersAnything) {
  OnnxModel model = testing::TinyClassifier();
  model.proto().set_ir_version(4);
  ASSERT_TRUE(RaiseOpset(model.proto(), 21, {}).ok());
  EXPECT_EQ(model.proto().ir_version(), 10);
  EXPECT_EQ(OpsetOf(model.proto()), 21);
  const std::string bytes = model.Bytes();
  ASSERT_TRUE(RaiseOpset(model.proto(), 13, {}).ok());
  EXPECT_EQ(model.Bytes(), bytes);
}

TEST(RaiseOpset, CountsThePartsOfASplitWithoutSizes) {
  OnnxModel model(13);
  model.Add("Split", {"x"}, {"a", "b", "c"});
  ASSERT_TRUE(RaiseOpset(model.proto(), 21, {}).ok());
  EXPECT_EQ(model.graph().node(0).attribute(0).name(), "num_outputs");
  EXPECT_EQ(model.graph().node(0).attribute(0).i(), 3);
}

TEST(RaiseOpset, LeavesTheModelAloneWhereItCannot) {
  const auto refused = [](OnnxModel model, int64_t target = 21) {
    const std::string bytes = model.Bytes();
    const absl::Status status = RaiseOpset(model.proto(), target, {{"y", 3}});
    EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
    EXPECT_EQ(model.Bytes(), bytes);
    return MessageOf(status);
  };
  OnnxModel resize(10);
  resize.Add("Squeeze", {"x"}, {"s"}, {{"axes", Ints{1}}});
  resize.Add("Resize", {"s", "scales"}, {"y"}, {}, "grow");
  EXPECT_EQ(refused(resize), "opset 10 to 21: node 'grow' (Resize): its definition changed");
  OnnxModel softmax(11);
  softmax.Add("Softmax", {"x"}, {"y"});
  EXPECT_THAT(refused(softmax), HasSubstr("axis 1 is not known to be the last one"));
  OnnxModel unknown(13);
  unknown.Add("NonMaxSuppression", {"x"}, {"y"});
  EXPECT_THAT(refused(unknown), HasSubstr("not known"));
  OnnxModel branches(13);
  branches.Add("Identity", {"x"}, {"y"}).add_attribute()->mutable_g()->set_name("inner");
  EXPECT_THAT(refused(branches), HasSubstr("a graph inside it"));
  EXPECT_THAT(refused(testing::TinyClassifier(), 22), HasSubstr("want at most 21"));
}

TEST(RaiseOpset, LooksAtTheDefaultDomainOnly) {
  OnnxModel model(13);
  model.Add("Resize", {"x"}, {"y"}).set_domain("com.example");
  EXPECT_TRUE(RaiseOpset(model.proto(), 21, {}).ok());
}

}  // namespace
}  // namespace bitplan::onnx
