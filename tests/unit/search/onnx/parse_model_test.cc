#include "search/onnx/parse_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "search/base/status.h"
#include "search/ops/infer_shapes.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::onnx {
namespace {

using ::bitplan::testing::OnnxModel;
using ::bitplan::testing::SetAttribute;
using ::bitplan::testing::TinyClassifier;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Ints = std::vector<int64_t>;

void ExpectError(const OnnxModel& model, absl::StatusCode code, const ::testing::Matcher<std::string>& message,
                 const ParseLimits& limits = {}) {
  const absl::StatusOr<Graph> graph = ParseModel(model.Bytes(), limits);
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.status().code(), code) << graph.status();
  EXPECT_THAT(MessageOf(graph.status()), message);
}
void ExpectInvalid(const OnnxModel& model, const std::string& message, const ParseLimits& limits = {}) {
  ExpectError(model, absl::StatusCode::kInvalidArgument, HasSubstr(message), limits);
}
void ExpectUnsupported(const OnnxModel& model, const std::string& message) {
  ExpectError(model, absl::StatusCode::kUnimplemented, HasSubstr(message));
}

Graph Parsed(const OnnxModel& model) {
  absl::StatusOr<Graph> graph = ParseModel(model.Bytes());
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.ok() ? *std::move(graph) : Graph();
}

std::vector<std::string> OpTypes(const Graph& graph) {
  std::vector<std::string> types;
  for (const Node& node : graph.nodes) types.push_back(node.op_type);
  return types;
}

const Value* FindValue(const Graph& graph, const std::string& name) {
  for (const Value& value : graph.values) {
    if (value.name == name) return &value;
  }
  return nullptr;
}

// input [N, 4] -> MatMul with `weight`, a name that the test defines -> y.
OnnxModel MatMulOf(const std::string& weight) {
  OnnxModel model;
  model.Input("input", {kDynamic, 4}).Output("y");
  model.Add("MatMul", {"input", weight}, {"y"});
  return model;
}

TEST(ParseModel, ReadsTheTinyClassifier) {
  const Graph graph = Parsed(TinyClassifier());
  EXPECT_EQ(graph.opset_version, 13);
  EXPECT_THAT(OpTypes(graph), ElementsAre("Conv", "Relu", "Flatten", "Gemm"));
  ASSERT_EQ(graph.inputs.size(), 1);
  EXPECT_THAT(graph.inputs[0].shape, ElementsAre(kDynamic, 1, 6, 6));
  ASSERT_EQ(graph.layers.layers.size(), 2);
  const Layer& conv = graph.layers.layers[0];
  EXPECT_EQ(conv.name, "conv");
  EXPECT_EQ(conv.kind, LayerKind::kConv);
  EXPECT_THAT(conv.weight_shape, ElementsAre(4, 1, 3, 3));
  EXPECT_EQ(conv.macs, 6 * 6 * 36);
  const Layer& fc = graph.layers.layers[1];
  EXPECT_EQ(fc.name, "fc");
  EXPECT_EQ(fc.kind, LayerKind::kGemm);
  EXPECT_EQ(fc.output_channel_axis, 0);
  EXPECT_EQ(fc.macs, 3 * 144);
}

TEST(ParseModel, KeepsAttributesOfEveryType) {
  OnnxModel model = TinyClassifier();
  onnx_wire::NodeProto& node = *model.graph().mutable_node(0);
  SetAttribute(node, "auto_pad", std::string("NOTSET"));
  SetAttribute(node, "group", int64_t{1});
  SetAttribute(node, "my_float", 0.5F);
  SetAttribute(node, "my_floats", std::vector<float>{1, 2});
  SetAttribute(node, "my_tensor", Tensor{.shape = {2}, .data = {3, 4}});
  SetAttribute(node, "my_ints", IntTensor{.shape = {2}, .data = {5, 6}});
  const Graph graph = Parsed(model);
  const Attributes& attributes = graph.nodes.at(0).attributes;
  EXPECT_EQ(std::get<std::string>(attributes.at("auto_pad")), "NOTSET");
  EXPECT_EQ(std::get<int64_t>(attributes.at("group")), 1);
  EXPECT_EQ(std::get<float>(attributes.at("my_float")), 0.5F);
  EXPECT_THAT(std::get<std::vector<float>>(attributes.at("my_floats")), ElementsAre(1, 2));
  EXPECT_THAT(std::get<Tensor>(attributes.at("my_tensor")).data, ElementsAre(3, 4));
  EXPECT_THAT(std::get<IntTensor>(attributes.at("my_ints")).data, ElementsAre(5, 6));
  EXPECT_THAT(std::get<Ints>(attributes.at("pads")), ElementsAre(1, 1, 1, 1));
}

// --- weights in every encoding ---

// The weight of MatMulOf as a TensorProto of shape [4, 2] for the test to fill.
onnx_wire::TensorProto& AddWeight(OnnxModel& model, int data_type) {
  onnx_wire::TensorProto& tensor = *model.graph().add_initializer();
  tensor.set_name("w");
  tensor.add_dims(4);
  tensor.add_dims(2);
  tensor.set_data_type(data_type);
  return tensor;
}

