#include "search/data/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <limits>
#include <string>

#include "search/base/status.h"
#include "tests/testing/npz_builder.h"

namespace bitplan::data {
namespace {

using ::bitplan::testing::CountingLabels;
using ::bitplan::testing::Crc32;
using ::bitplan::testing::Deflate;
using ::bitplan::testing::FilledArray;
using ::bitplan::testing::MakeNpzOf;
using ::bitplan::testing::MakeRawZip;
using ::bitplan::testing::RawZipMember;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <typename T>
void ExpectError(const absl::StatusOr<T>& result, absl::StatusCode code, const std::string& message) {
  ASSERT_FALSE(result.ok()) << message;
  EXPECT_EQ(result.status().code(), code) << result.status();
  EXPECT_THAT(MessageOf(result.status()), HasSubstr(message));
}

template <typename T>
void ExpectInvalid(const absl::StatusOr<T>& result, const std::string& message) {
  ExpectError(result, absl::StatusCode::kInvalidArgument, message);
}

const std::string& SmallNpy() {
  static const std::string npy = MakeNpy({.shape = {3}, .data = std::vector<int64_t>{1, 2, 3}});
  return npy;
}

RawZipMember Stored(const std::string& name, const std::string& bytes) {
  return {.name = name, .packed = bytes, .method = 0, .declared_size = bytes.size(), .crc = Crc32(bytes)};
}

RawZipMember Deflated(const std::string& name, const std::string& bytes) {
  return {.name = name, .packed = Deflate(bytes), .method = 8, .declared_size = bytes.size(), .crc = Crc32(bytes)};
}

TEST(ReadNpz, ReadsStoredAndDeflatedMembersAndZip64) {
  RawZipMember large = Deflated("c.npy", SmallNpy());
  large.zip64 = true;
  const auto arrays = ReadNpz(MakeRawZip({Stored("a.npy", SmallNpy()), Deflated("b.npy", SmallNpy()), large}, 3));
  ASSERT_TRUE(arrays.ok()) << arrays.status();
  ASSERT_EQ(arrays->size(), 3);
  for (const NamedArray& named : *arrays) {
    EXPECT_THAT(std::get<std::vector<int64_t>>(named.array.data), ElementsAre(1, 2, 3)) << named.name;
  }
  EXPECT_EQ((*arrays)[2].name, "c");
}

TEST(ReadNpz, ReadsWhatNumpyWrote) {
  std::ifstream file(BITPLAN_TEST_DATA_DIR "/models/fmnist_calibration_128.npz", std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  const absl::StatusOr<Dataset> dataset = ParseNpz(bytes);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->num_samples, 128);
  ASSERT_EQ(dataset->inputs.size(), 1);
  EXPECT_EQ(dataset->inputs[0].name, "images");
  EXPECT_THAT(dataset->inputs[0].values.shape, ElementsAre(128, 1, 28, 28));
  // Black pixels: (0 - 0.2860) / 0.3530.
  EXPECT_FLOAT_EQ(dataset->inputs[0].values.data[0], -0.2860F / 0.3530F);
  std::vector<int> counts(10, 0);
  for (const int64_t label : std::get<ClassLabels>(dataset->targets)) ++counts[label];
  EXPECT_THAT(counts, ElementsAre(9, 10, 13, 11, 13, 11, 20, 19, 14, 8));
}

TEST(ReadNpz, RefusesDamage) {
  RawZipMember wrong_crc = Stored("a.npy", SmallNpy());
  wrong_crc.crc ^= 1;
  ExpectInvalid(ReadNpz(MakeRawZip({wrong_crc}, 1)), "CRC");
  RawZipMember wrong_size = Deflated("a.npy", SmallNpy());
  wrong_size.declared_size += 1;
  ExpectInvalid(ReadNpz(MakeRawZip({wrong_size}, 1)), "array 'a': zip: damaged data");
  wrong_size.declared_size -= 2;
  ExpectInvalid(ReadNpz(MakeRawZip({wrong_size}, 1)), "damaged data");
  RawZipMember stored_lie = Stored("a.npy", SmallNpy());
  stored_lie.declared_size = 1 << 20;
  ExpectInvalid(ReadNpz(MakeRawZip({stored_lie}, 1)), "not possible");
  RawZipMember garbage = Deflated("a.npy", SmallNpy());
  garbage.packed = std::string(40, '\xFF');
  ExpectInvalid(ReadNpz(MakeRawZip({garbage}, 1)), "damaged data");
  ExpectInvalid(ReadNpz(MakeRawZip({Stored("a.npy", SmallNpy())}, 2)), "central directory");
  ExpectInvalid(ReadNpz("not a zip archive, but long enough to be one"), "not a zip archive");
  ExpectInvalid(ReadNpz(""), "not a zip archive");
}

TEST(ReadNpz, RefusesNames) {
  ExpectInvalid(ReadNpz(MakeRawZip({Stored("a.txt", SmallNpy())}, 1)), "want <name>.npy");
  ExpectInvalid(ReadNpz(MakeRawZip({Stored(".npy", SmallNpy())}, 1)), "want <name>.npy");
  ExpectInvalid(ReadNpz(MakeRawZip({Stored("\xFF.npy", SmallNpy())}, 1)), "member '\\xff.npy'");
  ExpectInvalid(ReadNpz(MakeRawZip({Stored("a.npy", SmallNpy()), Stored("a.npy", SmallNpy())}, 2)), "occurs twice");
}

TEST(ReadNpz, RefusesWhatIsNotSupported) {
  RawZipMember encrypted = Stored("a.npy", SmallNpy());
  encrypted.flags = 1;
  ExpectError(ReadNpz(MakeRawZip({encrypted}, 1)), absl::StatusCode::kUnimplemented, "encrypted");
  RawZipMember lzma = Stored("a.npy", SmallNpy());
  lzma.method = 14;
  ExpectError(ReadNpz(MakeRawZip({lzma}, 1)), absl::StatusCode::kUnimplemented, "compression method 14");
}

// 64 MiB of zeros pack to 64 KiB: refused by what the directory declares, nothing is unpacked.
TEST(ReadNpz, RefusesBombsByTheirDeclaredSize) {
  const std::string bomb = MakeRawZip({Deflated("a.npy", std::string(64 << 20, '\0'))}, 1);
  EXPECT_LT(bomb.size(), 100'000);
  ExpectInvalid(ReadNpz(bomb, {.max_unpacked_bytes = 1 << 20}), "more than 1048576 bytes once unpacked");
}

TEST(ReadNpz, RefusesBombsThatLieAboutTheirSize) {
  RawZipMember lie = Deflated("a.npy", std::string(64 << 20, '\0'));
  lie.declared_size = 1000;
  ExpectInvalid(ReadNpz(MakeRawZip({lie}, 1)), "1001 bytes unpacked, want 1000");
  RawZipMember huge = Deflated("a.npy", SmallNpy());
  huge.declared_size = 1 << 30;
  ExpectInvalid(ReadNpz(MakeRawZip({huge}, 1)), "not possible");
}

// One member's bytes listed under many names (Fifield 2019): the members overlap.
TEST(ReadNpz, RefusesOverlappingMembers) {
  std::string archive = MakeRawZip({Stored("a.npy", SmallNpy()), Stored("b.npy", SmallNpy())}, 2);
  const size_t second = archive.find("PK\x01\x02", archive.find("PK\x01\x02") + 1);
  archive.replace(second + 42, 4, std::string(4, '\0'));  // the second entry points to the first member
  ExpectInvalid(ReadNpz(archive), "overlap");
}

TEST(ReadNpz, KeepsItsLimits) {
  const std::string archive = MakeNpzOf({{"a", FilledArray({4, 4}, 1)}, {"b", FilledArray({4}, 1)}});
  EXPECT_TRUE(ReadNpz(archive).ok());
  ExpectInvalid(ReadNpz(archive, {.max_file_bytes = 10}), "want at most 10");
  ExpectInvalid(ReadNpz(archive, {.max_arrays = 1}), "2 members, want at most 1");
  ExpectInvalid(ReadNpz(archive, {.max_elements = 15}), "array 'a'");
  ExpectInvalid(ReadNpz(archive, {.max_elements = 19}), "array 'b'");
  ExpectInvalid(ReadNpz(archive, {.max_rank = 1}), "more than 1 dimensions");
}

TEST(ReadNpz, RefusesEveryTruncation) {
  const std::string archive = MakeRawZip({Stored("a.npy", SmallNpy()), Deflated("b.npy", SmallNpy())}, 2);
  for (size_t size = 0; size < archive.size(); ++size) {
    EXPECT_FALSE(ReadNpz(archive.substr(0, size)).ok()) << size;
  }
}

TEST(MakeNpz, RoundTripsAndIsDeterministic) {
  const testing::NamedArrays arrays = {{"images", FilledArray({2, 3}, 0.5F)}, {"labels", CountingLabels(2, 10)}};
  EXPECT_EQ(MakeNpzOf(arrays), MakeNpzOf(arrays));
  const auto read = ReadNpz(MakeNpzOf(arrays));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)[0].name, "images");
  EXPECT_THAT((*read)[0].array.shape, ElementsAre(2, 3));
  EXPECT_THAT(std::get<std::vector<int64_t>>((*read)[1].array.data), ElementsAre(0, 1));
}

TEST(MakeNpz, RefusesNames) {
  const std::string npy = SmallNpy();
  ExpectInvalid(MakeNpz({}), "no arrays");
  ExpectInvalid(MakeNpz(std::vector<NpzMember>{{"", npy}}), "not a name");
  ExpectInvalid(MakeNpz(std::vector<NpzMember>{{"../x", npy}}), "not a name");
  ExpectInvalid(MakeNpz(std::vector<NpzMember>{{"a", npy}, {"a", npy}}), "twice");
}

TEST(ParseNpz, TellsClassLabelsFromRealTargets) {
  const auto classes = ParseNpz(MakeNpzOf({{"images", FilledArray({4, 2}, 1)}, {"labels", CountingLabels(4, 3)}}));
  ASSERT_TRUE(classes.ok()) << classes.status();
  EXPECT_THAT(std::get<ClassLabels>(classes->targets), ElementsAre(0, 1, 2, 0));
  const auto real = ParseNpz(MakeNpzOf({{"x", FilledArray({4, 2}, 1)}, {"labels", FilledArray({4, 1}, 0.5F)}}));
  ASSERT_TRUE(real.ok()) << real.status();
  EXPECT_THAT(std::get<Tensor>(real->targets).shape, ElementsAre(4, 1));
  const auto ints = ParseNpz(MakeNpzOf({{"x", CountingLabels(4, 9)}, {"targets", CountingLabels(4, 9)}}));
  ASSERT_TRUE(ints.ok()) << ints.status();
  EXPECT_THAT(std::get<Tensor>(ints->targets).data, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(ints->inputs[0].values.data, ElementsAre(0, 1, 2, 3));
}

TEST(ParseNpz, ReadsColumnLabelsAndSeveralInputs) {
  Array column = CountingLabels(3, 3);
  column.shape = {3, 1};
  const auto dataset =
      ParseNpz(MakeNpzOf({{"left", FilledArray({3, 2}, 1)}, {"labels", column}, {"right", FilledArray({3}, 2)}}));
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT(std::get<ClassLabels>(dataset->targets), ElementsAre(0, 1, 2));
  ASSERT_EQ(dataset->inputs.size(), 2);
  EXPECT_EQ(dataset->inputs[1].name, "right");
}

TEST(ParseNpz, RefusesDataThatDoesNotFitTogether) {
  const Array images = FilledArray({4, 2}, 1);
  const Array labels = CountingLabels(4, 3);
  ExpectInvalid(ParseNpz(MakeNpzOf({{"labels", labels}})), "no input array");
  ExpectInvalid(ParseNpz(MakeNpzOf({{"images", images}, {"labels", labels}, {"targets", labels}})),
                "both 'labels' and 'targets'");
  ExpectInvalid(ParseNpz(MakeNpzOf({{"images", images}, {"labels", CountingLabels(5, 3)}})),
                "array 'images' has 4 samples, the others have 5");
  ExpectInvalid(ParseNpz(MakeNpzOf({{"images", FilledArray({0, 2}, 1)}, {"labels", CountingLabels(0, 3)}})),
                "has no samples");
  ExpectInvalid(ParseNpz(MakeNpzOf({{"images", FilledArray({4, 0}, 1)}, {"labels", labels}})), "has no elements");
  ExpectInvalid(ParseNpz(MakeNpzOf({{"images", FilledArray({}, 1)}, {"labels", labels}})), "single number");
}

TEST(ParseNpz, TakesInputsThatAreTheSameForAllSamplesForConstants) {
  const Array rate{.shape = {}, .data = std::vector<int64_t>{16000}};
  const Array state = FilledArray({2, 1, 3}, 0.5F);
  const auto labelled = ParseNpz(
      MakeNpzOf({{"sr", rate}, {"x", FilledArray({4, 2}, 1)}, {"state", state}, {"labels", CountingLabels(4, 3)}}));
  ASSERT_TRUE(labelled.ok()) << labelled.status();
  EXPECT_EQ(labelled->num_samples, 4);
  ASSERT_EQ(labelled->inputs.size(), 1);
  ASSERT_EQ(labelled->constants.size(), 2);
  EXPECT_EQ(labelled->constants[0].name, "sr");
  EXPECT_THAT(labelled->constants[0].shape, ::testing::IsEmpty());
  EXPECT_THAT(std::get<std::vector<int64_t>>(labelled->constants[0].data), ElementsAre(16000));
  EXPECT_THAT(labelled->constants[1].shape, ElementsAre(2, 1, 3));
  EXPECT_THAT(std::get<FloatVector>(labelled->constants[1].data), ElementsAre(0.5F, 0.5F, 0.5F, 0.5F, 0.5F, 0.5F));
  // Without labels: images, else the largest.
  EXPECT_EQ(ParseNpz(MakeNpzOf({{"images", FilledArray({2, 2}, 1)}, {"state", FilledArray({3}, 1)}}))->num_samples, 2);
  EXPECT_EQ(ParseNpz(MakeNpzOf({{"state", state}, {"x", FilledArray({5, 2}, 1)}}))->num_samples, 5);
}

TEST(ParseNpz, RefusesConstantsAlone) {
  const Array labels = CountingLabels(4, 3);
  ExpectInvalid(ParseNpz(MakeNpzOf({{"x", FilledArray({3, 2}, 1)}, {"labels", labels}})),
                "array 'x' has 3 samples, the others have 4");
  ExpectInvalid(ParseNpz(MakeNpzOf({{"sr", FilledArray({}, 1)}, {"labels", labels}})), "array 'sr' is a single number");
  Array state = FilledArray({2}, 1);
  std::get<FloatVector>(state.data)[1] = std::numeric_limits<float>::infinity();
  ExpectInvalid(ParseNpz(MakeNpzOf({{"x", FilledArray({4}, 1)}, {"state", state}})), "array 'state': element 1 is inf");
}

TEST(ParseNpz, RefusesBadValues) {
  Array images = FilledArray({4, 2}, 1);
  std::get<FloatVector>(images.data)[5] = std::numeric_limits<float>::quiet_NaN();
  ExpectInvalid(ParseNpz(MakeNpzOf({{"images", images}, {"labels", CountingLabels(4, 3)}})),
                "array 'images': element 5 is nan");
  Array targets = FilledArray({4}, std::numeric_limits<float>::infinity());
  ExpectInvalid(ParseNpz(MakeNpzOf({{"x", FilledArray({4}, 1)}, {"targets", targets}})), "element 0 is inf");
  Array labels = CountingLabels(4, 3);
  std::get<std::vector<int64_t>>(labels.data)[2] = -1;
  ExpectInvalid(ParseNpz(MakeNpzOf({{"x", FilledArray({4}, 1)}, {"labels", labels}})), "element 2 is -1");
}

TEST(ParseNpz, TakesLabelsOfTokensWithPaddingAndNoLabelsAtAll) {
  Array labels = CountingLabels(4, 3);
  std::get<std::vector<int64_t>>(labels.data)[2] = kIgnoredLabel;
  labels.shape = {2, 2};
  const auto tokens = ParseNpz(MakeNpzOf({{"x", FilledArray({2}, 1)}, {"labels", labels}}));
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_THAT(std::get<ClassLabels>(tokens->targets), ElementsAre(0, 1, -100, 0));
  EXPECT_EQ(tokens->num_samples, 2);
  const auto none = ParseNpz(MakeNpzOf({{"x", FilledArray({2}, 1)}}));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_TRUE(std::holds_alternative<std::monostate>(none->targets));
}

}  // namespace
}  // namespace bitplan::data
