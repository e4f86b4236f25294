#include "search/sensitivity/trace_estimators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "tests/testing/graph_fixtures.h"
#include "tests/testing/memory_checkpoints.h"
#include "tests/testing/reference_network.h"

namespace bitplan::sensitivity {
namespace {

// Smooth, so that the Hessian and the Gauss-Newton matrix differ.
struct Example {
  testing::NetworkFixture network = testing::SmoothConvNet();
  std::unique_ptr<Objective> objective = *Objective::Create(network.graph, network.data, {});
};

class TraceEstimatorRow : public ::testing::TestWithParam<TraceEstimatorEntry> {
 protected:
  bool OfHessian() const { return !GetParam().name.starts_with("gauss_newton"); }

  Example example_;
  TraceOptions options_{.seed = 5, .relative_error = 0.05, .max_probes = 4000, .checkpoint_key = "k"};
};

TEST_P(TraceEstimatorRow, EqualsTheDenseMatrixWithinItsError) {
  const auto traces = GetParam().estimate(*example_.objective, options_, {});
  ASSERT_TRUE(traces.ok()) << traces.status();
  const Eigen::MatrixXd hessian = testing::DenseHessian(example_.network.graph, example_.network.data);
  const auto exact = FindTraceEstimator("gauss_newton_exact")->estimate(*example_.objective, {}, {});
  ASSERT_EQ(traces->size(), example_.objective->slices().size());
  double largest = 0;
  for (size_t l = 0; l < traces->size(); ++l) {
    const auto [offset, size] = example_.objective->slices()[l];
    const double wanted = OfHessian() ? hessian.block(offset, offset, size, size).trace() : (*exact)[l].trace;
    EXPECT_NEAR((*traces)[l].trace, wanted, 4 * (*traces)[l].standard_error + 1e-4 * std::abs(wanted)) << l;
    EXPECT_TRUE((*traces)[l].converged) << l;
    largest = std::max(largest, std::abs((*exact)[l].trace - hessian.block(offset, offset, size, size).trace()));
  }
  EXPECT_GT(largest, 0.01);  // the two matrices do differ here
}

TEST_P(TraceEstimatorRow, SameBitsOnAnyNumberOfThreadsAndFromCheckpoints) {
  testing::MemoryCheckpoints checkpoints;
  const auto one = GetParam().estimate(*example_.objective, options_, {.checkpoints = &checkpoints, .num_threads = 1});
  const auto four = GetParam().estimate(*example_.objective, options_, {.num_threads = 4});
  ASSERT_TRUE(one.ok() && four.ok());
  EXPECT_EQ(*one, *four);
  EXPECT_FALSE(checkpoints.values.empty());
  EXPECT_EQ(*GetParam().estimate(*example_.objective, options_, {.checkpoints = &checkpoints}), *one);
}

TEST_P(TraceEstimatorRow, StopsWhenAsked) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(GetParam().estimate(*example_.objective, options_, {.stop = stop.get_token()}).status().code(),
            absl::StatusCode::kCancelled);
}

INSTANTIATE_TEST_SUITE_P(All, TraceEstimatorRow,
                         ::testing::ValuesIn(TraceEstimators().begin(), TraceEstimators().end()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace bitplan::sensitivity
