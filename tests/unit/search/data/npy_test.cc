#include "search/data/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "search/base/status.h"

namespace bitplan::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A version 1.0 file with any header and any payload.
std::string Npy(const std::string& header, std::string_view payload) {
  std::string out("\x93NUMPY\x01\x00", 8);
  out.push_back(static_cast<char>(header.size() & 0xFF));
  out.push_back(static_cast<char>(header.size() >> 8));
  return out.append(header).append(payload);
}

std::string Header(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n", descr, order, shape);
}

template <typename T>
std::string Bytes(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

std::vector<int64_t> IntsOf(const absl::StatusOr<Array>& array) {
  EXPECT_TRUE(array.ok()) << array.status();
  return array.ok() && !array->is_float() ? std::get<std::vector<int64_t>>(array->data) : std::vector<int64_t>();
}

FloatVector FloatsOf(const absl::StatusOr<Array>& array) {
  EXPECT_TRUE(array.ok()) << array.status();
  return array.ok() && array->is_float() ? std::get<FloatVector>(array->data) : FloatVector();
}

void ExpectError(const std::string& bytes, absl::StatusCode code, const std::string& message) {
  const absl::StatusOr<Array> array = ParseNpy(bytes);
  ASSERT_FALSE(array.ok()) << message;
  EXPECT_EQ(array.status().code(), code) << array.status();
  EXPECT_THAT(MessageOf(array.status()), HasSubstr(message));
}

TEST(ParseNpy, ReadsEveryNumericType) {
  EXPECT_THAT(FloatsOf(ParseNpy(Npy(Header("<f4", "(2,)"), Bytes<float>({1.5F, -2})))), ElementsAre(1.5F, -2));
  EXPECT_THAT(FloatsOf(ParseNpy(Npy(Header("<f8", "(2,)"), Bytes<double>({1.5, -2})))), ElementsAre(1.5F, -2));
  EXPECT_THAT(FloatsOf(ParseNpy(Npy(Header("<f2", "(2,)"), Bytes<uint16_t>({0x3E00, 0xC000})))), ElementsAre(1.5F, -2));
  EXPECT_THAT(IntsOf(ParseNpy(Npy(Header("<i8", "(2,)"), Bytes<int64_t>({1, -9})))), ElementsAre(1, -9));
  EXPECT_THAT(IntsOf(ParseNpy(Npy(Header("<i4", "(2,)"), Bytes<int32_t>({1, -9})))), ElementsAre(1, -9));
  EXPECT_THAT(IntsOf(ParseNpy(Npy(Header("<i2", "(2,)"), Bytes<int16_t>({1, -9})))), ElementsAre(1, -9));
  EXPECT_THAT(IntsOf(ParseNpy(Npy(Header("|i1", "(2,)"), Bytes<int8_t>({1, -9})))), ElementsAre(1, -9));
  EXPECT_THAT(IntsOf(ParseNpy(Npy(Header("|u1", "(2,)"), Bytes<uint8_t>({1, 255})))), ElementsAre(1, 255));
  EXPECT_THAT(IntsOf(ParseNpy(Npy(Header("<u2", "(1,)"), Bytes<uint16_t>({65535})))), ElementsAre(65535));
  EXPECT_THAT(IntsOf(ParseNpy(Npy(Header("<u4", "(1,)"), Bytes<uint32_t>({4294967295})))), ElementsAre(4294967295));
  EXPECT_THAT(IntsOf(ParseNpy(Npy(Header("<u8", "(1,)"), Bytes<uint64_t>({7})))), ElementsAre(7));
  EXPECT_THAT(IntsOf(ParseNpy(Npy(Header("|b1", "(2,)"), Bytes<uint8_t>({1, 0})))), ElementsAre(1, 0));
}

TEST(ParseNpy, ReadsShapes) {
  const auto shape_of = [](const std::string& shape, size_t count) {
    const absl::StatusOr<Array> array = ParseNpy(Npy(Header("|u1", shape), std::string(count, 'x')));
    EXPECT_TRUE(array.ok()) << array.status();
    return array.ok() ? array->shape : Shape{-1};
  };
  EXPECT_THAT(shape_of("()", 1), ElementsAre());
  EXPECT_THAT(shape_of("(6,)", 6), ElementsAre(6));
  EXPECT_THAT(shape_of("(0,)", 0), ElementsAre(0));
  EXPECT_THAT(shape_of("(2, 3)", 6), ElementsAre(2, 3));
  EXPECT_THAT(shape_of("(2,3,1,)", 6), ElementsAre(2, 3, 1));
}

TEST(ParseNpy, ReadsVersionsTwoAndThreeWithTheirLongerLength) {
  const std::string header = Header("|u1", "(1,)");
  for (const char version : {'\x02', '\x03'}) {
    std::string file("\x93NUMPY", 6);
    file.append({version, '\0', static_cast<char>(header.size()), '\0', '\0', '\0'}).append(header).append("a");
    EXPECT_THAT(IntsOf(ParseNpy(file)), ElementsAre('a'));
  }
}

TEST(ParseNpy, AcceptsFortranOrderWhereItIsTheSame) {
  EXPECT_THAT(IntsOf(ParseNpy(Npy(Header("|u1", "(1, 2, 1)", "True"), "ab"))), ElementsAre('a', 'b'));
  ExpectError(Npy(Header("|u1", "(2, 2)", "True"), "abcd"), absl::StatusCode::kUnimplemented, "ascontiguousarray");
}

TEST(ParseNpy, KeepsNanAndInfinityForTheCallerToJudge) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const FloatVector values = FloatsOf(ParseNpy(Npy(Header("<f4", "(2,)"), Bytes<float>({nan, INFINITY}))));
  ASSERT_EQ(values.size(), 2);
  EXPECT_TRUE(std::isnan(values[0]));
  EXPECT_TRUE(std::isinf(values[1]));
}

