#include "search/onnx/constant_folding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "search/base/status.h"

namespace bitplan::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Ints = std::vector<int64_t>;

IntTensor Vector(Ints data) { return {.shape = {static_cast<int64_t>(data.size())}, .data = std::move(data)}; }
IntTensor Scalar(int64_t value) { return {.shape = {}, .data = {value}}; }

// 0, 1, 2, ... in the shape.
Tensor Counting(Shape shape) {
  Tensor tensor = Tensor::Zeros(std::move(shape));
  for (size_t i = 0; i < tensor.data.size(); ++i) tensor.data[i] = static_cast<float>(i);
  return tensor;
}

absl::StatusOr<Constant> FoldOp(const std::string& op_type, const std::vector<ConstantRef>& inputs,
                                const Attributes& attributes = {}, int64_t opset = 13) {
  const Node node{.name = "n", .op_type = op_type, .attributes = attributes};
  FoldRequest request{.node = node, .opset_version = opset, .max_elements = 1000};
  for (const ConstantRef& input : inputs) request.inputs.push_back(&input);
  return Fold(request);
}

Ints IntsOf(const absl::StatusOr<Constant>& result) {
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? std::get<IntTensor>(*result).data : Ints();
}
FloatVector FloatsOf(const absl::StatusOr<Constant>& result) {
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? std::get<Tensor>(*result).data : FloatVector();
}
Shape ShapeOf(const absl::StatusOr<Constant>& result) {
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? std::visit([](const auto& tensor) { return tensor.shape; }, *result) : Shape{-7};
}
void ExpectInvalid(const absl::StatusOr<Constant>& result, const std::string& message) {
  ASSERT_FALSE(result.ok()) << message;
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(result.status()), HasSubstr(message));
}

TEST(Fold, Reshape) {
  const Tensor x = Counting({2, 3, 4});
  const auto to = [&](const Ints& shape, const Attributes& attributes = {}) {
    const IntTensor target = Vector(shape);
    return FoldOp("Reshape", {x, target}, attributes);
  };
  EXPECT_THAT(ShapeOf(to({6, 4})), ElementsAre(6, 4));
  EXPECT_THAT(ShapeOf(to({0, -1})), ElementsAre(2, 12));
  EXPECT_THAT(ShapeOf(to({-1})), ElementsAre(24));
  EXPECT_EQ(FloatsOf(to({24})), x.data);
  ExpectInvalid(to({5, -1}), "-1 cannot stand");
  ExpectInvalid(to({-1, -1}), "-1 cannot stand");
  ExpectInvalid(to({7}), "does not fit");
  ExpectInvalid(to({1, 1, 1, 0}), "no such dimension");
  ExpectInvalid(to({0, -1}, {{"allowzero", int64_t{1}}}), "-1 cannot stand");
  ExpectInvalid(to({std::numeric_limits<int64_t>::max(), 2}), "more than the 1000 elements");
  const IntTensor scalar = Vector({});
  const Tensor one = Counting({1});
  EXPECT_THAT(ShapeOf(FoldOp("Reshape", {one, scalar})), IsEmpty());
}

TEST(Fold, FlattenSqueezeUnsqueeze) {
  const Tensor x = Counting({2, 1, 3, 1});
  EXPECT_THAT(ShapeOf(FoldOp("Flatten", {x})), ElementsAre(2, 3));
  EXPECT_THAT(ShapeOf(FoldOp("Flatten", {x}, {{"axis", int64_t{0}}})), ElementsAre(1, 6));
  EXPECT_THAT(ShapeOf(FoldOp("Flatten", {x}, {{"axis", int64_t{-1}}})), ElementsAre(6, 1));
  EXPECT_THAT(ShapeOf(FoldOp("Flatten", {x}, {{"axis", int64_t{4}}})), ElementsAre(6, 1));
  ExpectInvalid(FoldOp("Flatten", {x}, {{"axis", int64_t{5}}}), "axis 5");
  const IntTensor axes = Vector({1, -1});
  EXPECT_THAT(ShapeOf(FoldOp("Squeeze", {x})), ElementsAre(2, 3));
  EXPECT_THAT(ShapeOf(FoldOp("Squeeze", {x, axes})), ElementsAre(2, 3));
  EXPECT_THAT(ShapeOf(FoldOp("Squeeze", {x}, {{"axes", Ints{1}}}, 11)), ElementsAre(2, 3, 1));
  const IntTensor wrong = Vector({0});
  ExpectInvalid(FoldOp("Squeeze", {x, wrong}), "axis 0 has size 2");
  EXPECT_THAT(ShapeOf(FoldOp("Unsqueeze", {x, axes})), ElementsAre(2, 1, 1, 3, 1, 1));
  EXPECT_THAT(ShapeOf(FoldOp("Unsqueeze", {x}, {{"axes", Ints{0}}}, 12)), ElementsAre(1, 2, 1, 3, 1));
  const IntTensor twice = Vector({0, 0});
  ExpectInvalid(FoldOp("Unsqueeze", {x, twice}), "twice");
  ExpectInvalid(FoldOp("Unsqueeze", {x}), "axes are missing");
}