template <typename T>
std::string Raw(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

void ExpectWeight(const OnnxModel& model) {
  const Graph graph = Parsed(model);
  const Value* weight = FindValue(graph, "w");
  ASSERT_NE(weight, nullptr);
  EXPECT_THAT(std::get<Tensor>(weight->constant).data, ElementsAre(0, 1, 2, 3, -1, -2, -3, 0.5F));
}

TEST(ParseModel, ReadsWeightsInEveryFloatEncoding) {
  OnnxModel raw_float = MatMulOf("w");
  AddWeight(raw_float, 1).set_raw_data(Raw<float>({0, 1, 2, 3, -1, -2, -3, 0.5F}));
  ExpectWeight(raw_float);
  OnnxModel float_data = MatMulOf("w");
  onnx_wire::TensorProto& floats = AddWeight(float_data, 1);
  for (const float value : {0.0F, 1.0F, 2.0F, 3.0F, -1.0F, -2.0F, -3.0F, 0.5F}) floats.add_float_data(value);
  ExpectWeight(float_data);
  OnnxModel raw_double = MatMulOf("w");
  AddWeight(raw_double, 11).set_raw_data(Raw<double>({0, 1, 2, 3, -1, -2, -3, 0.5}));
  ExpectWeight(raw_double);
  OnnxModel double_data = MatMulOf("w");
  onnx_wire::TensorProto& doubles = AddWeight(double_data, 11);
  for (const double value : {0.0, 1.0, 2.0, 3.0, -1.0, -2.0, -3.0, 0.5}) doubles.add_double_data(value);
  ExpectWeight(double_data);
  const std::initializer_list<uint16_t> halves = {0, 0x3C00, 0x4000, 0x4200, 0xBC00, 0xC000, 0xC200, 0x3800};
  OnnxModel raw_half = MatMulOf("w");
  AddWeight(raw_half, 10).set_raw_data(Raw<uint16_t>(halves));
  ExpectWeight(raw_half);
  OnnxModel half_data = MatMulOf("w");
  onnx_wire::TensorProto& stored = AddWeight(half_data, 10);
  for (const uint16_t bits : halves) stored.add_int32_data(bits);
  ExpectWeight(half_data);
  OnnxModel bfloat = MatMulOf("w");
  AddWeight(bfloat, 16).set_raw_data(Raw<uint16_t>({0, 0x3F80, 0x4000, 0x4040, 0xBF80, 0xC000, 0xC040, 0x3F00}));
  ExpectWeight(bfloat);
}

// A Reshape target in each integer encoding: [-1, 4].
TEST(ParseModel, ReadsIntegersInEveryEncoding) {
  struct Encoding {
    int type;
    std::string raw;
  };
  const std::vector<Encoding> encodings = {
      {7, Raw<int64_t>({-1, 4})}, {6, Raw<int32_t>({-1, 4})},  {5, Raw<int16_t>({-1, 4})},
      {3, Raw<int8_t>({-1, 4})},  {13, Raw<uint64_t>({3, 4})}, {12, Raw<uint32_t>({3, 4})},
      {4, Raw<uint16_t>({3, 4})}, {2, Raw<uint8_t>({3, 4})},   {9, Raw<uint8_t>({1, 7})}};
  for (const Encoding& encoding : encodings) {
    for (const bool typed : {false, true}) {
      OnnxModel model;
      model.Input("input", {kDynamic, 4}).Output("y").Weight("w", {4, 4}, 1);
      onnx_wire::TensorProto& tensor = *model.graph().add_initializer();
      tensor.set_name("shape");
      tensor.add_dims(2);
      tensor.set_data_type(encoding.type);
      const bool is_unsigned = encoding.type == 13 || encoding.type == 12 || encoding.type == 4 || encoding.type == 2;
      const int64_t first = encoding.type == 9 ? 1 : is_unsigned ? 3 : -1;
      const int64_t second = encoding.type == 9 ? 1 : 4;
      if (!typed) {
        tensor.set_raw_data(encoding.raw);
      } else if (encoding.type == 7) {
        tensor.add_int64_data(first);
        tensor.add_int64_data(second);
      } else if (encoding.type == 13 || encoding.type == 12) {
        tensor.add_uint64_data(first);
        tensor.add_uint64_data(second);
      } else {
        tensor.add_int32_data(static_cast<int32_t>(first));
        tensor.add_int32_data(static_cast<int32_t>(second));
      }
      // ConstantOfShape would refuse -1: the tensor is only multiplied by itself and compared through a Reshape target.
      model.Add("MatMul", {"input", "w"}, {"m"});
      model.Add("Mul", {"shape", "shape"}, {"squared"});
      model.Add("ConstantOfShape", {"squared"}, {"zeros"});
      model.Add("ReduceMean", {"zeros"}, {"mean"}, {{"keepdims", int64_t{0}}});
      model.Add("Add", {"m", "mean"}, {"y"});
      const absl::StatusOr<Graph> graph = ParseModel(model.Bytes());
      EXPECT_TRUE(graph.ok()) << encoding.type << ": " << graph.status();
    }
  }
}

TEST(ParseModel, RefusesMalformedTensors) {
  constexpr auto kFloat = 1;
  OnnxModel none = MatMulOf("w");
  AddWeight(none, kFloat);
  ExpectInvalid(none, "initializer[0] 'w': 0 elements of data, want 8");
  OnnxModel shorter = MatMulOf("w");
  AddWeight(shorter, kFloat).set_raw_data("1234");
  ExpectInvalid(shorter, "4 bytes of data, want 32");
  OnnxModel both = MatMulOf("w");
  onnx_wire::TensorProto& tensor = AddWeight(both, kFloat);
  tensor.set_raw_data(std::string(32, '\0'));
  tensor.add_float_data(1);
  ExpectInvalid(both, "more than one encoding");
  OnnxModel range = MatMulOf("w");
  onnx_wire::TensorProto& bytes = AddWeight(range, 2);
  for (int i = 0; i < 8; ++i) bytes.add_int32_data(i == 3 ? 256 : i);
  ExpectInvalid(range, "element 3: 256 is outside its type");
  OnnxModel external = MatMulOf("w");
  AddWeight(external, kFloat).set_data_location(1);
  ExpectUnsupported(external, "external data");
  OnnxModel text = MatMulOf("w");
  AddWeight(text, 8);
  ExpectUnsupported(text, "tensors of string");
  OnnxModel unknown = MatMulOf("w");
  AddWeight(unknown, 77);
  ExpectUnsupported(unknown, "tensors of type 77");
}

TEST(ParseModel, RefusesAbsurdShapes) {
  const auto with_dims = [](const Ints& dims) {
    OnnxModel model = MatMulOf("w");
    onnx_wire::TensorProto& tensor = AddWeight(model, 1);
    tensor.clear_dims();
    for (const int64_t size : dims) tensor.add_dims(size);
    return model;
  };
  ExpectInvalid(with_dims({-4, 2}), "sizes must be at least 1");
  ExpectInvalid(with_dims({0, 2}), "sizes must be at least 1");
  ExpectInvalid(with_dims({int64_t{1} << 40, int64_t{1} << 40}), "more than 268435456 elements");
  ExpectInvalid(with_dims({1 << 28, 1}), "0 elements of data");  // nothing is allocated for what is not there
  ExpectInvalid(with_dims(Ints(9, 1)), "9 dimensions, want at most 8");
  OnnxModel input;
  input.Input("input", {kDynamic, int64_t{1} << 20, int64_t{1} << 20}).Output("y").Weight("w", {4, 4}, 1);
  input.Add("MatMul", {"input", "w"}, {"y"});
  ExpectInvalid(input, "more than 67108864 elements");
  OnnxModel zero;
  zero.Input("input", {kDynamic, 0}).Output("y").Weight("w", {4, 4}, 1);
  zero.Add("MatMul", {"input", "w"}, {"y"});
  ExpectInvalid(zero, "input 'input': shape [-1, 0]: sizes must be at least 1");
}

TEST(ParseModel, RefusesWeightsThatAreNotFinite) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    OnnxModel model = MatMulOf("w");
    Tensor weight{.shape = {4, 2}, .data = FloatVector(8, 1)};
    weight.data[6] = bad;
    model.Weight("w", weight);
    ExpectError(model, absl::StatusCode::kInvalidArgument, AllOf(HasSubstr("'w'"), HasSubstr("element 6 is")));
  }
  OnnxModel overflow = MatMulOf("w");
  AddWeight(overflow, 11).set_raw_data(Raw<double>({0, 1e300, 2, 3, -1, -2, -3, 0.5}));
  ExpectInvalid(overflow, "element 1 is inf");
  OnnxModel attribute = TinyClassifier();
  SetAttribute(*attribute.graph().mutable_node(3), "alpha", NAN);
  ExpectInvalid(attribute, "attribute 'alpha': got nan");
}