TEST(ParseNpy, RefusesWhatItCannotRead) {
  constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;
  ExpectError(Npy(Header(">f4", "(1,)"), "abcd"), kUnimplemented, "big endian");
  ExpectError(Npy(Header("|O", "(1,)"), "abcd"), kUnimplemented, "element type '|O'");
  ExpectError(Npy(Header("<c8", "(1,)"), "abcdefgh"), kUnimplemented, "want one of f4, f8");
  ExpectError(Npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "abcd"), kUnimplemented,
              "structured");
  ExpectError(std::string("\x93NUMPY\x09\x00", 8) + "\x01\x00 ", kUnimplemented, "format version 9");
}

TEST(ParseNpy, RefusesMalformedFiles) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  ExpectError("", kInvalid, "magic");
  ExpectError("PK\x03\x04", kInvalid, "magic");
  ExpectError(std::string("\x93NUMPY", 6), kInvalid, "truncated");
  ExpectError(std::string("\x93NUMPY\x01\x00\xFF\xFF{", 11), kInvalid, "truncated");
  ExpectError(Npy(Header("<f4", "(2,)"), "abcd"), kInvalid, "4 bytes of elements, want 8");
  ExpectError(Npy(Header("<f4", "(1,)"), "abcdX"), kInvalid, "5 bytes of elements, want 4");
  ExpectError(Npy(Header("<f4", "(-1,)"), ""), kInvalid, "size");
  ExpectError(Npy(Header("<f4", "(99999999999999999999,)"), ""), kInvalid, "size");
  ExpectError(Npy(Header("<f4", "(4294967296, 4294967296)"), ""), kInvalid, "more than 134217728 elements");
  ExpectError(Npy(Header("|u1", "(1,1,1,1,1,1,1,1,1)"), "a"), kInvalid, "more than 8 dimensions");
  ExpectError(Npy("{'descr': '<f4', 'fortran_order': False}", ""), kInvalid, "want each of");
  ExpectError(Npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", "abcd"), kInvalid, "twice");
  ExpectError(Npy("{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", "abcd"), kInvalid, "True or False");
  ExpectError(Npy("{'descr: <f4", ""), kInvalid, "string without end");
  ExpectError(Npy("['descr']", ""), kInvalid, "does not begin with {");
  ExpectError(Npy(Header("<f4", "()") + "x", "abcd"), kInvalid, "after the closing brace");
  ExpectError(Npy(Header("<f8", "(1,)"), Bytes<double>({1e300})), kInvalid, "beyond the range of float");
  ExpectError(Npy(Header("<u8", "(1,)"), Bytes<uint64_t>({~uint64_t{0}})), kInvalid, "beyond int64");
}

TEST(MakeNpy, RoundTrips) {
  const Array floats{.shape = {2, 2}, .data = FloatVector{1, 2, 3, 4.5F}};
  const absl::StatusOr<Array> read = ParseNpy(MakeNpy(floats));
  EXPECT_THAT(FloatsOf(read), ElementsAre(1, 2, 3, 4.5F));
  EXPECT_THAT(read->shape, ElementsAre(2, 2));
  const Array ints{.shape = {1}, .data = std::vector<int64_t>{-7}};
  EXPECT_THAT(IntsOf(ParseNpy(MakeNpy(ints))), ElementsAre(-7));
  EXPECT_THAT(FloatsOf(ParseNpy(MakeNpy({.shape = {}, .data = FloatVector{3}}))), ElementsAre(3));
}

// numpy reads memory-mapped arrays only if the elements begin at a multiple of 64.
TEST(MakeNpy, AlignsTheElements) {
  for (int64_t size : {1, 10, 100, 1000}) {
    const std::string file = MakeNpy({.shape = {size}, .data = FloatVector(size, 1.0F)});
    EXPECT_EQ((file.size() - size * sizeof(float)) % 64, 0);
  }
}

}  // namespace
}  // namespace bitplan::data
