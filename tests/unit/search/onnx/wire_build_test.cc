#include "search/onnx/wire_build.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "search/onnx/onnx_wire.pb.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::onnx {
namespace {

using namespace std::string_literals;

constexpr int kInt4 = 22;

// By hand: 1 | -2 << 4 = 0x01 | 0xE0, 7 | -8 << 4 = 0x87, and 5 alone with an empty high half.
TEST(CodeTensor, PacksTwoCodesAByteTheFirstInTheLowHalf) {
  const std::vector<int32_t> codes = {1, -2, 7, -8, 5};
  const onnx_wire::TensorProto tensor = CodeTensor("w", {5}, codes, kInt4, 4);
  EXPECT_EQ(tensor.raw_data(), "\xE1\x87\x05"s);
  EXPECT_EQ(tensor.data_type(), kInt4);
  EXPECT_EQ(tensor.dims(0), 5);
  EXPECT_EQ(tensor.name(), "w");
}

TEST(CodeTensor, WritesBytesAndLittleEndianPairs) {
  EXPECT_EQ(CodeTensor("w", {2}, std::vector<int32_t>{-1, 3}, 3, 8).raw_data(), "\xFF\x03"s);
  EXPECT_EQ(CodeTensor("w", {2}, std::vector<int32_t>{65534, 1}, 4, 16).raw_data(), "\xFE\xFF\x01\x00"s);
}

TEST(FreshNames, AreNotThoseOfTheModel) {
  testing::OnnxModel model = testing::TinyClassifier();
  FreshNames names;
  names.Add(model.graph());
  EXPECT_EQ(names.Fresh("input"), "input_2");
  EXPECT_EQ(names.Fresh("input"), "input_3");
  EXPECT_EQ(names.Fresh("fresh"), "fresh");
  EXPECT_EQ(names.Fresh("fresh"), "fresh_2");
}

}  // namespace
}  // namespace bitplan::onnx