// input [N, 4] -> MatMul -> Add of `mask`, a name that the test defines -> Softmax -> y.
OnnxModel MaskedScores() {
  OnnxModel model;
  model.Input("input", {kDynamic, 4}).Output("y").Weight("w", {4, 4}, 1);
  model.Add("MatMul", {"input", "w"}, {"scores"});
  model.Add("Add", {"scores", "mask"}, {"masked"});
  model.Add("Softmax", {"masked"}, {"y"});
  return model;
}

TEST(ParseModel, ReadsInfinitiesInMasks) {
  const FloatVector want = {0, 0, -INFINITY, -INFINITY};
  const auto expect_mask = [&](const OnnxModel& model) {
    const Graph graph = Parsed(model);
    EXPECT_THAT(OpTypes(graph), ElementsAre("MatMul", "Add", "Softmax"));
    const Value* mask = FindValue(graph, "mask");
    ASSERT_NE(mask, nullptr);
    EXPECT_EQ(std::get<Tensor>(mask->constant).data, want);
  };
  OnnxModel initializer = MaskedScores();
  initializer.Weight("mask", Tensor{.shape = {4}, .data = want});
  expect_mask(initializer);
  OnnxModel tensor = MaskedScores();
  tensor.Add("Constant", {}, {"mask"}, {{"value", Tensor{.shape = {4}, .data = want}}});
  expect_mask(tensor);
  OnnxModel floats = MaskedScores();
  floats.Add("Constant", {}, {"mask"}, {{"value_floats", std::vector<float>(want.begin(), want.end())}});
  expect_mask(floats);
  OnnxModel computed = MaskedScores();
  computed.Add("Constant", {}, {"hidden"}, {{"value_float", -INFINITY}});
  computed.Weight("open", IntTensor{.shape = {4}, .data = {1, 1, 0, 0}}).Weight("zero", {1}, 0);
  computed.Add("Where", {"open_bool", "zero", "hidden"}, {"mask"});
  computed.Add("Cast", {"open"}, {"open_bool"}, {{"to", int64_t{9}}});
  expect_mask(computed);
}

TEST(ParseModel, RefusesMasksThatAreNotANumber) {
  OnnxModel stored = MaskedScores();
  stored.Weight("mask", Tensor{.shape = {4}, .data = {0, NAN, 0, 0}});
  ExpectInvalid(stored, "initializer[1] 'mask': element 1 is nan, want numbers");
  OnnxModel computed = MaskedScores();  // 0 * -inf
  computed.Weight("hidden", Tensor{.shape = {4}, .data = {1, 1, 1, 0}}).Weight("infinity", {1}, -INFINITY);
  computed.Add("Mul", {"hidden", "infinity"}, {"mask"});
  ExpectInvalid(computed, "element 3 is nan");
}

TEST(ParseModel, NamesTheWeightThatIsNotFinite) {
  OnnxModel model = MatMulOf("w");
  model.Weight("w", {4, 2}, -INFINITY);
  ExpectInvalid(model, "onnx: weight 'w': element 0 is -inf, want finite numbers");
}

// --- names and structure ---

TEST(ParseModel, SortsNodes) {
  OnnxModel model = TinyClassifier();
  model.graph().mutable_node()->SwapElements(0, 3);
  model.graph().mutable_node()->SwapElements(1, 2);
  EXPECT_THAT(OpTypes(Parsed(model)), ElementsAre("Conv", "Relu", "Flatten", "Gemm"));
}

TEST(ParseModel, NamesTheNodesOfACycle) {
  OnnxModel model = TinyClassifier();
  model.graph().mutable_node(0)->set_input(0, "c");
  ExpectError(
      model, absl::StatusCode::kInvalidArgument,
      AllOf(HasSubstr("the graph has a cycle: "), HasSubstr("'/a/Conv' -> '/b/Relu' -> '/c/Flatten' -> '/a/Conv'")));
}

TEST(ParseModel, RefusesBrokenNames) {
  OnnxModel dangling = TinyClassifier();
  dangling.graph().mutable_node(1)->set_input(0, "nowhere");
  ExpectInvalid(dangling, "node[1] '/b/Relu': value 'nowhere' is not defined anywhere");
  OnnxModel twice = TinyClassifier();
  twice.graph().mutable_node(1)->set_output(0, "a");
  ExpectInvalid(twice, "value 'a' is defined twice");
  OnnxModel weight_twice = TinyClassifier();
  weight_twice.Weight("fc.bias", {3}, 0);
  ExpectInvalid(weight_twice, "value 'fc.bias' is defined twice");
  OnnxModel shadow = TinyClassifier();
  shadow.graph().mutable_node(1)->set_output(0, "fc.bias");
  ExpectInvalid(shadow, "value 'fc.bias' is defined twice");
  OnnxModel output = TinyClassifier();
  output.Output("missing");
  ExpectInvalid(output, "output[1]: value 'missing' is not defined anywhere");
  OnnxModel nameless = TinyClassifier();
  nameless.Weight("", {1}, 0);
  ExpectInvalid(nameless, "initializer[4]: has no name");
  OnnxModel binary = TinyClassifier();
  binary.graph().mutable_node(2)->set_name("\xFF\x01");
  ExpectInvalid(binary, "name '\\xff\\x01' is not plain UTF-8");
  OnnxModel longer = TinyClassifier();
  longer.graph().mutable_node(2)->set_name(std::string(2000, 'x'));
  ExpectInvalid(longer, "a name of 2000 bytes, want at most 1024");
  OnnxModel no_type = TinyClassifier();
  no_type.graph().mutable_node(2)->clear_op_type();
  ExpectInvalid(no_type, "node[2]: has no op_type");
}

