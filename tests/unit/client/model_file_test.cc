#include "client/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "client/files.h"
#include "search/base/status.h"
#include "search/onnx/parse_model.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::client {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A folder of its own for each test, with a model 'net/net.onnx' whose weight of 8 floats lies in `location`.
class ReadModelFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("bitplan_model_" + std::string(Name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "net" / "weights");
  }
  void TearDown() override { fs::remove_all(folder_); }

  static const char* Name() { return ::testing::UnitTest::GetInstance()->current_test_info()->name(); }

  std::string WriteModel(const std::string& location) const {
    testing::OnnxModel model;
    model.Input("input", {kDynamic, 4}).Output("y");
    model.Add("MatMul", {"input", "w"}, {"y"});
    auto& tensor = *model.graph().add_initializer();
    tensor.set_name("w");
    tensor.set_data_type(1);
    tensor.set_data_location(1);
    for (const int64_t size : {4, 2}) tensor.add_dims(size);
    auto* entry = tensor.add_external_data();
    entry->set_key("location");
    entry->set_value(location);
    const fs::path path = folder_ / "net" / "net.onnx";
    EXPECT_TRUE(WriteFile(path.string(), model.Bytes()).ok());
    return path.string();
  }
  void WriteWeights(const fs::path& path) const {
    EXPECT_TRUE(WriteFile((folder_ / path).string(), std::string(32, '\0')).ok());
  }

  void ExpectRefused(const std::string& location, absl::StatusCode code, const std::string& message) const {
    const std::string path = WriteModel(location);
    const absl::StatusOr<std::string> read = ReadModel(path);
    ASSERT_FALSE(read.ok()) << location;
    EXPECT_EQ(read.status().code(), code);
    EXPECT_THAT(MessageOf(read.status()), HasSubstr(path + ": external data '" + location + "': "));
    EXPECT_THAT(MessageOf(read.status()), HasSubstr(message));
  }

  fs::path folder_;
};

TEST_F(ReadModelFile, PutsWeightsInside) {
  WriteWeights("net/weights/w.bin");
  const absl::StatusOr<std::string> read = ReadModel(WriteModel("weights/w.bin"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(onnx::ParseModel(*read).ok());
}

TEST_F(ReadModelFile, LooksBesideAModelInTheWorkingFolder) {
  WriteWeights("net/w.bin");
  WriteModel("w.bin");
  const fs::path before = fs::current_path();
  fs::current_path(folder_ / "net");
  const absl::StatusOr<std::string> read = ReadModel("net.onnx");
  fs::current_path(before);
  EXPECT_TRUE(read.ok()) << read.status();
}

TEST_F(ReadModelFile, ReturnsOtherModelsAsTheyAre) {
  const std::string bytes = testing::TinyClassifier().Bytes();
  const std::string path = (folder_ / "one.onnx").string();
  ASSERT_TRUE(WriteFile(path, bytes).ok());
  EXPECT_EQ(*ReadModel(path), bytes);
}

TEST_F(ReadModelFile, StaysInTheFolderOfTheModel) {
  WriteWeights("secret.bin");
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  ExpectRefused((folder_ / "secret.bin").string(), kInvalid, "want a path inside");
  ExpectRefused("../secret.bin", kInvalid, "want a path inside");
  ExpectRefused("weights/../../secret.bin", kInvalid, "want a path inside");
  fs::create_symlink("../secret.bin", folder_ / "net" / "link.bin");
  ExpectRefused("link.bin", kInvalid, "leads out of the model's folder");
  fs::create_directory_symlink("..", folder_ / "net" / "up");
  ExpectRefused("up/secret.bin", kInvalid, "leads out of the model's folder");
  fs::create_directory(folder_ / "network");  // 'net' is the beginning of its name
  WriteWeights("network/w.bin");
  fs::create_symlink("../network/w.bin", folder_ / "net" / "near.bin");
  ExpectRefused("near.bin", kInvalid, "leads out of the model's folder");
}

TEST_F(ReadModelFile, TakesLinksInsideTheFolder) {
  WriteWeights("net/weights/w.bin");
  fs::create_symlink("weights/w.bin", folder_ / "net" / "link.bin");
  const absl::StatusOr<std::string> read = ReadModel(WriteModel("link.bin"));
  EXPECT_TRUE(read.ok()) << read.status();
}

TEST_F(ReadModelFile, SaysWhichFileIsMissing) {
  ExpectRefused("w.bin", absl::StatusCode::kNotFound, "No such file or directory");
}

TEST_F(ReadModelFile, ReadsFilesOnly) {
  ExpectRefused("weights", absl::StatusCode::kInvalidArgument, "is not a file");
  ASSERT_EQ(mkfifo((folder_ / "net" / "pipe").c_str(), 0600), 0);
  ExpectRefused("pipe", absl::StatusCode::kInvalidArgument, "is not a file");
  ASSERT_EQ(truncate((WriteWeights("net/large.bin"), folder_ / "net" / "large.bin").c_str(), int64_t{3} << 30), 0);
  ExpectRefused("large.bin", absl::StatusCode::kInvalidArgument, "one ONNX file can hold at most 2147483647");
}

}  // namespace
}  // namespace bitplan::client