TEST(Fold, Transpose) {
  const Tensor x = Counting({2, 3});
  EXPECT_THAT(FloatsOf(FoldOp("Transpose", {x})), ElementsAre(0, 3, 1, 4, 2, 5));
  const Tensor y = Counting({2, 1, 3});
  const auto result = FoldOp("Transpose", {y}, {{"perm", Ints{2, 0, 1}}});
  EXPECT_THAT(ShapeOf(result), ElementsAre(3, 2, 1));
  EXPECT_THAT(FloatsOf(result), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(ShapeOf(FoldOp("Transpose", {Counting({})})), IsEmpty());
  ExpectInvalid(FoldOp("Transpose", {x}, {{"perm", Ints{0, 0}}}), "twice");
  ExpectInvalid(FoldOp("Transpose", {x}, {{"perm", Ints{0}}}), "each axis");
  ExpectInvalid(FoldOp("Transpose", {x}, {{"perm", Ints{-1, 0}}}), "each axis");
}

TEST(Fold, Slice) {
  const IntTensor x = Vector({0, 1, 2, 3, 4, 5});
  const auto slice = [&](int64_t start, int64_t end, int64_t step) {
    const IntTensor starts = Vector({start});
    const IntTensor ends = Vector({end});
    const IntTensor axes = Vector({0});
    const IntTensor steps = Vector({step});
    return FoldOp("Slice", {x, starts, ends, axes, steps});
  };
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  EXPECT_THAT(IntsOf(slice(1, 4, 1)), ElementsAre(1, 2, 3));
  EXPECT_THAT(IntsOf(slice(0, kMax, 2)), ElementsAre(0, 2, 4));
  EXPECT_THAT(IntsOf(slice(-2, kMax, 1)), ElementsAre(4, 5));
  EXPECT_THAT(IntsOf(slice(-1, kMin, -1)), ElementsAre(5, 4, 3, 2, 1, 0));
  EXPECT_THAT(IntsOf(slice(4, 1, -2)), ElementsAre(4, 2));
  EXPECT_THAT(IntsOf(slice(0, 6, kMax)), ElementsAre(0));
  EXPECT_THAT(IntsOf(slice(5, -7, kMin)), ElementsAre(5));
  EXPECT_THAT(IntsOf(slice(3, 3, 1)), IsEmpty());
  EXPECT_THAT(IntsOf(slice(kMin, kMax, 5)), ElementsAre(0, 5));
  ExpectInvalid(slice(0, 1, 0), "0 is not a step");
  const IntTensor empty = Vector({});
  const IntTensor zero = Vector({0});
  EXPECT_THAT(IntsOf(FoldOp("Slice", {empty, zero, zero})), IsEmpty());
}

TEST(Fold, SliceOfSeveralAxesAndOldAttributes) {
  const Tensor x = Counting({3, 4});
  const IntTensor starts = Vector({1, -1});
  const IntTensor ends = Vector({3, -5});
  const IntTensor axes = Vector({0, 1});
  const IntTensor steps = Vector({1, -2});
  EXPECT_THAT(FloatsOf(FoldOp("Slice", {x, starts, ends, axes, steps})), ElementsAre(7, 5, 11, 9));
  EXPECT_THAT(FloatsOf(FoldOp("Slice", {x}, {{"starts", Ints{1}}, {"ends", Ints{2}}, {"axes", Ints{1}}}, 9)),
              ElementsAre(1, 5, 9));
  ExpectInvalid(FoldOp("Slice", {x}, {{"starts", Ints{1}}, {"ends", Ints{}}}, 9), "differ in length");
  ExpectInvalid(FoldOp("Slice", {x}, {{"starts", Ints{1}}, {"ends", Ints{1}}, {"axes", Ints{2}}}, 9), "axis 2");
}

TEST(Fold, Gather) {
  const Tensor x = Counting({3, 2});
  const IntTensor rows = Vector({2, -3});
  EXPECT_THAT(FloatsOf(FoldOp("Gather", {x, rows})), ElementsAre(4, 5, 0, 1));
  const IntTensor column = Scalar(1);
  const auto result = FoldOp("Gather", {x, column}, {{"axis", int64_t{1}}});
  EXPECT_THAT(ShapeOf(result), ElementsAre(3));
  EXPECT_THAT(FloatsOf(result), ElementsAre(1, 3, 5));
  const IntTensor outside = Scalar(3);
  ExpectInvalid(FoldOp("Gather", {x, outside}), "index 3: want -3..2");
  ExpectInvalid(FoldOp("Gather", {x, x}), "floating point, want integers");
}

TEST(Fold, Concat) {
  const IntTensor a = Vector({1, 2});
  const IntTensor b = Vector({3});
  EXPECT_THAT(IntsOf(FoldOp("Concat", {a, b, a}, {{"axis", int64_t{0}}})), ElementsAre(1, 2, 3, 1, 2));
  const Tensor x = Counting({2, 2});
  const Tensor y = Counting({2, 1});
  const auto result = FoldOp("Concat", {x, y}, {{"axis", int64_t{-1}}});
  EXPECT_THAT(ShapeOf(result), ElementsAre(2, 3));
  EXPECT_THAT(FloatsOf(result), ElementsAre(0, 1, 0, 2, 3, 1));
  ExpectInvalid(FoldOp("Concat", {x, y}, {{"axis", int64_t{0}}}), "does not fit");
  const Tensor floats = Counting({2});
  ExpectInvalid(FoldOp("Concat", {a, floats}), "mixed");
}

TEST(Fold, Cast) {
  const Tensor x{.shape = {3}, .data = {-1.5F, 0, 2.5F}};
  EXPECT_THAT(IntsOf(FoldOp("Cast", {x}, {{"to", int64_t{7}}})), ElementsAre(-1, 0, 2));
  EXPECT_THAT(IntsOf(FoldOp("Cast", {x}, {{"to", int64_t{9}}})), ElementsAre(1, 0, 1));
  const IntTensor ints = Vector({3, 0});
  EXPECT_THAT(FloatsOf(FoldOp("Cast", {ints}, {{"to", int64_t{1}}})), ElementsAre(3, 0));
  EXPECT_THAT(IntsOf(FoldOp("Cast", {ints}, {{"to", int64_t{9}}})), ElementsAre(1, 0));
  const IntTensor large = Vector({int64_t{1} << 40});
  ExpectInvalid(FoldOp("Cast", {large}, {{"to", int64_t{6}}}), "beyond int32");
  const Tensor huge{.shape = {1}, .data = {1e30F}};
  ExpectInvalid(FoldOp("Cast", {huge}, {{"to", int64_t{7}}}), "beyond int64");
  EXPECT_EQ(FoldOp("Cast", {x}, {{"to", int64_t{8}}}).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(Fold, ConstantOfShapeAndRange) {
  const IntTensor shape = Vector({2, 2});
  EXPECT_THAT(FloatsOf(FoldOp("ConstantOfShape", {shape})), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(IntsOf(FoldOp("ConstantOfShape", {shape}, {{"value", Vector({9})}})), ElementsAre(9, 9, 9, 9));
  const IntTensor huge = Vector({1 << 20, 1 << 20});
  ExpectInvalid(FoldOp("ConstantOfShape", {huge}), "more than the 1000 elements");
  const auto range = [](int64_t start, int64_t limit, int64_t delta) {
    const IntTensor a = Scalar(start);
    const IntTensor b = Scalar(limit);
    const IntTensor c = Scalar(delta);
    return FoldOp("Range", {a, b, c});
  };
  EXPECT_THAT(IntsOf(range(1, 7, 2)), ElementsAre(1, 3, 5));
  EXPECT_THAT(IntsOf(range(3, 0, -1)), ElementsAre(3, 2, 1));
  EXPECT_THAT(IntsOf(range(3, 3, 1)), IsEmpty());
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  ExpectInvalid(range(0, kMax, 1), "more than 1000");
  ExpectInvalid(range(0, 1, 0), "delta");
  EXPECT_THAT(IntsOf(range(kMax - 1, kMax, 2)), ElementsAre(kMax - 1));
}

TEST(Fold, IntegerArithmetic) {
  const IntTensor a = Vector({7, -7, 12});
  const IntTensor b = Scalar(2);
  EXPECT_THAT(IntsOf(FoldOp("Add", {a, b})), ElementsAre(9, -5, 14));
  EXPECT_THAT(IntsOf(FoldOp("Sub", {b, a})), ElementsAre(-5, 9, -10));
  EXPECT_THAT(IntsOf(FoldOp("Mul", {a, a})), ElementsAre(49, 49, 144));
  EXPECT_THAT(IntsOf(FoldOp("Div", {a, b})), ElementsAre(3, -3, 6));  // towards zero, as in C
  const IntTensor column{.shape = {2, 1}, .data = {10, 20}};
  const auto table = FoldOp("Add", {column, a});
  EXPECT_THAT(ShapeOf(table), ElementsAre(2, 3));
  EXPECT_THAT(IntsOf(table), ElementsAre(17, 3, 22, 27, 13, 32));
  const IntTensor zero = Scalar(0);
  ExpectInvalid(FoldOp("Div", {a, zero}), "division by 0");
  const IntTensor least = Scalar(std::numeric_limits<int64_t>::min());
  const IntTensor minus_one = Scalar(-1);
  ExpectInvalid(FoldOp("Div", {least, minus_one}), "overflow");
  ExpectInvalid(FoldOp("Add", {least, minus_one}), "overflow");
  const IntTensor two = Vector({1, 2});
  ExpectInvalid(FoldOp("Add", {a, two}), "do not fit together");
  const Tensor floats = Counting({3});
  EXPECT_EQ(FoldOp("Add", {a, floats}).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(Fold, MissingInputsAreErrors) {
  for (const char* op : {"Add", "Cast", "Concat", "ConstantOfShape", "Flatten", "Gather", "Identity", "Range",
                         "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}) {
    EXPECT_TRUE(CanFold(op)) << op;
    ExpectInvalid(FoldOp(op, {}), "");
  }
  EXPECT_FALSE(CanFold("Conv"));
  EXPECT_EQ(FoldOp("Conv", {}).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace bitplan::onnx