TEST(ParseModel, MakesNodeNamesUnique) {
  OnnxModel model = TinyClassifier();
  model.graph().mutable_node(0)->set_name("same");
  model.graph().mutable_node(1)->set_name("same");
  model.graph().mutable_node(2)->clear_name();
  model.graph().mutable_node(3)->set_name("same#2");
  const Graph graph = Parsed(model);
  EXPECT_EQ(graph.nodes.at(0).name, "same");
  EXPECT_EQ(graph.nodes.at(1).name, "same#2");
  EXPECT_EQ(graph.nodes.at(2).name, "Flatten_2");
  EXPECT_EQ(graph.nodes.at(3).name, "same#2#2");
}

TEST(ParseModel, RefusesGraphsThatAreNoNetworks) {
  OnnxModel no_output = TinyClassifier();
  no_output.graph().clear_output();
  ExpectInvalid(no_output, "the graph has no output");
  OnnxModel no_input;
  no_input.Output("y").Weight("x", {1, 4}, 1).Weight("w", {4, 4}, 1);
  no_input.Add("MatMul", {"x", "w"}, {"y"});
  ExpectInvalid(no_input, "the graph has no input");
  OnnxModel constant = TinyClassifier();
  constant.Output("fc.bias");
  ExpectInvalid(constant, "output[1] 'fc.bias' does not depend on the values of any input");
  OnnxModel no_layers;
  no_layers.Input("x", {kDynamic, 4}).Output("y");
  no_layers.Add("Relu", {"x"}, {"y"});
  ExpectInvalid(no_layers, "no layer: want a Conv, Gemm, MatMul or the like");
  OnnxModel pass_through;
  pass_through.Input("x", {kDynamic, 4}).Output("x");
  ExpectInvalid(pass_through, "no layer");
  OnnxModel empty;
  ExpectInvalid(empty, "no output");
}

TEST(ParseModel, ChecksTheModelAround) {
  EXPECT_EQ(ParseModel("").status().code(), absl::StatusCode::kInvalidArgument);
  OnnxModel no_graph = TinyClassifier();
  no_graph.proto().clear_graph();
  ExpectInvalid(no_graph, "ir_version or graph is missing");
  OnnxModel old_ir = TinyClassifier();
  old_ir.proto().set_ir_version(2);
  ExpectUnsupported(old_ir, "ir_version 2, want 3..");
  for (const int64_t opset : {int64_t{8}, kMaxOpset + 1, int64_t{-1}}) {
    OnnxModel model = TinyClassifier();
    model.proto().mutable_opset_import(0)->set_version(opset);
    ExpectUnsupported(model, fmt::format("opset {}, want 9..{}", opset, kMaxOpset));
  }
  OnnxModel no_opset = TinyClassifier();
  no_opset.proto().clear_opset_import();
  ExpectInvalid(no_opset, "default domain is missing");
  OnnxModel two_opsets = TinyClassifier();
  two_opsets.proto().add_opset_import()->set_domain("ai.onnx");
  ExpectInvalid(two_opsets, "there twice");
  OnnxModel functions = TinyClassifier();
  functions.proto().add_functions("");
  ExpectUnsupported(functions, "functions");
  OnnxModel sparse = TinyClassifier();
  sparse.graph().add_sparse_initializer("");
  ExpectUnsupported(sparse, "sparse initializers");
}

TEST(ParseModel, ReadsEveryOpsetInItsRange) {
  for (int64_t opset = kMinOpset; opset <= kMaxOpset; ++opset) {
    OnnxModel model = TinyClassifier();
    model.proto().mutable_opset_import(0)->set_version(opset);
    EXPECT_EQ(Parsed(model).opset_version, opset);
  }
}

TEST(ParseModel, TakesInitializersListedAsInputsForWeights) {
  OnnxModel model = TinyClassifier();
  model.Input("conv.weight", {4, 1, 3, 3}).Input("fc.bias", {3});
  EXPECT_EQ(Parsed(model).inputs.size(), 1);
  model.Input("fc.bias", {3});
  ExpectInvalid(model, "'fc.bias' is listed twice");
}

TEST(ParseModel, ReadsInputShapes) {
  OnnxModel fixed = TinyClassifier();
  fixed.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->set_dim_value(
      5);
  EXPECT_THAT(Parsed(fixed).inputs.at(0).shape, ElementsAre(5, 1, 6, 6));
  EXPECT_EQ(Parsed(fixed).layers.layers.at(0).macs, 1296);
  OnnxModel symbolic = TinyClassifier();
  onnx_wire::TypeProto::Tensor& type = *symbolic.graph().mutable_input(0)->mutable_type()->mutable_tensor_type();
  type.mutable_shape()->mutable_dim(2)->set_dim_param("height");
  type.mutable_shape()->mutable_dim(2)->clear_dim_value();
  ExpectUnsupported(symbolic, "dimension 2 ('height') is not fixed");
  OnnxModel scalar = TinyClassifier();
  scalar.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->clear_dim();
  ExpectInvalid(scalar, "a scalar");
  OnnxModel shapeless = TinyClassifier();
  shapeless.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  ExpectUnsupported(shapeless, "inputs without a shape");
  OnnxModel ints = TinyClassifier();
  ints.Input("ids", {kDynamic, 4}, 7);
  ints.Weight("table", {9, 4}, 1);
  ints.Add("Gather", {"table", "ids"}, {"rows"});
  ints.Output("rows");
  const Graph with_ids = Parsed(ints);
  EXPECT_TRUE(with_ids.values[with_ids.inputs.at(1).value].integer);
  EXPECT_FALSE(with_ids.values[with_ids.inputs.at(0).value].integer);
  EXPECT_EQ(with_ids.layers.layers.at(2).kind, LayerKind::kEmbedding);
  OnnxModel strings = TinyClassifier();
  strings.Input("words", {kDynamic, 4}, 8);
  ExpectUnsupported(strings, "inputs of string, want float, integer or bool (1, first input 'words')");
}

