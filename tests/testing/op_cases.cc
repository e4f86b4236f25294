#include "tests/testing/op_cases.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "search/base/rng.h"
#include "tests/testing/graph_fixtures.h"

namespace bitplan::testing {
namespace {

using List = std::vector<int64_t>;

// What values an input gets.
enum class Draw {
  kNormal,    // standard normal
  kOffKinks,  // normal, but no value within 0.05 of 0, 0.5, 1, 3, 6 or their negatives: the kinks of the activations
  kPositive,  // 0.5 .. 2.5
  kDistinct,  // a shuffled ladder with steps of 0.1: no two entries closer
};

float OffKinks(float x) {
  for (const float kink : {0.0F, 0.5F, 1.0F, 2.5F, 3.0F, 6.0F}) {
    if (std::abs(std::abs(x) - kink) < 0.05F) return x < 0 ? x - 0.11F : x + 0.11F;
  }
  return x;
}

Tensor DrawTensor(const Shape& shape, Draw draw, Rng& rng) {
  Tensor tensor = Tensor::Zeros(shape);
  for (size_t i = 0; i < tensor.data.size(); ++i) {
    const float gaussian = static_cast<float>(rng.NextGaussian());
    switch (draw) {
      case Draw::kNormal:
        tensor.data[i] = gaussian;
        break;
      case Draw::kOffKinks:
        tensor.data[i] = OffKinks(2 * gaussian);
        break;
      case Draw::kPositive:
        tensor.data[i] = static_cast<float>(0.5 + 2 * rng.NextUniform());
        break;
      case Draw::kDistinct:
        tensor.data[i] = 0.1F * static_cast<float>(i) - 1;
        break;
    }
  }
  for (size_t i = tensor.data.size(); draw == Draw::kDistinct && i > 1; --i) {
    std::swap(tensor.data[i - 1], tensor.data[rng.NextBelow(i)]);
  }
  return tensor;
}

struct InputSpec {
  Shape shape;
  Draw draw = Draw::kNormal;
};

// Collects cases; each has its own random stream.
class CaseList {
 public:
  // The node's first inputs are differentiable; `constants` adds constant ones behind them.
  using Constants = std::function<std::vector<ValueId>(GraphBuilder&)>;

  void Add(const std::string& op_type, const std::string& what, int64_t opset, const std::vector<InputSpec>& inputs,
           const Attributes& attributes = {}, const Constants& constants = {}) {
    GraphBuilder builder(opset, cases_.size());
    Rng rng(99, cases_.size());
    OpCase made{.name = op_type + "_" + what};
    std::vector<ValueId> ids;
    for (const InputSpec& input : inputs) {
      ids.push_back(builder.Input("x" + std::to_string(ids.size()), input.shape));
      made.inputs.push_back(DrawTensor(input.shape, input.draw, rng));
    }
    if (constants) {
      for (const ValueId id : constants(builder)) ids.push_back(id);
    }
    made.graph = builder.BuildWithoutLayers(builder.Node(op_type, ids, attributes));
    cases_.push_back(std::move(made));
  }

  // The same with the constants in front.
  void AddBehind(const Constants& constants, const std::string& op_type, const std::string& what, int64_t opset,
                 const std::vector<InputSpec>& inputs, const Attributes& attributes = {}) {
    Add(op_type, what, opset, inputs, attributes, constants);
    std::vector<ValueId>& ids = cases_.back().graph.nodes[0].inputs;
    std::rotate(ids.begin(), ids.begin() + static_cast<int64_t>(inputs.size()), ids.end());
  }

  // A node with one differentiable input and several outputs, which are flattened and put one behind the other.
  void AddManyOutputs(int num_outputs, const std::string& op_type, const std::string& what, int64_t opset,
                      const InputSpec& input, const Attributes& attributes = {}, const Constants& constants = {}) {
    GraphBuilder builder(opset, cases_.size());
    Rng rng(99, cases_.size());
    OpCase made{.name = op_type + "_" + what};
    std::vector<ValueId> ids = {builder.Input("x0", input.shape)};
    made.inputs.push_back(DrawTensor(input.shape, input.draw, rng));
    if (constants) {
      for (const ValueId id : constants(builder)) ids.push_back(id);
    }
    std::vector<ValueId> flat;
    const ValueId all = builder.Ints("all", {-1});
    for (const ValueId id : builder.NodeWithOutputs(op_type, ids, attributes, num_outputs)) {
      flat.push_back(builder.Node("Reshape", {id, all}));
    }
    made.graph = builder.BuildWithoutLayers(builder.Node("Concat", flat, {{"axis", int64_t{0}}}));
    cases_.push_back(std::move(made));
  }

  // The last case's input is an integer computed at run time.
  void MarkInteger(size_t input) {
    Graph& graph = cases_.back().graph;
    graph.values[graph.nodes[0].inputs[input]].integer = true;
  }

  std::vector<OpCase> Take() { return std::move(cases_); }

