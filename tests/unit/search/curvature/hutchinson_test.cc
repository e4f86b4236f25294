#include "search/curvature/hutchinson.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stop_token>

#include "search/base/status.h"
#include "tests/testing/dense_operator.h"
#include "tests/testing/memory_checkpoints.h"

namespace bitplan::curvature {
namespace {

using ::bitplan::testing::DenseOperator;
using ::bitplan::testing::DiagonalOperator;
using ::bitplan::testing::MemoryCheckpoints;
using ::bitplan::testing::RandomSymmetric;
using ::testing::HasSubstr;

// Runs exactly this many probes: no error is small enough to stop before.
ProbeOptions Exactly(int64_t num_probes, uint64_t seed = 0) {
  return {.seed = seed, .relative_error = 1e-12, .min_probes = num_probes, .max_probes = num_probes};
}

// [[3, 2], [2, 5]]: trace 8; one probe is 8 + 4 v1 v2, that is 12 or 4, so its standard deviation is 4.
DenseOperator TwoByTwo() { return DenseOperator((Eigen::Matrix2d() << 3, 2, 2, 5).finished()); }

TEST(HutchinsonTrace, IsExactOnADiagonalOperatorAndStopsAtOnce) {
  const DenseOperator A = DiagonalOperator(Eigen::Vector4d(1, -7, 0.5, 2));
  const auto trace = HutchinsonTrace(A, {}, {});
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(*trace, (TraceEstimate{.trace = -3.5, .standard_error = 0, .num_probes = 16, .converged = true}));
}

TEST(HutchinsonTrace, ReportsTheStandardErrorOfItsProbes) {
  constexpr int64_t kProbes = 4000;
  const auto trace = HutchinsonTrace(TwoByTwo(), Exactly(kProbes), {});
  ASSERT_TRUE(trace.ok()) << trace.status();
  // The two outcomes are about equally frequent, so the sample deviation is 4 up to terms of order 1 / probes.
  EXPECT_NEAR(trace->standard_error, 4 / std::sqrt(kProbes), 0.01 * 4 / std::sqrt(kProbes));
  EXPECT_LE(std::abs(trace->trace - 8), 4 * trace->standard_error);
  EXPECT_FALSE(trace->converged);
  EXPECT_EQ(trace->num_probes, kProbes);
}

TEST(HutchinsonTrace, StopsAtTheFirstCheckPointWithinTheTarget) {
  const DenseOperator A = TwoByTwo();
  const ProbeOptions options{
      .seed = 3, .relative_error = 0.05, .min_probes = 10, .max_probes = 5000, .probes_per_check = 7};
  const auto trace = HutchinsonTrace(A, options, {});
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_TRUE(trace->converged);
  EXPECT_LE(trace->standard_error, 0.05 * trace->trace);
  EXPECT_EQ((trace->num_probes - 10) % 7, 0);
  EXPECT_EQ(A.num_products(), trace->num_probes);
  // (4 / (0.05 * 8))^2 = 100 probes are needed; chance moves the stop, but not by much.
  EXPECT_GT(trace->num_probes, 60);
  EXPECT_LT(trace->num_probes, 140);
  const auto one_check_less = HutchinsonTrace(A, Exactly(trace->num_probes - 7, 3), {});
  EXPECT_GT(one_check_less->standard_error, 0.05 * one_check_less->trace);
}

TEST(HutchinsonTrace, ReportsNegativeTraces) {
  const auto trace = HutchinsonTrace(DenseOperator(-TwoByTwo().matrix()), {.max_probes = 5000}, {});
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_TRUE(trace->converged);
  EXPECT_LT(trace->trace, -4);
}

TEST(HutchinsonTrace, NotConvergedIsAnAnswer) {
  // Trace 0: no relative error is small enough.
  const DenseOperator A((Eigen::Matrix2d() << 1, 2, 2, -1).finished());
  const auto trace = HutchinsonTrace(A, {.max_probes = 50}, {});
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_FALSE(trace->converged);
  EXPECT_EQ(trace->num_probes, 50);
}

TEST(HutchinsonTrace, TheZeroMatrixIsExact) {
  const auto trace = HutchinsonTrace(DenseOperator(Eigen::Matrix3d::Zero()), {}, {});
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_TRUE(trace->converged);
  EXPECT_EQ(trace->trace, 0);
}

TEST(HutchinsonBlockTraces, AgreesWithTheDenseBlocksWithinFourStandardErrors) {
  const DenseOperator A(RandomSymmetric(30, 11));
  const std::vector<WeightSlice> blocks = {{0, 4}, {4, 1}, {5, 15}, {20, 10}};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto traces = HutchinsonBlockTraces(A, blocks, Exactly(400, seed), {});
    ASSERT_TRUE(traces.ok()) << traces.status();
    for (size_t l = 0; l < blocks.size(); ++l) {
      const double exact = A.matrix().block(blocks[l].offset, blocks[l].offset, blocks[l].size, blocks[l].size).trace();
      EXPECT_LE(std::abs((*traces)[l].trace - exact), 4 * (*traces)[l].standard_error)
          << "seed " << seed << " block " << l;
    }
  }
}

TEST(HutchinsonBlockTraces, VarianceOfAProbeIsThatOfTheFormula) {
  const Eigen::MatrixXd A = RandomSymmetric(12, 5);
  const std::vector<WeightSlice> blocks = {{0, 5}, {5, 7}};
  constexpr int64_t kProbes = 20000;
  const auto traces = HutchinsonBlockTraces(DenseOperator(A), blocks, Exactly(kProbes), {});
  ASSERT_TRUE(traces.ok()) << traces.status();
  for (size_t l = 0; l < blocks.size(); ++l) {
    const auto [offset, size] = blocks[l];
    const Eigen::MatrixXd block = A.block(offset, offset, size, size);
    const double within = block.squaredNorm() - block.diagonal().squaredNorm();
    const double across = A.middleRows(offset, size).squaredNorm() - block.squaredNorm();
    const double variance = (*traces)[l].standard_error * (*traces)[l].standard_error * kProbes;
    // A sample variance of m draws is off by about sqrt(kurtosis / m), 2 % here.
    EXPECT_NEAR(variance, 2 * within + across, 0.06 * (2 * within + across));
  }
}

TEST(HutchinsonBlockTraces, SmallBlocksAreHeldToAShareOfTheLargest) {
  // Block 1 has trace 0.001 and a probe deviation of 2: alone it would need millions of probes for 10 %.
  Eigen::MatrixXd A = Eigen::MatrixXd::Zero(4, 4);
  A.diagonal() << 500, 500, 0.0005, 0.0005;
  A(2, 3) = A(3, 2) = 1;
  const std::vector<WeightSlice> blocks = {{0, 2}, {2, 2}};
  const auto traces = HutchinsonBlockTraces(DenseOperator(A), blocks, {.small_block_fraction = 0.05}, {});
  ASSERT_TRUE(traces.ok()) << traces.status();
  EXPECT_TRUE((*traces)[1].converged);
  EXPECT_LE((*traces)[1].standard_error, 0.1 * 0.05 * 1000);
  const auto strict =
      HutchinsonBlockTraces(DenseOperator(A), blocks, {.small_block_fraction = 0, .max_probes = 100}, {});
  EXPECT_TRUE((*strict)[0].converged);
  EXPECT_FALSE((*strict)[1].converged);
}

TEST(HutchinsonBlockTraces, SameSeedSameBitsOtherSeedOtherBits) {
  const DenseOperator A(RandomSymmetric(20, 2));
  const auto first = HutchinsonTrace(A, Exactly(50, 1), {});
  EXPECT_EQ(*first, *HutchinsonTrace(A, Exactly(50, 1), {}));
  EXPECT_NE(first->trace, HutchinsonTrace(A, Exactly(50, 2), {})->trace);
}

TEST(HutchinsonBlockTraces, RefusesBlocksOutsideTheOperator) {
  const DenseOperator A(RandomSymmetric(4, 0));
  const auto status = [&](std::vector<WeightSlice> blocks) {
    return MessageOf(HutchinsonBlockTraces(A, blocks, {}, {}).status());
  };
  EXPECT_EQ(status({}), "traces: no blocks");
  EXPECT_EQ(status({{0, 2}, {2, 3}}),
            "traces: blocks[1]: got offset 2 and size 3, want at least one entry within 0..3");
  EXPECT_THAT(status({{0, 0}}), HasSubstr("size 0"));
  EXPECT_THAT(status({{-1, 2}}), HasSubstr("offset -1"));
  EXPECT_THAT(status({{5, std::numeric_limits<int64_t>::max()}}), HasSubstr("offset 5"));
}

TEST(ProbeOptions, SayWhatIsWrong) {
  const auto message = [](const ProbeOptions& options) { return MessageOf(Validate(options)); };
  EXPECT_THAT(message({.relative_error = 0}), HasSubstr("relative_error: got 0"));
  EXPECT_THAT(message({.relative_error = std::nan("")}), HasSubstr("relative_error: got nan"));
  EXPECT_THAT(message({.small_block_fraction = -1}), HasSubstr("small_block_fraction: got -1"));
  EXPECT_THAT(message({.min_probes = 1}), HasSubstr("one probe has no standard error"));
  EXPECT_THAT(message({.min_probes = 20, .max_probes = 10}),
              HasSubstr("max_probes: got 10, want at least min_probes, 20"));
  EXPECT_THAT(message({.probes_per_check = 0}), HasSubstr("probes_per_check: got 0"));
  EXPECT_TRUE(Validate(ProbeOptions{}).ok());
}

TEST(HutchinsonTrace, RefusesAProductThatIsNotFinite) {
  Eigen::Matrix2d A = TwoByTwo().matrix();
  A(1, 1) = std::numeric_limits<double>::infinity();
  const auto trace = HutchinsonTrace(DenseOperator(A), {}, {});
  EXPECT_EQ(trace.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(trace.status()), HasSubstr("probe 0 of block 0 is not finite"));
}

TEST(HutchinsonTrace, ProgressGrowsToOneAndNamesTheError) {
  std::vector<Progress> reports;
  RunContext context;
  context.progress = [&](const Progress& report) { reports.push_back(report); };
  ASSERT_TRUE(HutchinsonTrace(TwoByTwo(), {.max_probes = 5000}, context).ok());
  ASSERT_FALSE(reports.empty());
  for (const Progress& report : reports) {
    EXPECT_EQ(report.stage, "traces");
    EXPECT_GE(report.fraction, 0);
    EXPECT_LE(report.fraction, 1);
  }
  EXPECT_DOUBLE_EQ(reports.back().fraction, 1);
  EXPECT_LE(reports.back().relative_error, 0.1);
  EXPECT_EQ(reports.back().probes, std::ssize(reports));
}

// Asks for a stop as soon as `num_probes` probes are done.
RunContext StopAfter(int64_t num_probes, std::stop_source& source) {
  RunContext context;
  context.stop = source.get_token();
  context.progress = [num_probes, &source](const Progress& report) {
    if (report.probes == num_probes) source.request_stop();
  };
  return context;
}

TEST(HutchinsonTrace, StopsWithinOneProbeWhenAskedTo) {
  const DenseOperator A = TwoByTwo();
  std::stop_source source;
  const auto trace = HutchinsonTrace(A, Exactly(1000), StopAfter(5, source));
  EXPECT_EQ(trace.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(A.num_products(), 5);
}

TEST(HutchinsonBlockTraces, ResumedFromAnyCheckpointGivesTheSameBits) {
  const Eigen::MatrixXd matrix = RandomSymmetric(20, 9);
  const std::vector<WeightSlice> blocks = {{0, 8}, {8, 12}};
  const ProbeOptions options{.seed = 4, .relative_error = 0.4, .max_probes = 400, .checkpoint_key = "operator"};
  const auto whole = HutchinsonBlockTraces(DenseOperator(matrix), blocks, options, {});
  ASSERT_TRUE(whole.ok()) << whole.status();
  const int64_t num_probes = whole->front().num_probes;
  ASSERT_GT(num_probes, 40) << "the fixture must run past several check points";
  for (const int64_t stop_at : {3, 8, 9, 16, 23, 37, 40}) {
    MemoryCheckpoints checkpoints;
    std::stop_source source;
    RunContext interrupted = StopAfter(stop_at, source);
    interrupted.checkpoints = &checkpoints;
    ASSERT_FALSE(HutchinsonBlockTraces(DenseOperator(matrix), blocks, options, interrupted).ok());
    const DenseOperator rest(matrix);
    const auto resumed = HutchinsonBlockTraces(rest, blocks, options, {.checkpoints = &checkpoints});
    ASSERT_TRUE(resumed.ok()) << resumed.status();
    EXPECT_EQ(*resumed, *whole) << "stopped after " << stop_at;
    EXPECT_EQ(rest.num_products(), num_probes - stop_at / 8 * 8);
  }
}

TEST(HutchinsonTrace, FinishedRunsAreNotRepeated) {
  MemoryCheckpoints checkpoints;
  const DenseOperator A = TwoByTwo();
  const ProbeOptions options{.checkpoint_key = "operator"};
  const auto first = HutchinsonTrace(A, options, {.checkpoints = &checkpoints});
  const int64_t spent = A.num_products();
  EXPECT_EQ(*HutchinsonTrace(A, options, {.checkpoints = &checkpoints}), *first);
  EXPECT_EQ(A.num_products(), spent);
}

TEST(HutchinsonTrace, CheckpointsOfOtherOptionsOrDamagedOnesAreNotUsed) {
  MemoryCheckpoints checkpoints;
  const RunContext context{.checkpoints = &checkpoints};
  ProbeOptions options = Exactly(24, 1);
  options.checkpoint_key = "operator";
  ASSERT_TRUE(HutchinsonTrace(TwoByTwo(), options, context).ok());
  ProbeOptions other = options;
  other.seed = 2;
  EXPECT_EQ(*HutchinsonTrace(TwoByTwo(), other, context), *HutchinsonTrace(TwoByTwo(), Exactly(24, 2), {}));
  for (auto& [key, value] : checkpoints.values) value.pop_back();
  EXPECT_EQ(*HutchinsonTrace(TwoByTwo(), options, context), *HutchinsonTrace(TwoByTwo(), Exactly(24, 1), {}));
}

}  // namespace
}  // namespace bitplan::curvature