TEST(ParseModel, RefusesShapesThatDoNotFit) {
  OnnxModel model = TinyClassifier();
  model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(1)->set_dim_value(
      3);
  ExpectError(model, absl::StatusCode::kInvalidArgument, HasSubstr("node '/a/Conv' (Conv)"));
}

TEST(ParseModel, DropsWhatLeadsNowhere) {
  OnnxModel model = TinyClassifier();
  model.Weight("unused", {7, 7}, 1);
  model.Add("SomethingUnsupported", {"a"}, {"nobody reads it"});
  const Graph graph = Parsed(model);
  EXPECT_EQ(graph.nodes.size(), 4);
  EXPECT_EQ(FindValue(graph, "unused"), nullptr);
}

// --- the report of unsupported things ---

TEST(ParseModel, ListsEverythingThatIsNotSupported) {
  OnnxModel model = TinyClassifier();
  model.graph().mutable_output(0)->set_name("z");
  model.Add("Hardmax", {"logits"}, {"u"});
  model.Add("Hardmax", {"u"}, {"v"});
  model.Add("FusedGelu", {"v"}, {"w"}).set_domain("com.microsoft");
  model.Add("If", {"w"}, {"x"});
  model.Add("NonZero", {"x"}, {"z"});
  ExpectError(
      model, absl::StatusCode::kUnimplemented,
      "onnx: not supported: operator Hardmax (2, first node '/u/Hardmax'); operator com.microsoft.FusedGelu (1, "
      "first node '/w/FusedGelu'); If: its condition is computed at run time (1, first node '/x/If'); operator NonZero "
      "(1, first node "
      "'/z/NonZero')");
}

// Shape arithmetic on the output of an unsupported operator is not an error of its own; a run-time shape is.
TEST(ParseModel, DoesNotReportWhatFollowsFromSomethingElse) {
  OnnxModel model = TinyClassifier();
  model.graph().mutable_output(0)->set_name("z");
  model.Weight("zero", IntTensor{.shape = {}, .data = {0}});
  model.Add("Hardmax", {"logits"}, {"u"});
  model.Add("Shape", {"u"}, {"s"});
  model.Add("Gather", {"s", "zero"}, {"n"});
  model.Add("Unsqueeze", {"n"}, {"n1"}, {{"axes", Ints{0}}});
  model.Add("Reshape", {"u", "n1"}, {"r"});
  model.Add("ConstantOfShape", {"r"}, {"g"});
  model.Add("Relu", {"g"}, {"z"});
  ExpectError(model, absl::StatusCode::kUnimplemented,
              "onnx: not supported: operator Hardmax (1, first node '/u/Hardmax'); operator ConstantOfShape on "
              "values computed at run time (1, first node '/g/ConstantOfShape')");
}

TEST(ParseModel, ReportsUnsupportedAttributesWithTheRest) {
  OnnxModel model = TinyClassifier();
  model.graph().mutable_output(0)->set_name("z");
  model.Add("Hardmax", {"logits"}, {"z"});
  onnx_wire::AttributeProto& attribute = *model.graph().mutable_node(1)->add_attribute();
  attribute.set_name("body");
  attribute.set_type(5);
  attribute.mutable_g()->set_name("a subgraph");
  ExpectError(model, absl::StatusCode::kUnimplemented,
              AllOf(HasSubstr("Relu: attribute 'body': subgraphs"), HasSubstr("operator Hardmax")));
}

// --- folding ---

TEST(ParseModel, ResolvesWeightsBehindIdentityNodes) {
  OnnxModel model = MatMulOf("w2");
  model.Weight("w", {4, 2}, 1);
  model.Add("Identity", {"w"}, {"w1"});
  model.Add("Identity", {"w1"}, {"w2"});
  const Graph graph = Parsed(model);
  EXPECT_THAT(OpTypes(graph), ElementsAre("MatMul"));
  EXPECT_EQ(graph.layers.layers.at(0).name, "w");
  EXPECT_THAT(graph.layers.layers.at(0).weight_shape, ElementsAre(4, 2));
  EXPECT_EQ(graph.layers.layers.at(0).output_channel_axis, 1);
}

TEST(ParseModel, SharesOneLayerBetweenReadersThroughIdentity) {
  OnnxModel model;
  model.Input("input", {kDynamic, 4}).Output("y").Weight("w", {4, 4}, 1);
  model.Add("Identity", {"w"}, {"w1"});
  model.Add("MatMul", {"input", "w"}, {"x"});
  model.Add("MatMul", {"x", "w1"}, {"y"});
  const Graph graph = Parsed(model);
  ASSERT_EQ(graph.layers.layers.size(), 1);
  EXPECT_EQ(graph.layers.layers[0].macs, 32);
}

TEST(ParseModel, ReadsWeightsInConstantNodes) {
  const auto with = [](const std::string& key, const Attribute& value) {
    OnnxModel model;
    model.Input("input", {kDynamic, 2}).Output("y").Weight("w", {2, 2}, 1);
    model.Add("Constant", {}, {"c"}, {{key, value}});
    model.Add("MatMul", {"input", "w"}, {"x"});
    model.Add("Add", {"x", "c"}, {"y"});
    return model;
  };
  for (const OnnxModel& model : {with("value", Tensor{.shape = {2}, .data = {1, 2}}), with("value_float", 3.0F),
                                 with("value_floats", std::vector<float>{1, 2})}) {
    const Graph graph = Parsed(model);
    EXPECT_THAT(OpTypes(graph), ElementsAre("MatMul", "Add"));
    EXPECT_NE(FindValue(graph, "c"), nullptr);
  }
  ExpectUnsupported(with("value_string", std::string("text")), "Constant: attribute 'value_string'");
  ExpectInvalid(with("value_floats", std::vector<float>{}), "");
}

TEST(ParseModel, FoldsChangesOfLayoutOfAWeight) {
  OnnxModel model = MatMulOf("wt");
  model.Weight("w", Tensor{.shape = {2, 4}, .data = {1, 2, 3, 4, 5, 6, 7, 8}});
  model.Add("Transpose", {"w"}, {"wt"}, {{"perm", Ints{1, 0}}});
  const Graph graph = Parsed(model);
  EXPECT_THAT(OpTypes(graph), ElementsAre("MatMul"));
  ASSERT_NE(FindValue(graph, "wt"), nullptr);
  EXPECT_THAT(std::get<Tensor>(FindValue(graph, "wt")->constant).data, ElementsAre(1, 5, 2, 6, 3, 7, 4, 8));
  EXPECT_EQ(FindValue(graph, "w"), nullptr);
}