 private:
  std::vector<OpCase> cases_;
};

void AddElementwise(CaseList& list) {
  const InputSpec off_kinks{{3, 17}, Draw::kOffKinks};
  list.Add("Relu", "Plain", 13, {off_kinks});
  list.Add("LeakyRelu", "Default", 13, {off_kinks});
  list.Add("LeakyRelu", "Alpha", 6, {off_kinks}, {{"alpha", 0.3F}});
  list.Add("HardSigmoid", "Default", 13, {off_kinks});
  list.Add("HardSigmoid", "Sixth", 13, {off_kinks}, {{"alpha", 1.0F / 6}, {"beta", 0.5F}});
  list.Add("HardSwish", "Plain", 14, {off_kinks});
  for (const char* smooth :
       {"Sigmoid", "Tanh", "Softplus", "Exp", "Neg", "Erf", "Identity", "Dropout", "Sin", "Cos", "Mish", "Gelu"}) {
    list.Add(smooth, "Plain", 20, {{{2, 3, 5}}});
  }
  list.Add("Gelu", "Tanh", 20, {{{3, 17}}}, {{"approximate", std::string("tanh")}});
  for (const char* kinked :
       {"Abs", "Ceil", "Celu", "Elu", "Floor", "Round", "Selu", "Sign", "Softsign", "ThresholdedRelu"}) {
    list.Add(kinked, "Plain", 13, {off_kinks});
  }
  list.Add("Celu", "Alpha", 12, {off_kinks}, {{"alpha", 0.7F}});
  list.Add("Elu", "Alpha", 6, {off_kinks}, {{"alpha", 0.4F}});
  list.Add("Selu", "Attributes", 6, {off_kinks}, {{"alpha", 1.2F}, {"gamma", 0.8F}});
  list.Add("ThresholdedRelu", "Alpha", 10, {off_kinks}, {{"alpha", 0.5F}});
  for (const char* positive : {"Sqrt", "Log", "Reciprocal"}) {
    list.Add(positive, "Plain", 13, {{{4, 5}, Draw::kPositive}});
  }
  for (const auto& [what, exponent] : std::vector<std::pair<std::string, float>>{
           {"Square", 2}, {"Cube", 3}, {"Root", 0.5}, {"One", 1}, {"Zero", 0}, {"Inverse", -1}}) {
    list.Add("Pow", what, 13, {{{4, 5}, Draw::kPositive}}, {},
             [exponent = exponent](GraphBuilder& b) { return std::vector{b.Floats("p", {}, {exponent})}; });
  }
  list.Add("Clip", "Attributes6", 6, {off_kinks}, {{"min", 0.0F}, {"max", 3.0F}});
  list.Add("Clip", "OneSided10", 10, {off_kinks}, {{"max", 1.0F}});
  list.Add("Clip", "Inputs11", 11, {off_kinks}, {}, [](GraphBuilder& b) {
    return std::vector{b.Floats("low", {}, {-1}), b.Floats("high", {}, {3})};
  });
  list.Add("Clip", "OnlyMax13", 13, {off_kinks}, {}, [](GraphBuilder& b) {
    return std::vector{kNoValue, b.Floats("high", {}, {1})};
  });
  list.Add("Clip", "Unbounded13", 13, {off_kinks});
}

void AddArithmetic(CaseList& list) {
  const std::vector<std::pair<std::string, std::pair<Shape, Shape>>> shapes = {
      {"Same", {{3, 4}, {3, 4}}}, {"Channel", {{2, 3, 4, 2}, {3, 1, 1}}}, {"ChannelOnLeft", {{1, 3, 1}, {2, 3, 4}}},
      {"Scalar", {{2, 3}, {}}},   {"ScalarOnLeft", {{1}, {4, 2}}},        {"Both", {{4, 1, 3}, {1, 5, 1}}},
      {"Row", {{6, 5}, {5}}},     {"Mixed", {{2, 1, 3, 1}, {4, 1, 5}}},
  };
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) {
    for (const auto& [what, pair] : shapes) {
      list.Add(op, what, 13, {{pair.first, Draw::kNormal}, {pair.second, Draw::kPositive}});
    }
  }
  for (const auto& [what, pair] : shapes) {
    list.Add("Pow", what, 13, {{pair.first, Draw::kPositive}, {pair.second, Draw::kPositive}});
    list.Add("Max", what, 13, {{pair.first}, {pair.second}});
    list.Add("Min", what, 13, {{pair.first}, {pair.second}});
    list.Add("Sum", what, 13, {{pair.first}, {pair.second}});
  }
  for (const char* op : {"Max", "Min", "Sum", "Mean"}) {
    list.Add(op, "One", 13, {{{2, 3}}});
    list.Add(op, "Three", 8, {{{2, 3}}, {{3}}, {{2, 1}}});
    list.Add(op, "Four", 13, {{{2, 1, 3}}, {{}}, {{2, 2, 1}}, {{1}}});
  }
  list.Add("Pow", "ConstantTensor", 13, {{{2, 3}, Draw::kPositive}}, {}, [](GraphBuilder& b) {
    return std::vector{b.Floats("p", {3}, {2, -1.5, 0})};
  });
  list.Add("Pow", "Integers", 13, {{{2, 3}, Draw::kOffKinks}}, {}, [](GraphBuilder& b) {
    return std::vector{b.Ints("p", {1, 2, 3})};
  });
  list.Add("Pow", "WideExponent", 13, {{{3}, Draw::kPositive}}, {}, [](GraphBuilder& b) {
    return std::vector{b.Floats("p", {1, 1}, {1.5F})};
  });
  list.Add("PRelu", "Channel", 13, {{{2, 3, 4}, Draw::kOffKinks}, {{3, 1}}});
  list.Add("PRelu", "Same", 16, {{{2, 3}, Draw::kOffKinks}, {{2, 3}}});
  list.Add("PRelu", "Scalar", 9, {{{2, 3}, Draw::kOffKinks}, {{1}}});
}

void AddLogic(CaseList& list) {
  const auto mask = [](Shape shape, List values) {
    return [=](GraphBuilder& b) { return std::vector{b.Ints("mask", shape, values)}; };
  };
  for (const char* op : {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}) {
    list.Add(op, "Floats", 16, {{{2, 3, 4}}, {{3, 1}}});
    list.AddBehind(mask({3}, {-1, 0, 1}), op, "Integers", 16, {{{2, 3}, Draw::kOffKinks}});
  }
  for (const char* op : {"And", "Or", "Xor"}) {
    list.AddBehind(
        [](GraphBuilder& b) {
          return std::vector{b.Ints("a", {4}, {0, 0, 1, 1}), b.Floats("b", {4}, {0, 1, 0, 1})};
        },
        op, "Table", 13, {});
  }
  list.AddBehind(mask({2, 2}, {0, 1, 1, 0}), "Not", "Constant", 13, {});
  list.Add("Not", "Computed", 13, {{{2, 2}}});
  list.AddBehind(mask({2, 3}, {0, 1, 1, 0, 0, 1}), "Where", "Same", 16, {{{2, 3}}, {{2, 3}}});
  list.AddBehind(mask({3, 1}, {0, 1, 0}), "Where", "BroadcastAll", 16, {{{2, 1, 1}}, {{1, 4}}});
  list.AddBehind(mask({2, 2}, {1, 0, 0, 1}), "Where", "ScalarSecond", 9, {{{2, 2}}, {{}}});
  list.AddBehind(
      [](GraphBuilder& b) {
        return std::vector{b.Floats("mask", {1, 3}, {1, 0, 1}), b.Ints("fill", {}, {-5})};
      },
      "Where", "IntegerFill", 16, {{{2, 3}}});
  list.Add("Cast", "Float", 13, {{{2, 3}}}, {{"to", int64_t{1}}});
  list.Add("Cast", "Half", 13, {{{2, 3}}}, {{"to", int64_t{10}}});
  list.Add("Cast", "Boolean", 13, {{{2, 3}}}, {{"to", int64_t{9}}});
  list.AddBehind(mask({3}, {-1, 0, 7}), "Cast", "Integers", 13, {}, {{"to", int64_t{11}}});
}

void AddProducts(CaseList& list) {
  list.Add("Gemm", "Plain", 13, {{{3, 4}}, {{4, 5}}});
  list.Add("Gemm", "TransB", 13, {{{3, 4}}, {{5, 4}}, {{5}}}, {{"transB", int64_t{1}}});
  list.Add("Gemm", "TransA", 13, {{{4, 3}}, {{4, 5}}, {{3, 1}}}, {{"transA", int64_t{1}}});
  list.Add("Gemm", "TransBoth", 11, {{{4, 3}}, {{5, 4}}, {{}}}, {{"transA", int64_t{1}}, {"transB", int64_t{1}}});
  list.Add("Gemm", "AlphaBeta", 9, {{{1, 4}}, {{4, 5}}, {{1, 5}}}, {{"alpha", 0.5F}, {"beta", -2.0F}});
  list.Add("Gemm", "FullBias", 7, {{{3, 4}}, {{4, 5}}, {{3, 5}}});

  list.Add("MatMul", "Matrices", 13, {{{3, 4}}, {{4, 5}}});
  list.Add("MatMul", "BatchTimesMatrix", 13, {{{2, 3, 4}}, {{4, 5}}});
  list.Add("MatMul", "BatchTimesOneMatrix", 13, {{{2, 3, 4}}, {{1, 4, 5}}});
  list.Add("MatMul", "MatrixTimesBatch", 13, {{{3, 4}}, {{2, 4, 5}}});
  list.Add("MatMul", "BatchBoth", 13, {{{2, 2, 3, 4}}, {{2, 2, 4, 5}}});
  list.Add("MatMul", "BroadcastBoth", 13, {{{2, 1, 3, 4}}, {{3, 4, 5}}});
  list.Add("MatMul", "RowVector", 13, {{{4}}, {{2, 4, 5}}});
  list.Add("MatMul", "ColumnVector", 13, {{{2, 3, 4}}, {{4}}});
  list.Add("MatMul", "Dot", 13, {{{4}}, {{4}}});
}

void AddConv(CaseList& list) {
  const std::string op = "Conv";
  list.Add(op, "Valid", 13, {{{2, 3, 6, 5}}, {{4, 3, 3, 3}}});
  list.Add(op, "BiasPadded", 13, {{{2, 3, 5, 5}}, {{4, 3, 3, 3}}, {{4}}}, {{"pads", List{1, 1, 1, 1}}});
  list.Add(op, "AsymmetricPads", 13, {{{1, 2, 5, 6}}, {{3, 2, 3, 2}}, {{3}}}, {{"pads", List{2, 0, 1, 3}}});
  list.Add(op, "Strided", 13, {{{2, 2, 7, 8}}, {{3, 2, 3, 3}}}, {{"strides", List{2, 3}}, {"pads", List{1, 1, 1, 1}}});
  list.Add(op, "StridedRemainder", 13, {{{1, 2, 8, 8}}, {{3, 2, 3, 3}}}, {{"strides", List{3, 3}}});
  list.Add(op, "Dilated", 13, {{{1, 2, 8, 7}}, {{3, 2, 3, 2}}},
           {{"dilations", List{2, 3}}, {"pads", List{2, 1, 2, 1}}});
  list.Add(op, "Groups", 13, {{{2, 4, 5, 5}}, {{6, 2, 3, 3}}, {{6}}},
           {{"group", int64_t{2}}, {"pads", List{1, 1, 1, 1}}});
  list.Add(op, "GroupsDilatedStrided", 11, {{{1, 4, 9, 9}}, {{4, 2, 3, 3}}},
           {{"group", int64_t{2}}, {"dilations", List{2, 2}}, {"strides", List{2, 2}}, {"pads", List{1, 2, 2, 1}}});
  list.Add(op, "Depthwise", 13, {{{2, 5, 6, 6}}, {{5, 1, 3, 3}}, {{5}}},
           {{"group", int64_t{5}}, {"pads", List{1, 1, 1, 1}}});
  list.Add(op, "DepthwiseWideStrided", 13, {{{1, 16, 7, 7}}, {{16, 1, 5, 5}}},
           {{"group", int64_t{16}}, {"strides", List{2, 2}}, {"pads", List{2, 2, 2, 2}}});
  list.Add(op, "DepthwiseMultiplier", 13, {{{2, 3, 5, 5}}, {{6, 1, 3, 3}}}, {{"group", int64_t{3}}});
  list.Add(op, "OneByOne", 13, {{{2, 16, 4, 4}}, {{8, 16, 1, 1}}, {{8}}});
  list.Add(op, "OneByOneStrided", 13, {{{2, 16, 5, 5}}, {{32, 16, 1, 1}}}, {{"strides", List{2, 2}}});
  list.Add(op, "WideChannels", 13, {{{2, 16, 6, 6}}, {{32, 16, 3, 3}}, {{32}}}, {{"pads", List{1, 1, 1, 1}}});
  list.Add(op, "OddChannels", 13, {{{2, 17, 5, 5}}, {{19, 17, 3, 3}}, {{19}}}, {{"pads", List{1, 1, 1, 1}}});
  list.Add(op, "PadsBeyondKernel", 13, {{{1, 2, 4, 4}}, {{3, 2, 2, 2}}}, {{"pads", List{3, 2, 3, 4}}});
  list.Add(op, "WholeImageKernel", 13, {{{2, 3, 4, 4}}, {{5, 3, 4, 4}}});
  list.Add(op, "SameUpper", 13, {{{1, 2, 6, 5}}, {{3, 2, 2, 4}}},
           {{"auto_pad", std::string("SAME_UPPER")}, {"strides", List{1, 2}}});
  list.Add(op, "SameLower", 13, {{{1, 2, 6, 5}}, {{3, 2, 2, 4}}},
           {{"auto_pad", std::string("SAME_LOWER")}, {"strides", List{2, 1}}});
  list.Add(op, "AutoValid", 13, {{{1, 2, 6, 5}}, {{3, 2, 2, 4}}}, {{"auto_pad", std::string("VALID")}});
  list.Add(op, "Line", 13, {{{2, 3, 9}}, {{4, 3, 3}}, {{4}}}, {{"pads", List{1, 2}}, {"strides", List{2}}});
  list.Add(op, "LineDilatedGroups", 13, {{{2, 4, 12}}, {{4, 2, 3}}},
           {{"group", int64_t{2}}, {"dilations", List{3}}, {"pads", List{3, 3}}});
  list.Add(op, "LineDepthwise", 13, {{{2, 16, 10}}, {{16, 1, 3}}}, {{"group", int64_t{16}}, {"pads", List{1, 1}}});
}

void AddConvTranspose(CaseList& list) {
  const std::string op = "ConvTranspose";
  list.Add(op, "Plain", 11, {{{2, 3, 4, 3}}, {{3, 4, 3, 3}}});
  list.Add(op, "BiasStridedPadded", 11, {{{2, 3, 4, 4}}, {{3, 5, 4, 4}}, {{5}}},
           {{"strides", List{2, 2}}, {"pads", List{1, 1, 1, 1}}});
  list.Add(op, "OutputPadding", 11, {{{1, 2, 3, 4}}, {{2, 3, 3, 3}}, {{3}}},
           {{"strides", List{2, 3}}, {"pads", List{1, 0, 1, 2}}, {"output_padding", List{1, 2}}});
  list.Add(op, "Groups", 11, {{{2, 4, 4, 3}}, {{4, 3, 2, 3}}, {{6}}}, {{"group", int64_t{2}}, {"strides", List{1, 2}}});
  list.Add(op, "Depthwise", 11, {{{1, 16, 4, 4}}, {{16, 1, 2, 2}}}, {{"group", int64_t{16}}, {"strides", List{2, 2}}});
  list.Add(op, "Dilated", 11, {{{1, 2, 4, 4}}, {{2, 3, 2, 3}}}, {{"dilations", List{2, 3}}});
  list.Add(op, "OutputShape", 11, {{{1, 2, 3, 3}}, {{2, 3, 3, 3}}},
           {{"strides", List{3, 2}}, {"output_shape", List{10, 6}}});
  list.Add(op, "SameUpper", 11, {{{1, 2, 3, 4}}, {{2, 3, 3, 4}}},
           {{"strides", List{2, 1}}, {"auto_pad", std::string("SAME_UPPER")}});
  list.Add(op, "SameLower", 1, {{{1, 2, 3, 4}}, {{2, 3, 3, 4}}},
           {{"strides", List{2, 1}}, {"auto_pad", std::string("SAME_LOWER")}});
  list.Add(op, "Line", 13, {{{2, 3, 5}}, {{3, 4, 4}}, {{4}}}, {{"strides", List{2}}, {"pads", List{1, 1}}});
  list.Add(op, "Volume", 13, {{{1, 2, 2, 3, 2}}, {{2, 3, 2, 2, 2}}, {{3}}}, {{"strides", List{2, 1, 2}}});
  list.Add("Conv", "Volume", 13, {{{2, 2, 4, 3, 5}}, {{3, 2, 2, 3, 2}}, {{3}}},
           {{"strides", List{2, 1, 2}}, {"pads", List{1, 0, 1, 0, 1, 0}}});
}

void AddResize(CaseList& list) {
  const auto scales = [](std::vector<float> values) {
    return [values](GraphBuilder& b) {
      return std::vector{kNoValue, b.Floats("scales", {static_cast<int64_t>(values.size())}, values)};
    };
  };
  const auto sizes = [](List values) {
    return [values](GraphBuilder& b) { return std::vector{kNoValue, kNoValue, b.Ints("sizes", values)}; };
  };
  const auto old_scales = [](GraphBuilder& b) { return std::vector{b.Floats("scales", {4}, {1, 1, 2, 3})}; };
  for (const char* mode : {"nearest", "linear"}) {
    const Attributes attributes = {{"mode", std::string(mode)}};
    list.Add("Upsample", mode, 9, {{{1, 2, 3, 2}}}, attributes, old_scales);
    list.Add("Resize", std::string("Opset10_") + mode, 10, {{{1, 2, 3, 2}}}, attributes, old_scales);
  }
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* coordinates : {"asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel"}) {
      const Attributes attributes = {{"mode", std::string(mode)},
                                     {"coordinate_transformation_mode", std::string(coordinates)}};
      const std::string what = std::string(mode) + "_" + coordinates;
      list.Add("Resize", "Up_" + what, 13, {{{1, 2, 3, 4}}}, attributes, scales({1, 1, 2, 1.5F}));
      list.Add("Resize", "Down_" + what, 11, {{{1, 2, 6, 5}}}, attributes, sizes({1, 2, 3, 2}));
    }
  }
  list.Add("Resize", "Axes18", 18, {{{2, 4, 3}}}, {{"mode", std::string("linear")}, {"axes", List{-1, 1}}},
           scales({2, 0.5F}));
  list.Add("Resize", "SymmetricToOne", 19, {{{1, 1, 5}}},
           {{"mode", std::string("linear")}, {"coordinate_transformation_mode", std::string("half_pixel_symmetric")}},
           sizes({1, 1, 1}));
  list.Add("Resize", "CubicExcludeOutside", 11, {{{1, 1, 5}}},
           {{"mode", std::string("cubic")}, {"exclude_outside", int64_t{1}}, {"cubic_coeff_a", -0.5F}},
           scales({1, 1, 1.7F}));
  for (const char* nearest : {"floor", "ceil", "round_prefer_ceil"}) {
    list.Add("Resize", std::string("Nearest_") + nearest, 13, {{{1, 1, 5}}}, {{"nearest_mode", std::string(nearest)}},
             scales({1, 1, 0.6F}));
  }
}

