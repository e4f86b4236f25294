#include "search/curvature/block_hutchinson.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <stop_token>

#include "search/base/status.h"
#include "tests/testing/dense_operator.h"
#include "tests/testing/memory_checkpoints.h"

namespace bitplan::curvature {
namespace {

using ::bitplan::testing::DenseOperator;
using ::bitplan::testing::MemoryCheckpoints;
using ::bitplan::testing::RandomDecaying;
using ::bitplan::testing::RandomSymmetric;
using ::testing::HasSubstr;

// A dense matrix with its diagonal blocks.
struct Blocked {
  Blocked(const Eigen::MatrixXd& matrix, const std::vector<int64_t>& sizes) : whole(matrix) {
    view.whole = &whole;
    int64_t offset = 0;
    for (const int64_t size : sizes) {
      blocks.push_back(std::make_unique<DenseOperator>(matrix.block(offset, offset, size, size)));
      view.slices.push_back({.offset = offset, .size = size});
      view.diagonal.push_back(blocks.back().get());
      offset += size;
    }
  }
  int64_t num_block_products() const {
    int64_t sum = 0;
    for (const auto& block : blocks) sum += block->num_products();
    return sum;
  }

  DenseOperator whole;
  std::vector<std::unique_ptr<DenseOperator>> blocks;
  BlockedOperator view;
};

double Exact(const Blocked& A, size_t l) { return A.blocks[l]->matrix().trace(); }

TEST(HutchinsonScopedTraces, VariancesAreThoseOfTheFormulas) {
  constexpr int64_t kProbes = 6000;
  const Blocked A(RandomSymmetric(24, 5), {10, 14});
  const ProbeOptions options{.relative_error = 1e-12, .min_probes = kProbes, .max_probes = kProbes};
  const auto all = HutchinsonScopedTraces(A.view, ProbeScope::kAllBlocks, options, {});
  const auto each = HutchinsonScopedTraces(A.view, ProbeScope::kOneBlock, options, {});
  ASSERT_TRUE(all.ok() && each.ok());
  for (size_t l = 0; l < 2; ++l) {
    const auto [offset, size] = A.view.slices[l];
    const Eigen::MatrixXd& block = A.blocks[l]->matrix();
    const double within = 2 * (block.squaredNorm() - block.diagonal().squaredNorm());
    const double across = A.whole.matrix().middleRows(offset, size).squaredNorm() - block.squaredNorm();
    EXPECT_NEAR(std::pow(all->traces[l].standard_error, 2) * kProbes, within + across, 0.08 * (within + across));
    EXPECT_NEAR(std::pow(each->traces[l].standard_error, 2) * kProbes, within, 0.08 * within);
    EXPECT_LE(std::abs(all->traces[l].trace - Exact(A, l)), 4 * all->traces[l].standard_error);
    EXPECT_LE(std::abs(each->traces[l].trace - Exact(A, l)), 4 * each->traces[l].standard_error);
  }
  EXPECT_EQ(all->cost, kProbes);
  EXPECT_EQ(each->cost, 2 * kProbes);
}

TEST(HutchinsonScopedTraces, AllBlocksIsHutchinsonBlockTraces) {
  const Blocked A(RandomSymmetric(24, 5), {10, 14});
  const auto scoped = HutchinsonScopedTraces(A.view, ProbeScope::kAllBlocks, {.seed = 3}, {});
  EXPECT_EQ(scoped->traces, *HutchinsonBlockTraces(A.whole, A.view.slices, {.seed = 3}, {}));
}

// One block is diagonal: one at a time it stops at once, while the other takes its probes alone.
TEST(HutchinsonScopedTraces, EachBlockStopsAtItsOwnTarget) {
  Eigen::MatrixXd matrix = Eigen::MatrixXd::Zero(40, 40);
  matrix.topLeftCorner(20, 20) = RandomDecaying(20, 0.5, 1);
  matrix.bottomRightCorner(20, 20).diagonal().setConstant(0.2);
  const Blocked A(matrix, {20, 20});
  const auto traces =
      HutchinsonScopedTraces(A.view, ProbeScope::kOneBlock, {.relative_error = 0.05, .max_probes = 5000}, {});
  ASSERT_TRUE(traces.ok()) << traces.status();
  EXPECT_GT(traces->traces[0].num_probes, 100);
  EXPECT_EQ(traces->traces[1].num_probes, 16);
  EXPECT_TRUE(traces->traces[0].converged && traces->traces[1].converged);
  EXPECT_EQ(A.blocks[1]->num_products(), 16);
  EXPECT_EQ(A.whole.num_products(), 0);
}

TEST(HutchinsonScopedTraces, TheCheaperScopeIsTaken) {
  // Strong coupling and one hard block: one at a time. Block-diagonal with blocks alike: all at once.
  Eigen::MatrixXd coupled = Eigen::MatrixXd::Identity(40, 40);
  coupled.topRightCorner(20, 20) = RandomSymmetric(20, 2);
  coupled.bottomLeftCorner(20, 20) = coupled.topRightCorner(20, 20).transpose();
  const Blocked strong(coupled, {20, 20});
  const ProbeOptions options{.relative_error = 0.05, .max_probes = 3000};
  const auto one = HutchinsonScopedTraces(strong.view, ProbeScope::kCheaper, options, {});
  EXPECT_EQ(one->scope, ProbeScope::kOneBlock);
  EXPECT_EQ(one->cost, strong.whole.num_products() + strong.num_block_products());

  Eigen::MatrixXd separate = Eigen::MatrixXd::Zero(40, 40);
  for (const int i : {0, 20}) separate.block(i, i, 20, 20) = RandomDecaying(20, 0.6, 3);
  const Blocked alike(separate, {20, 20});
  const auto all = HutchinsonScopedTraces(alike.view, ProbeScope::kCheaper, options, {});
  EXPECT_EQ(all->scope, ProbeScope::kAllBlocks);
  EXPECT_TRUE(all->traces[0].converged && all->traces[1].converged);
  EXPECT_EQ(all->cost, alike.whole.num_products() + alike.num_block_products());

  Blocked cheap(separate, {20, 20});
  cheap.view.block_costs = {0.1, 0.1};
  EXPECT_EQ(HutchinsonScopedTraces(cheap.view, ProbeScope::kCheaper, options, {})->scope, ProbeScope::kOneBlock);
}

TEST(HutchinsonScopedTraces, AnAbsoluteFloorMakesATraceOfZeroReachable) {
  const Blocked A((Eigen::Matrix2d() << 1, 2, 2, -1).finished(), {2});
  const auto relative = HutchinsonScopedTraces(A.view, ProbeScope::kOneBlock, {.max_probes = 50}, {});
  EXPECT_FALSE(relative->traces[0].converged);
  const auto floored =
      HutchinsonScopedTraces(A.view, ProbeScope::kOneBlock, {.absolute_error = 0.5, .max_probes = 500}, {});
  EXPECT_TRUE(floored->traces[0].converged);
  EXPECT_LE(floored->traces[0].standard_error, 0.5);
}

TEST(HutchinsonScopedTraces, ResumedFromAnyStopGivesTheSameBits) {
  const Eigen::MatrixXd matrix = RandomSymmetric(30, 9) + 4 * Eigen::MatrixXd::Identity(30, 30);
  const ProbeOptions options{.seed = 4, .relative_error = 0.2, .max_probes = 400, .checkpoint_key = "A"};
  for (const ProbeScope scope : {ProbeScope::kAllBlocks, ProbeScope::kOneBlock, ProbeScope::kCheaper}) {
    const auto whole = HutchinsonScopedTraces(Blocked(matrix, {8, 12, 10}).view, scope, options, {});
    ASSERT_TRUE(whole.ok()) << whole.status();
    for (const int stop_at : {1, 8, 17, 40, 60}) {
      MemoryCheckpoints checkpoints;
      std::stop_source source;
      RunContext interrupted{.stop = source.get_token(), .checkpoints = &checkpoints};
      int reports = 0;
      interrupted.progress = [&](const Progress&) {
        if (++reports == stop_at) source.request_stop();
      };
      const auto stopped = HutchinsonScopedTraces(Blocked(matrix, {8, 12, 10}).view, scope, options, interrupted);
      const Blocked rest(matrix, {8, 12, 10});
      EXPECT_EQ(*HutchinsonScopedTraces(rest.view, scope, options, {.checkpoints = &checkpoints}), *whole)
          << "stopped after " << stop_at << (stopped.ok() ? " (too late)" : "");
    }
  }
}

TEST(HutchinsonScopedTraces, SayWhatIsWrong) {
  Blocked A(RandomSymmetric(6, 9), {2, 4});
  const auto message = [&](ProbeScope scope) {
    return MessageOf(HutchinsonScopedTraces(A.view, scope, {}, {}).status());
  };
  A.view.block_costs = {1};
  EXPECT_THAT(message(ProbeScope::kOneBlock), HasSubstr("block_costs: got 1, want one a slice, 2, or none"));
  A.view.block_costs = {1, 0};
  EXPECT_THAT(message(ProbeScope::kOneBlock), HasSubstr("block_costs[1]: got 0, want above 0"));
  A.view.block_costs.clear();
  std::swap(A.view.diagonal[0], A.view.diagonal[1]);
  EXPECT_THAT(message(ProbeScope::kOneBlock), HasSubstr("diagonal[0]: got dimension 4, want its slice's size, 2"));
  A.view.diagonal.clear();
  EXPECT_THAT(message(ProbeScope::kCheaper), HasSubstr("diagonal: got 0 blocks, want one a slice, 2"));
  EXPECT_EQ(message(ProbeScope::kAllBlocks), "");
  A.view.slices.clear();
  EXPECT_EQ(message(ProbeScope::kAllBlocks), "traces: no blocks");
}

}  // namespace
}  // namespace bitplan::curvature