TEST(ParseModel, FoldsFloatArithmeticOfConstants) {
  OnnxModel model = MatMulOf("scaled");
  model.Weight("w", Tensor{.shape = {4, 1}, .data = {1, 2, 3, 4}}).Weight("s", {1}, 0.5F);
  model.Add("Mul", {"w", "s"}, {"scaled"});
  const Graph graph = Parsed(model);
  EXPECT_THAT(OpTypes(graph), ElementsAre("MatMul"));
  EXPECT_THAT(std::get<Tensor>(FindValue(graph, "scaled")->constant).data, ElementsAre(0.5F, 1, 1.5F, 2));
  OnnxModel division = MatMulOf("scaled");
  division.Weight("w", {4, 1}, 1).Weight("s", {1}, 0);
  division.Add("Div", {"w", "s"}, {"scaled"});
  ExpectInvalid(division, "element 0 is inf");
}

// y = Reshape(x, [Shape(x)[0], -1]) as exporters write x.view(x.size(0), -1).
TEST(ParseModel, FoldsShapeArithmeticWithAFreeBatch) {
  OnnxModel model = TinyClassifier();
  model.graph().mutable_node()->DeleteSubrange(2, 1);
  model.Weight("zero", IntTensor{.shape = {}, .data = {0}}).Weight("rest", IntTensor{.shape = {1}, .data = {-1}});
  model.Add("Shape", {"b"}, {"s"});
  model.Add("Gather", {"s", "zero"}, {"n"}, {{"axis", int64_t{0}}});
  model.Add("Cast", {"n"}, {"n_cast"}, {{"to", int64_t{7}}});
  model.Weight("axes", IntTensor{.shape = {1}, .data = {0}});
  model.Add("Unsqueeze", {"n_cast", "axes"}, {"n1"});
  model.Add("Concat", {"n1", "rest"}, {"target"}, {{"axis", int64_t{0}}});
  model.Add("Reshape", {"b", "target"}, {"c"});
  const Graph graph = Parsed(model);
  EXPECT_THAT(OpTypes(graph), ElementsAre("Conv", "Relu", "Reshape", "Gemm"));
  const Value& target = graph.values[graph.nodes[2].inputs[1]];
  EXPECT_THAT(std::get<IntTensor>(target.constant).data, ElementsAre(0, -1));
}

// [N, 4, 6, 6] to [4 N, 36] and back: the product 4 N is no size of the input, so it becomes -1.
TEST(ParseModel, FoldsMultiplesOfTheBatch) {
  OnnxModel model;
  model.Input("input", {kDynamic, 4, 6, 6}).Output("y").Weight("w", {36, 2}, 1);
  model.Weight("zero", IntTensor{.shape = {1}, .data = {0}}).Weight("four", IntTensor{.shape = {1}, .data = {4}});
  model.Weight("width", IntTensor{.shape = {1}, .data = {36}}).Weight("two", IntTensor{.shape = {1}, .data = {2}});
  model.Add("Shape", {"input"}, {"s"});
  model.Add("Gather", {"s", "zero"}, {"n"});
  model.Add("Mul", {"n", "four"}, {"n4"});
  model.Add("Concat", {"n4", "width"}, {"target"}, {{"axis", int64_t{0}}});
  model.Add("Reshape", {"input", "target"}, {"x"});
  model.Add("MatMul", {"x", "w"}, {"m"});
  model.Add("Concat", {"n", "four", "two"}, {"back"}, {{"axis", int64_t{0}}});
  model.Add("Reshape", {"m", "back"}, {"y"});
  const Graph graph = Parsed(model);
  EXPECT_THAT(std::get<IntTensor>(graph.values[graph.nodes.at(0).inputs[1]].constant).data, ElementsAre(-1, 36));
  EXPECT_THAT(std::get<IntTensor>(graph.values[graph.nodes.at(2).inputs[1]].constant).data, ElementsAre(-1, 4, 2));
  EXPECT_EQ(graph.layers.layers.at(0).macs, 4 * 36 * 2);
}

TEST(ParseModel, ReportsShapesItCannotFold) {
  OnnxModel model = MatMulOf("w");
  model.Weight("w", {4, 2}, 1);
  model.graph().mutable_output(0)->set_name("z");
  model.Add("Shape", {"y"}, {"s"});
  model.Add("Cast", {"s"}, {"f"}, {{"to", int64_t{1}}});
  model.Add("Mul", {"y", "f"}, {"z"});
  ExpectUnsupported(model, "Cast: input 0 depends on the number of samples");
}

// A class token for each sample, as exporters write token.expand(x.size(0), -1, -1).
TEST(ParseModel, ExpandsToTheNumberOfSamples) {
  OnnxModel model;
  model.Input("input", {kDynamic, 3, 4}).Output("y").Weight("w", {4, 2}, 1).Weight("token", {1, 1, 4}, 1);
  model.Weight("zero", IntTensor{.shape = {1}, .data = {0}}).Weight("rest", IntTensor{.shape = {2}, .data = {-1, -1}});
  model.Weight("ones", IntTensor{.shape = {3}, .data = {1, 1, 1}})
      .Weight("minus", IntTensor{.shape = {}, .data = {-1}});
  model.Add("Shape", {"input"}, {"s"});
  model.Add("Gather", {"s", "zero"}, {"n"});
  model.Add("Concat", {"n", "rest"}, {"wanted"}, {{"axis", int64_t{0}}});
  model.Add("Equal", {"wanted", "minus"}, {"is_kept"});
  model.Add("Where", {"is_kept", "ones", "wanted"}, {"target"});
  model.Add("Expand", {"token", "target"}, {"tokens"});
  model.Add("Concat", {"tokens", "input"}, {"all"}, {{"axis", int64_t{1}}});
  model.Add("MatMul", {"all", "w"}, {"y"});
  const Graph graph = Parsed(model);
  EXPECT_THAT(OpTypes(graph), ElementsAre("Expand", "Concat", "MatMul"));
  EXPECT_THAT(std::get<IntTensor>(graph.values[graph.nodes.at(0).inputs[1]].constant).data, ElementsAre(-1, 1, 1));
  EXPECT_EQ(graph.layers.layers.at(0).macs, 4 * 4 * 2);
  EXPECT_THAT(ops::InferShapes(graph, 7)->at(graph.outputs[0]), ElementsAre(7, 4, 2));
}