void AddPooling(CaseList& list) {
  for (const char* op : {"MaxPool", "AveragePool"}) {
    const auto add = [&](const std::string& what, const Shape& shape, Attributes attributes, int64_t opset = 13) {
      list.Add(op, what, opset, {{shape, Draw::kDistinct}}, attributes);
      if (std::string(op) != "AveragePool") return;
      attributes["count_include_pad"] = int64_t{1};
      list.Add(op, what + "CountPad", opset, {{shape, Draw::kDistinct}}, attributes);
    };
    const List two = {2, 2};
    const List three = {3, 3};
    add("Halve", {2, 3, 6, 4}, {{"kernel_shape", two}, {"strides", two}});
    add("Overlapping", {1, 2, 5, 6}, {{"kernel_shape", three}});
    add("Padded", {2, 2, 6, 6}, {{"kernel_shape", three}, {"strides", two}, {"pads", List{1, 1, 1, 1}}});
    add("Asymmetric", {1, 2, 5, 6},
        {{"kernel_shape", List{3, 2}}, {"strides", List{2, 3}}, {"pads", List{2, 0, 1, 1}}});
    add("Ceil", {1, 2, 6, 7}, {{"kernel_shape", three}, {"strides", two}, {"ceil_mode", int64_t{1}}});
    add("CeilPadded", {1, 1, 6, 6},
        {{"kernel_shape", two}, {"strides", List{3, 3}}, {"pads", List{1, 1, 1, 1}}, {"ceil_mode", int64_t{1}}});
    add("Dilated", {1, 2, 7, 7}, {{"kernel_shape", three}, {"dilations", two}, {"pads", List{1, 1, 1, 1}}}, 19);
    add("SameUpper", {1, 2, 5, 5}, {{"kernel_shape", two}, {"strides", two}, {"auto_pad", std::string("SAME_UPPER")}});
    add("SameLower", {1, 2, 5, 5}, {{"kernel_shape", two}, {"strides", two}, {"auto_pad", std::string("SAME_LOWER")}});
    add("Line", {2, 3, 9}, {{"kernel_shape", List{3}}, {"strides", List{2}}, {"pads", List{1, 1}}});
    const List cube = {2, 2, 2};
    add("Volume", {2, 2, 4, 3, 4}, {{"kernel_shape", cube}, {"strides", List{2, 1, 2}}});
    add("VolumePadded", {1, 2, 3, 4, 5},
        {{"kernel_shape", List{3, 2, 3}}, {"strides", cube}, {"pads", List{1, 0, 2, 1, 1, 0}}});
    add("VolumeDilated", {1, 1, 5, 4, 4},
        {{"kernel_shape", List{2, 2, 3}}, {"dilations", List{2, 1, 1}}, {"ceil_mode", int64_t{1}}}, 19);
  }
  for (const char* op : {"GlobalAveragePool", "GlobalMaxPool"}) {
    list.Add(op, "Image", 13, {{{2, 3, 4, 5}, Draw::kDistinct}});
    list.Add(op, "Line", 13, {{{2, 3, 7}, Draw::kDistinct}});
    list.Add(op, "Volume", 13, {{{2, 2, 2, 3, 2}, Draw::kDistinct}});
  }
}

