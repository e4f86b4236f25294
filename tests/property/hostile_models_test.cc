// What strangers may send: every file is answered with a clear status, quickly, in bounded memory, without a crash. Run
// under the asan preset this is the fuzzing of the importers; the mutations are deterministic, a failure names its
// seed.

#include "tests/testing/hostile_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "search/base/status.h"
#include "search/base/text.h"
#include "search/data/npz.h"
#include "search/onnx/parse_model.h"
#include "search/ops/objective.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan {
namespace {

using ::bitplan::testing::HostileCase;
using ::testing::HasSubstr;

// Messages go out over gRPC, which wants UTF-8 and no novels. The server cuts; 16 KiB is what 100 groups of unsupported
// operators with the longest names need.
void ExpectClear(const absl::Status& status, const std::string& name) {
  EXPECT_FALSE(status.message().empty()) << name;
  EXPECT_TRUE(IsPlainText(MessageOf(status))) << name << ": " << status;
  EXPECT_LT(status.message().size(), 16'384) << name;
  EXPECT_TRUE(absl::IsInvalidArgument(status) || absl::IsUnimplemented(status)) << name << ": " << status;
}

void ExpectAnswer(const HostileCase& hostile, const absl::Status& status) {
  ASSERT_FALSE(status.ok()) << hostile.name;
  ExpectClear(status, hostile.name);
  EXPECT_EQ(status.code(), hostile.code) << hostile.name << ": " << status;
  EXPECT_THAT(MessageOf(status), HasSubstr(hostile.message)) << hostile.name;
}

// A model that survives its mutation must be whole; one that does not must say why.
void ExpectModelOrClearError(const std::string& bytes, const std::string& name) {
  const absl::StatusOr<Graph> graph = onnx::ParseModel(bytes);
  if (!graph.ok()) return ExpectClear(graph.status(), name);
  EXPECT_TRUE(CheckInvariants(*graph).ok()) << name;
  EXPECT_FALSE(graph->layers.layers.empty()) << name;
}

void ExpectDatasetOrClearError(const std::string& bytes, const std::string& name) {
  const absl::StatusOr<Dataset> dataset = data::ParseNpz(bytes);
  if (!dataset.ok()) return ExpectClear(dataset.status(), name);
  EXPECT_GT(dataset->num_samples, 0) << name;
  EXPECT_FALSE(dataset->inputs.empty()) << name;
}

// Makes PeakMemoryBytes begin anew (Linux: proc(5), clear_refs).
void ResetPeakMemory() { std::ofstream("/proc/self/clear_refs") << "5"; }

int64_t PeakMemoryBytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  }
  return 0;
}

TEST(HostileModels, AreRefusedWithTheReason) {
  for (const HostileCase& hostile : testing::HostileModels()) {
    ExpectAnswer(hostile, onnx::ParseModel(hostile.bytes).status());
  }
}

TEST(HostileModels, AnswersDoNotDependOnWhatCameBefore) {
  const HostileCase hostile = testing::HostileModels().back();
  EXPECT_EQ(onnx::ParseModel(hostile.bytes).status(), onnx::ParseModel(hostile.bytes).status());
  EXPECT_TRUE(onnx::ParseModel(testing::TinyClassifier().Bytes()).ok());
}

// The files have up to 4 MiB. A bomb of empty messages would take 500 MiB if it were parsed, a declared gigabyte one if
// it were believed. The constants that folding may make come to 64 MiB and are copied once; the sanitizers keep what
// was freed for a while.
TEST(HostileModels, StayInBoundedMemory) {
  const std::vector<HostileCase> cases = testing::HostileModels();
  ResetPeakMemory();
  const int64_t before = PeakMemoryBytes();
  for (const HostileCase& hostile : cases) EXPECT_FALSE(onnx::ParseModel(hostile.bytes).ok());
  EXPECT_LT(PeakMemoryBytes() - before, int64_t{700} << 20);
}

TEST(HostileModels, TruncatedAtEveryByte) {
  const std::string bytes = testing::TinyClassifier().Bytes();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const absl::StatusOr<Graph> graph = onnx::ParseModel(bytes.substr(0, size));
    ASSERT_FALSE(graph.ok()) << size;
    ExpectClear(graph.status(), std::to_string(size));
  }
}

TEST(HostileModels, WithAnyBitFlipped) {
  const std::string bytes = testing::TinyClassifier().Bytes();
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    ExpectModelOrClearError(testing::FlipBit(bytes, bit), "bit " + std::to_string(bit));
  }
}

TEST(HostileModels, Mutated) {
  const std::string bytes = testing::TinyClassifier().Bytes();
  constexpr uint64_t kMutations = 20'000;
  for (uint64_t seed = 0; seed < kMutations; ++seed) {
    ExpectModelOrClearError(testing::Mutate(bytes, seed), "seed " + std::to_string(seed));
  }
}

TEST(HostileModels, RandomBytes) {
  for (uint64_t seed = 0; seed < 20'000; ++seed) {
    const absl::StatusOr<Graph> graph = onnx::ParseModel(testing::RandomBytes(1 + seed % 300, seed));
    ASSERT_FALSE(graph.ok()) << seed;
    ExpectClear(graph.status(), "seed " + std::to_string(seed));
  }
}

TEST(HostileDatasets, AreRefusedWithTheReason) {
  for (const HostileCase& hostile : testing::HostileDatasets()) {
    ExpectAnswer(hostile, data::ParseNpz(hostile.bytes).status());
  }
}

TEST(HostileDatasets, TruncatedAtEveryByte) {
  const std::string bytes = testing::TinyCalibration();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const absl::StatusOr<Dataset> dataset = data::ParseNpz(bytes.substr(0, size));
    ASSERT_FALSE(dataset.ok()) << size;
    ExpectClear(dataset.status(), std::to_string(size));
  }
}

TEST(HostileDatasets, WithAnyBitFlipped) {
  const std::string bytes = testing::TinyCalibration();
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    ExpectDatasetOrClearError(testing::FlipBit(bytes, bit), "bit " + std::to_string(bit));
  }
}

TEST(HostileDatasets, Mutated) {
  const std::string bytes = testing::TinyCalibration();
  for (uint64_t seed = 0; seed < 20'000; ++seed) {
    ExpectDatasetOrClearError(testing::Mutate(bytes, seed), "seed " + std::to_string(seed));
  }
}

TEST(HostileDatasets, ThatDoNotFitTheNetworkAreRefused) {
  const absl::StatusOr<Graph> graph = onnx::ParseModel(testing::TinyClassifier().Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  for (const HostileCase& hostile : testing::MismatchedDatasets()) {
    const absl::StatusOr<Dataset> dataset = data::ParseNpz(hostile.bytes);
    ASSERT_TRUE(dataset.ok()) << hostile.name << ": " << dataset.status();
    ExpectAnswer(hostile, Objective::Create(*graph, *dataset, {}).status());
  }
  const absl::StatusOr<Dataset> good = data::ParseNpz(testing::TinyCalibration());
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_TRUE(Objective::Create(*graph, *good, {}).ok());
}

}  // namespace
}  // namespace bitplan