// --- branches, open sizes, inputs that become constants ---

// input [N, 4]; If (rate == 16000) { If (size(input, 1) == 4) { y = input w } else { y = input w 2 } } else { y = 0 }.
OnnxModel BranchingModel() {
  OnnxModel model(16);
  model.Input("input", {kDynamic, 4}).Input("rate", {}, 7).Output("y").Weight("w", {4, 2}, 1);
  model.Weight("high", IntTensor{.shape = {}, .data = {16000}}).Weight("one", IntTensor{.shape = {}, .data = {1}});
  model.Weight("four", IntTensor{.shape = {}, .data = {4}});
  OnnxModel inner;
  inner.Output("inner_y").Add("MatMul", {"doubled", "w"}, {"inner_y"});
  OnnxModel other;
  other.Output("other_y").Add("Hardmax", {"doubled"}, {"other_y"});
  OnnxModel outer;
  outer.Output("outer_y").Add("Add", {"input", "input"}, {"doubled"});
  outer.Add("Shape", {"doubled"}, {"s"});
  outer.Add("Gather", {"s", "one"}, {"width"});
  outer.Add("Equal", {"width", "four"}, {"fits"});
  const auto branch = [](onnx_wire::NodeProto& node, const std::string& name, OnnxModel& body) {
    onnx_wire::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(5);
    *attribute.mutable_g() = body.graph();
  };
  onnx_wire::NodeProto& nested = outer.Add("If", {"fits"}, {"outer_y"});
  branch(nested, "then_branch", inner);
  branch(nested, "else_branch", other);
  model.Add("Equal", {"rate", "high"}, {"is_high"});
  onnx_wire::NodeProto& top = model.Add("If", {"is_high"}, {"y"});
  branch(top, "then_branch", outer);
  branch(top, "else_branch", other);
  return model;
}

TEST(ParseModel, TakesTheBranchThatTheConditionSays) {
  ParseOptions options{.constants = {{"rate", IntTensor{.shape = {}, .data = {16000}}}}};
  const std::string bytes = BranchingModel().Bytes();
  const absl::StatusOr<Graph> graph = ParseModel(bytes, options);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(OpTypes(*graph), ElementsAre("Add", "MatMul"));
  EXPECT_EQ(graph->inputs.size(), 1);
  EXPECT_EQ(graph->layers.layers.at(0).name, "w");
  // The other branch reads what is not defined out here.
  options.constants["rate"] = IntTensor{.shape = {}, .data = {8000}};
  EXPECT_THAT(MessageOf(ParseModel(bytes, options).status()), HasSubstr("value 'doubled' is not defined anywhere"));
  options.constants["speed"] = IntTensor{.shape = {}, .data = {1}};
  EXPECT_THAT(MessageOf(ParseModel(bytes, options).status()), HasSubstr("the model has no input 'speed'"));
  EXPECT_THAT(MessageOf(ParseModel(bytes).status()), HasSubstr("a scalar, want"));
}

TEST(ParseModel, TakesConstantsFromTheData) {
  const std::string bytes = BranchingModel().Bytes();
  const auto with = [&](const Constant& rate) {
    const absl::StatusOr<Graph> graph = ParseModel(bytes, ParseOptions{.data_constants = {{"rate", rate}}});
    return graph.ok() ? "ok" : MessageOf(graph.status());
  };
  EXPECT_EQ(with(IntTensor{.shape = {}, .data = {16000}}), "ok");
  EXPECT_EQ(with(Tensor{.shape = {}, .data = {16000}}), "ok");  // numpy makes floats of much
  EXPECT_THAT(with(Tensor{.shape = {}, .data = {0.5F}}), HasSubstr("input 'rate': got 0.5, want integers"));
  EXPECT_THAT(with(IntTensor{.shape = {1}, .data = {16000}}),
              HasSubstr("input 'rate': the data has an array of shape [1], which is not one entry for each sample; the "
                        "model says []"));
}

// A first size that the model leaves open counts samples: 3 images among 4 are a mistake, not a constant.
TEST(ParseModel, TakesNoConstantsForSamples) {
  OnnxModel model;
  model.Input("input", {kDynamic, 4}).Input("state", {2, 4}).Output("y").Weight("w", {4, 4}, 1);
  model.Add("MatMul", {"input", "w"}, {"h"});
  model.Add("ReduceSum", {"state", "axes"}, {"s"});
  model.Weight("axes", IntTensor{.shape = {1}, .data = {0}});
  model.Add("Add", {"h", "s"}, {"y"});
  const std::string bytes = model.Bytes();
  const Tensor state{.shape = {2, 4}, .data = FloatVector(8, 1)};
  const absl::StatusOr<Graph> graph =
      ParseModel(bytes, ParseOptions{.data_shapes = {{"inputs", {3, 4}}}, .data_constants = {{"state", state}}});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->inputs.size(), 1);
  EXPECT_THAT(OpTypes(*graph), ElementsAre("MatMul", "Add"));
  const auto refused = [&](const std::string& name, Shape shape) {
    const Tensor array = Tensor::Zeros(std::move(shape));
    return MessageOf(ParseModel(bytes, ParseOptions{.data_constants = {{name, array}}}).status());
  };
  EXPECT_THAT(refused("input", {3, 4}), HasSubstr("the model says [-1, 4]"));
  EXPECT_THAT(refused("state", {3, 4}), HasSubstr("the model says [2, 4]"));
  EXPECT_THAT(refused("speed", {}), HasSubstr("the model has no input 'speed'"));
}

TEST(ParseModel, RefusesBranchesThatAreChosenAtRunTime) {
  OnnxModel model = BranchingModel();
  model.graph().mutable_input(1)->mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim();
  ExpectUnsupported(model, "If: its condition is computed at run time (1, first node '/y/If')");
}