void AddNormalisation(CaseList& list) {
  const auto parameters = [](GraphBuilder& b) {
    return std::vector{b.Floats("scale", {3}, {1.5, -0.5, 2}), b.Floats("shift", {3}, {0.1, 0.2, -1}),
                       b.Floats("mean", {3}, {0.3, -0.2, 0}), b.Floats("var", {3}, {0.5, 1, 4})};
  };
  list.Add("BatchNormalization", "Image", 9, {{{2, 3, 4, 2}}}, {{"epsilon", 1e-3F}}, parameters);
  list.Add("BatchNormalization", "Line", 14, {{{2, 3, 5}}}, {}, parameters);
  list.Add("BatchNormalization", "Features", 15, {{{4, 3}}}, {{"momentum", 0.8F}}, parameters);
  list.Add("LayerNormalization", "Last", 17, {{{3, 7}}, {{7}}, {{7}}});
  list.Add("LayerNormalization", "NoBias", 17, {{{2, 3, 5}}, {{5}}}, {{"epsilon", 0.1F}});
  list.Add("LayerNormalization", "Axis1", 17, {{{2, 3, 5}}, {{3, 5}}, {{3, 5}}}, {{"axis", int64_t{1}}});
  list.Add("LayerNormalization", "Axis0", 17, {{{2, 9}}, {{2, 9}}, {{9}}}, {{"axis", int64_t{-2}}});
  list.Add("LayerNormalization", "PartialScale", 17, {{{2, 3, 5}}, {{3, 1}}, {{}}}, {{"axis", int64_t{1}}});
  list.Add("LayerNormalization", "WideScale", 17, {{{2, 3, 5}}, {{2, 1, 5}}, {{1, 5}}});
  list.Add("RMSNormalization", "Last", 23, {{{3, 7}}, {{7}}});
  list.Add("RMSNormalization", "Axis1", 23, {{{2, 3, 5}}, {{3, 5}}}, {{"axis", int64_t{1}}, {"epsilon", 0.05F}});
  list.Add("InstanceNormalization", "Image", 6, {{{2, 3, 4, 3}}, {{3}}, {{3}}});
  list.Add("InstanceNormalization", "Line", 13, {{{2, 3, 6}}, {{3}}, {{3}}}, {{"epsilon", 0.01F}});
  list.Add("InstanceNormalization", "OneChannel", 13, {{{2, 1, 9}}, {{1}}, {{1}}});
  list.Add("GroupNormalization", "PerGroup18", 18, {{{2, 4, 3, 2}}, {{2}}, {{2}}}, {{"num_groups", int64_t{2}}});
  list.Add("GroupNormalization", "PerChannel21", 21, {{{2, 4, 5}}, {{4}}, {{4}}}, {{"num_groups", int64_t{2}}});
  list.Add("GroupNormalization", "OneGroup", 21, {{{2, 3, 4}}, {{3}}, {{3}}}, {{"num_groups", int64_t{1}}});
  list.Add("LpNormalization", "Default", 13, {{{3, 5}}});
  list.Add("LpNormalization", "Middle", 13, {{{2, 3, 4}}}, {{"axis", int64_t{1}}, {"p", int64_t{2}}});
  list.Add("LpNormalization", "Absolute", 13, {{{2, 3, 4}, Draw::kOffKinks}},
           {{"axis", int64_t{-2}}, {"p", int64_t{1}}});
  list.Add("LRN", "Odd", 13, {{{2, 5, 2, 2}}}, {{"size", int64_t{3}}, {"alpha", 0.9F}, {"bias", 1.5F}});
  list.Add("LRN", "Even", 13, {{{1, 6, 3}}}, {{"size", int64_t{4}}, {"alpha", 2.0F}, {"beta", 0.5F}});
  list.Add("LRN", "WiderThanChannels", 1, {{{2, 2, 3}}}, {{"size", int64_t{9}}, {"alpha", 3.0F}});
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    list.Add(op, "Last13", 13, {{{2, 3, 4}}});
    list.Add(op, "Middle13", 13, {{{2, 3, 4}}}, {{"axis", int64_t{1}}});
    list.Add(op, "Negative13", 13, {{{2, 3, 4}}}, {{"axis", int64_t{-3}}});
    list.Add(op, "Matrix11", 11, {{{2, 3, 4}}});
    list.Add(op, "MatrixAxis2", 9, {{{2, 3, 4}}}, {{"axis", int64_t{2}}});
    list.Add(op, "MatrixAxis0", 11, {{{2, 5}}}, {{"axis", int64_t{0}}});
  }
}

void AddReductions(CaseList& list) {
  const auto axes = [](List values) {
    return [values](GraphBuilder& b) { return std::vector{b.Ints("axes", values)}; };
  };
  list.Add("ReduceMean", "Spatial", 13, {{{2, 3, 4, 5}}}, {{"axes", List{2, 3}}});
  list.Add("ReduceMean", "Squeezed", 11, {{{2, 3, 4}}}, {{"axes", List{-2}}, {"keepdims", int64_t{0}}});
  list.Add("ReduceMean", "All", 13, {{{2, 3, 4}}});
  list.Add("ReduceMean", "AllSqueezed", 13, {{{2, 3}}}, {{"keepdims", int64_t{0}}});
  list.Add("ReduceMean", "Input18", 18, {{{2, 3, 4}}}, {{"keepdims", int64_t{0}}}, axes({0, -1}));
  list.Add("ReduceMean", "NoAxes18", 18, {{{2, 3, 4}}});
  list.Add("ReduceMean", "Noop18", 18, {{{2, 3, 4}}}, {{"noop_with_empty_axes", int64_t{1}}});
  for (const char* op : {"ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ReduceLogSum",
                         "ReduceMax", "ReduceMin"}) {
    const Draw draw = op == std::string("ReduceLogSum") ? Draw::kPositive : Draw::kOffKinks;
    list.Add(op, "Attribute11", 11, {{{2, 3, 4}, draw}}, {{"axes", List{1, -1}}});
    list.Add(op, "Input18", 18, {{{2, 3, 4}, draw}}, {{"keepdims", int64_t{0}}}, axes({1}));
    list.Add(op, "Outer18", 18, {{{3, 2, 3}, draw}}, {}, axes({0}));
    list.Add(op, "AllSqueezed", 18, {{{2, 3, 11}, draw}}, {{"keepdims", int64_t{0}}});
    list.Add(op, "SizeOne", 18, {{{2, 1, 3}, draw}}, {}, axes({1}));
  }
  list.Add("ReduceSum", "Input13", 13, {{{2, 3, 4}}}, {}, axes({-1, 0}));
  for (const char* op : {"ReduceSum", "ReduceMax", "ReduceMin"}) {
    list.Add(op, "Noop18", 18, {{{2, 3}}}, {{"noop_with_empty_axes", int64_t{1}}});
  }
  for (const char* op : {"ArgMax", "ArgMin"}) {
    list.Add(op, "Default", 13, {{{3, 4}, Draw::kDistinct}});
    list.Add(op, "Axis", 13, {{{2, 3, 4}, Draw::kDistinct}}, {{"axis", int64_t{-2}}, {"keepdims", int64_t{0}}});
  }
  list.Add("CumSum", "First", 14, {{{4, 3}}}, {}, [](GraphBuilder& b) { return std::vector{b.Ints("axis", {0})}; });
  const auto last = [](GraphBuilder& b) { return std::vector{b.Ints("axis", Shape{}, List{-1})}; };
  list.Add("CumSum", "Exclusive", 14, {{{2, 5}}}, {{"exclusive", int64_t{1}}}, last);
  list.Add("CumSum", "Reverse", 11, {{{2, 5}}}, {{"reverse", int64_t{1}}}, last);
  list.Add("CumSum", "ExclusiveReverse", 14, {{{2, 5}}}, {{"exclusive", int64_t{1}}, {"reverse", int64_t{1}}}, last);
  list.Add("Squeeze", "Attribute", 11, {{{2, 1, 3, 1}}}, {{"axes", List{1}}});
  list.Add("Squeeze", "Input", 13, {{{2, 1, 3, 1}}}, {}, axes({-1, 1}));
  list.Add("Squeeze", "AllOnes", 13, {{{2, 1, 3, 1}}});
  list.Add("Unsqueeze", "Attribute", 11, {{{2, 3}}}, {{"axes", List{0, 3}}});
  list.Add("Unsqueeze", "Input", 13, {{{2, 3}}}, {}, axes({-1, 1}));
}