TEST(ParseModel, TakesOpenSizesFromTheCaller) {
  OnnxModel model = TinyClassifier();
  auto& shape = *model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape.mutable_dim(2)->clear_dim_value();
  shape.mutable_dim(3)->clear_dim_value();
  const auto inputs = [&](const ParseOptions& options) {
    const absl::StatusOr<Graph> graph = ParseModel(model.Bytes(), options);
    return graph.ok() ? ToString(graph->inputs.at(0).shape) : MessageOf(graph.status());
  };
  EXPECT_EQ(inputs({.input_shapes = {{"input", {kDynamic, 1, 6, 6}}}}), "[-1, 1, 6, 6]");
  EXPECT_EQ(inputs({.input_shapes = {{"input", {5, 1, 6, 6}}}}), "[5, 1, 6, 6]");
  EXPECT_EQ(inputs({.data_shapes = {{"images", {99, 1, 6, 6}}, {"labels", {99}}}}), "[-1, 1, 6, 6]");
  EXPECT_THAT(inputs({.data_shapes = {{"images", {99, 6, 6}}}}), HasSubstr("dimension 2 ('') is not fixed"));
  EXPECT_THAT(inputs({.input_shapes = {{"input", {5, 3, 6, 6}}}}), HasSubstr("got [5, 3, 6, 6], but the model says"));
  EXPECT_THAT(inputs({.input_shapes = {{"x", {5}}}}), HasSubstr("the model has no input 'x'"));
}

// Two directions, initial states of the size of the batch, the last state as the output.
TEST(ParseModel, WritesRecurrentNodesAsSimplerOnes) {
  OnnxModel model;
  model.Input("input", {5, kDynamic, 3}).Output("last");
  auto& shape = *model.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape.mutable_dim(0)->clear_dim_value();
  shape.mutable_dim(1)->set_dim_value(5);
  model.Weight("rnn.w", {2, 8, 3}, 0.1F).Weight("rnn.r", {2, 8, 2}, 0.1F);
  model.Weight("zero", IntTensor{.shape = {1}, .data = {0}}).Weight("two", IntTensor{.shape = {1}, .data = {2}});
  model.Add("Transpose", {"input"}, {"by_time"}, {{"perm", Ints{1, 0, 2}}});
  model.Add("Shape", {"input"}, {"s"});
  model.Add("Gather", {"s", "zero"}, {"n"});
  model.Add("Concat", {"two", "n", "two"}, {"state"}, {{"axis", int64_t{0}}});
  model.Add("ConstantOfShape", {"state"}, {"h0"});
  model.Add("LSTM", {"by_time", "rnn.w", "rnn.r", "", "", "h0", "h0"}, {"", "last"},
            {{"hidden_size", int64_t{2}}, {"direction", std::string("bidirectional")}}, "rnn");
  const Graph graph = Parsed(model);
  ASSERT_EQ(graph.layers.layers.size(), 2);
  const Layer& w = graph.layers.layers[0];
  EXPECT_EQ(w.name, "rnn.w");
  EXPECT_EQ(ToString(w.kind), "recurrent");
  EXPECT_EQ(w.output_channel_axis, 1);
  EXPECT_EQ(w.macs, 5 * 2 * 8 * 3);
  EXPECT_EQ(graph.layers.layers[1].macs, 5 * 2 * 8 * 2);
  EXPECT_THAT(ops::InferShapes(graph, 7)->at(graph.outputs[0]), ElementsAre(2, 7, 2));
}

// Each Concat doubles: 60 nodes would make 2^60 elements.
TEST(ParseModel, BoundsWhatFoldingMakes) {
  OnnxModel model = MatMulOf("w");
  model.Weight("w", {4, 2}, 1).Weight("d0", IntTensor{.shape = {1}, .data = {1}});
  for (int i = 0; i < 60; ++i) {
    const std::string from = fmt::format("d{}", i);
    model.Add("Concat", {from, from}, {fmt::format("d{}", i + 1)}, {{"axis", int64_t{0}}});
  }
  model.Output("d60");
  ExpectInvalid(model, "more than");
}

TEST(ParseModel, KeepsItsLimits) {
  const OnnxModel model = TinyClassifier();
  ExpectInvalid(model, "more than 3 nodes", {.max_nodes = 3});
  ExpectInvalid(model, "want at most 3", {.max_rank = 3});
  ExpectInvalid(model, "more than 100 elements", {.max_tensor_elements = 100});
  ExpectInvalid(model, "more than 100 elements a sample", {.max_activation_elements = 100});
  ExpectInvalid(model, "want at most 100", {.max_file_bytes = 100});
  ExpectInvalid(model, "want at most 4", {.max_name_bytes = 4});
}

// --- outputs that nobody reads ---

TEST(ParseModel, DropsOptionalOutputsThatNobodyReads) {
  OnnxModel model = TinyClassifier();
  model.Add("Dropout", {"logits"}, {"dropped", "mask"});
  model.graph().mutable_output(0)->set_name("dropped");
  const Graph graph = Parsed(model);
  EXPECT_EQ(graph.nodes.back().outputs.size(), 1);
  model.Output("mask");
  ExpectUnsupported(model, "Dropout: output");
}

// A few large constants and many small results: what is read is limited too.
TEST(ParseModel, LimitsWhatEvaluationAtImportReads) {
  OnnxModel model = MatMulOf("w");
  model.Weight("w", {4, 2}, 1).Weight("large", {1000}, 2).Output("sum");
  std::vector<std::string> means;
  for (int i = 0; i < 10; ++i) {
    means.push_back("mean" + std::to_string(i));
    model.Add("ReduceMean", {"large"}, {means.back()});
  }
  model.Add("Concat", means, {"means"}, {{"axis", int64_t{0}}});
  model.Add("Mul", {"input", "mean0"}, {"first"});
  model.Add("ReduceMean", {"means"}, {"all"}, {{"keepdims", int64_t{0}}});
  model.Add("Mul", {"first", "all"}, {"sum"});
  EXPECT_TRUE(ParseModel(model.Bytes()).ok()) << ParseModel(model.Bytes()).status();
  ExpectInvalid(model, "read more than 9999 elements", {.max_folded_reads = 9999});
}

TEST(ParseModel, LimitsAllOutputsTogether) {
  const OnnxModel model = TinyClassifier();  // Conv and Relu 4 x 36, Flatten 144, Gemm 3
  constexpr int64_t kOutputs = 3 * 144 + 3;
  EXPECT_TRUE(ParseModel(model.Bytes(), {.max_total_activation_elements = kOutputs}).ok());
  ExpectInvalid(model, "more than 434 elements a sample", {.max_total_activation_elements = kOutputs - 1});
}

}  // namespace
}  // namespace bitplan::onnx