void AddShapes(CaseList& list) {
  const auto shape = [](List values) {
    return [values](GraphBuilder& b) { return std::vector{b.Ints("shape", values)}; };
  };
  list.Add("Flatten", "Default", 13, {{{2, 3, 4}}});
  list.Add("Flatten", "Axis0", 13, {{{2, 3, 4}}}, {{"axis", int64_t{0}}});
  list.Add("Flatten", "Axis3", 13, {{{2, 3, 4}}}, {{"axis", int64_t{3}}});
  list.Add("Flatten", "Negative", 13, {{{2, 3, 4}}}, {{"axis", int64_t{-1}}});
  list.Add("Reshape", "Plain", 13, {{{2, 3, 4}}}, {}, shape({4, 6}));
  list.Add("Reshape", "CopyAndRest", 13, {{{2, 3, 4}}}, {}, shape({0, -1}));
  list.Add("Reshape", "RestFirst", 5, {{{2, 3, 4}}}, {}, shape({-1, 2, 1}));
  list.Add("Transpose", "Reverse", 13, {{{2, 3, 4}}});
  list.Add("Transpose", "Matrix", 13, {{{2, 3}}});
  list.Add("Transpose", "Permuted", 13, {{{2, 3, 4, 2}}}, {{"perm", List{0, 2, 3, 1}}});
  list.Add("Transpose", "Identity", 13, {{{2, 3}}}, {{"perm", List{0, 1}}});
  list.Add("Concat", "Channels", 13, {{{2, 1, 3}}, {{2, 2, 3}}, {{2, 3, 3}}}, {{"axis", int64_t{1}}});
  list.Add("Concat", "LastNegative", 13, {{{2, 3}}, {{2, 1}}}, {{"axis", int64_t{-1}}});
  list.Add("Concat", "One", 13, {{{2, 3}}}, {{"axis", int64_t{0}}});
  list.Add("Pad", "Attribute10", 10, {{{2, 3, 4}}}, {{"pads", List{0, 1, 2, 0, 0, 1}}, {"value", 0.5F}});
  list.Add("Pad", "Input11", 11, {{{2, 3}}}, {}, [](GraphBuilder& b) {
    return std::vector{b.Ints("pads", {1, 0, 0, 2}), b.Floats("fill", {}, {-3})};
  });
  list.Add("Pad", "Crops", 13, {{{3, 5}}}, {}, shape({-1, 1, 1, -2}));
  list.Add("Pad", "Axes18", 18, {{{2, 3, 4}}}, {}, [](GraphBuilder& b) {
    return std::vector{b.Ints("pads", {1, 2, 0, 1}), kNoValue, b.Ints("axes", {-1, 1})};
  });
  list.Add("Constant", "Floats", 13, {}, {{"value", Tensor{.shape = {2}, .data = {1.5F, -2.0F}}}});
}

void AddPadModes(CaseList& list) {
  const auto pads = [](List values) {
    return [values](GraphBuilder& b) { return std::vector{b.Ints("pads", values)}; };
  };
  for (const char* mode : {"edge", "reflect", "wrap"}) {
    const Attributes attributes = {{"mode", std::string(mode)}};
    list.Add("Pad", std::string("Image_") + mode, 19, {{{2, 2, 3, 4}}}, attributes, pads({0, 0, 1, 2, 0, 0, 2, 1}));
    list.Add("Pad", std::string("Wide_") + mode, 19, {{{3, 2}}}, attributes, pads({5, 1, 4, 3}));
    list.Add("Pad", std::string("Cropped_") + mode, 19, {{{4, 5}}}, attributes, pads({-1, 2, 2, -1}));
    list.Add("Pad", std::string("SizeOne_") + mode, 19, {{{2, 1}}}, attributes, pads({0, 2, 0, 1}));
  }
  list.Add("Pad", "ReflectAttributes9", 9, {{{2, 4}}}, {{"mode", std::string("reflect")}, {"pads", List{0, 2, 1, 1}}});
}

void AddSelection(CaseList& list) {
  const auto ints = [](std::vector<List> lists) {
    return [lists](GraphBuilder& b) {
      std::vector<ValueId> ids;
      for (const List& values : lists) ids.push_back(b.Ints("ints" + std::to_string(ids.size()), values));
      return ids;
    };
  };
  list.Add("Slice", "Attributes9", 9, {{{3, 4, 5}}},
           {{"starts", List{1, -3}}, {"ends", List{9, -1}}, {"axes", List{0, 2}}});
  list.Add("Slice", "AttributesNoAxes9", 9, {{{3, 4, 5}}}, {{"starts", List{0, 1}}, {"ends", List{2, 3}}});
  list.Add("Slice", "NoAxes", 13, {{{3, 4}}}, {}, ints({{1, 0}, {3, 2}}));
  list.Add("Slice", "Steps", 13, {{{3, 7, 5}}}, {}, ints({{0, 1}, {7, 5}, {1, -1}, {3, 2}}));
  list.Add("Slice", "Backward", 13, {{{3, 7}}}, {}, ints({{-1, 100}, {-100, 0}, {0, 1}, {-1, -3}}));
  list.Add("Slice", "BackwardToStart", 11, {{{5}}}, {}, ints({{-2}, {std::numeric_limits<int64_t>::min()}, {0}, {-1}}));
  list.Add("Slice", "LongStep", 13, {{{5, 2}}}, {}, ints({{1}, {std::numeric_limits<int64_t>::max()}, {0}, {1 << 20}}));
  list.Add("Slice", "Everything", 13, {{{5, 2}}}, {}, ints({{0}, {5}}));

  const auto indices = [](Shape shape, List values) {
    return [=](GraphBuilder& b) { return std::vector{b.Ints("indices", shape, values)}; };
  };
  list.Add("Gather", "Rows", 13, {{{4, 3}}}, {}, indices({3}, {2, 0, -1}));
  list.Add("Gather", "Repeated", 13, {{{4, 3}}}, {}, indices({2, 3}, {1, 1, 0, -3, 3, 1}));
  list.Add("Gather", "Columns", 11, {{{2, 4, 3}}}, {{"axis", int64_t{-1}}}, indices({2, 2}, {2, 0, 0, 1}));
  list.Add("Gather", "Scalar", 13, {{{2, 4, 3}}}, {{"axis", int64_t{1}}}, indices({}, {2}));
  list.Add("Gather", "Range", 13, {{{2, 4, 3}}}, {{"axis", int64_t{1}}}, indices({2}, {1, 2}));

  const auto ids = [](Shape shape, std::vector<float> values) {
    return [=](GraphBuilder& b) { return std::vector{b.Floats("ids", shape, values)}; };
  };
  list.Add("Gather", "ComputedRows", 13, {{{5, 3}}}, {}, ids({2, 3}, {4, 0, 1, 1, -1, 4}));
  list.MarkInteger(1);
  list.Add("Gather", "ComputedMiddle", 13, {{{2, 4, 3}}}, {{"axis", int64_t{1}}}, ids({2}, {-4, 2}));
  list.MarkInteger(1);
  list.Add("Gather", "ComputedScalar", 13, {{{4, 3}}}, {{"axis", int64_t{-1}}}, ids({}, {2}));
  list.MarkInteger(1);

  list.AddManyOutputs(2, "Split", "Equal", 13, {{2, 6}}, {{"axis", int64_t{1}}});
  list.AddManyOutputs(3, "Split", "Attribute", 11, {{6, 2}}, {{"split", List{1, 3, 2}}});
  list.AddManyOutputs(2, "Split", "Input", 13, {{2, 3, 5}}, {{"axis", int64_t{-1}}}, ints({{4, 1}}));
  list.AddManyOutputs(3, "Split", "Uneven18", 18, {{2, 7}}, {{"axis", int64_t{1}}, {"num_outputs", int64_t{3}}});
  list.AddManyOutputs(1, "Split", "One", 13, {{2, 3}});

  list.Add("Expand", "Row", 13, {{{3, 1}}}, {}, ints({{2, 1, 4}}));
  list.Add("Expand", "Smaller", 8, {{{2, 3, 4}}}, {}, ints({{3, 1}}));
  list.Add("Expand", "Scalar", 13, {{{}}}, {}, ints({{2, 3}}));
  list.Add("Tile", "Both", 13, {{{2, 3}}}, {}, ints({{2, 3}}));
  list.Add("Tile", "Middle", 6, {{{2, 3, 2}}}, {}, ints({{1, 2, 1}}));
  list.Add("Tile", "Once", 13, {{{2, 3}}}, {}, ints({{1, 1}}));

  list.Add("DepthToSpace", "Default", 9, {{{2, 8, 2, 3}}}, {{"blocksize", int64_t{2}}});
  list.Add("DepthToSpace", "ColumnRowDepth", 13, {{{1, 18, 2, 1}}},
           {{"blocksize", int64_t{3}}, {"mode", std::string("CRD")}});
  list.Add("SpaceToDepth", "Plain", 13, {{{2, 3, 4, 6}}}, {{"blocksize", int64_t{2}}});

  list.Add("Trilu", "Upper", 14, {{{2, 3, 4}}});
  list.Add("Trilu", "LowerShifted", 14, {{{4, 3}}}, {{"upper", int64_t{0}}}, indices({}, {1}));
  list.Add("Trilu", "UpperBelow", 14, {{{3, 3}}}, {}, indices({}, {-1}));
  list.Add("Trilu", "BeyondTheCorner", 14, {{{2, 3}}}, {}, indices({}, {7}));
  list.AddBehind(indices({2, 2}, {1, 1, 1, 1}), "Trilu", "Mask", 14, {}, {{"upper", int64_t{0}}});
}

}  // namespace

std::vector<OpCase> AllOpCases() {
  CaseList list;
  AddElementwise(list);
  AddArithmetic(list);
  AddProducts(list);
  AddConv(list);
  AddConvTranspose(list);
  AddResize(list);
  AddPooling(list);
  AddNormalisation(list);
  AddReductions(list);
  AddShapes(list);
  AddLogic(list);
  AddPadModes(list);
  AddSelection(list);
  return list.Take();
}

}  // namespace bitplan::testing
