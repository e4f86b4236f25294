#include "search/sensitivity/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stop_token>
#include <string>

#include "search/base/status.h"
#include "search/quantization/options.h"
#include "tests/testing/graph_fixtures.h"

namespace bitplan::sensitivity {
namespace {

using testing::NetworkFixture;

// 40 samples, two layers of 3 x 4 and 2 x 3 weights.
NetworkFixture SmallNet() {
  testing::GraphBuilder b(13, 3);
  const ValueId x = b.Input("x", {kDynamic, 4});
  const ValueId hidden = b.Node("Relu", {b.Node("Gemm", {x, b.RandomWeight("w1", {3, 4})}, {{"transB", int64_t{1}}})});
  const ValueId logits = b.Node("Gemm", {hidden, b.RandomWeight("w2", {2, 3})}, {{"transB", int64_t{1}}});
  return {"Small", b.Build(logits), testing::RandomClassification(40, {4}, 2, 4)};
}

absl::StatusOr<CostForecast> ForecastOf(const SensitivityOptions& options) {
  const NetworkFixture network = SmallNet();
  const auto listed = quantization::ListOptions(
      network.graph.layers,
      {.weight_bits = {2, 4, 8}, .schemes = {"symmetric"}, .granularities = {Granularity::kPerChannel}});
  return Forecast(network.graph, network.data, *listed, options, {});
}

// Seconds depend on the machine; their order and what they consist of does not.
TEST(Forecast, CountsTheWorkAndOrdersItsBounds) {
  for (const std::string method : {"hawq_v1", "hawq_v2", "fisher_diagonal", "gauss_newton_direct", "measured_loss",
                                   "quadratic", "logit_superposition"}) {
    const auto forecast = ForecastOf({.method = method});
    ASSERT_TRUE(forecast.ok()) << method << forecast.status();
    EXPECT_EQ(forecast->num_samples, 40) << method;
    EXPECT_EQ(forecast->num_layers, 2) << method;
    EXPECT_EQ(forecast->num_weights, 18) << method;
    EXPECT_EQ(forecast->num_options, 6) << method;
    EXPECT_GT(forecast->gradient_seconds, 0) << method;
    EXPECT_GT(forecast->least_seconds, forecast->gradient_seconds) << method;
    EXPECT_GE(forecast->most_seconds, forecast->least_seconds) << method;
    const bool draws = method != "hawq_v1";
    ASSERT_EQ(forecast->expected_seconds.has_value(), draws) << method;
    if (!draws) continue;
    EXPECT_GE(*forecast->expected_seconds, forecast->least_seconds * (1 - 1e-9)) << method;
    EXPECT_LE(*forecast->expected_seconds, forecast->most_seconds * (1 + 1e-9)) << method;
  }
}

TEST(Forecast, CountsKeptPerturbations) {
  EXPECT_EQ(ForecastOf({.method = "gauss_newton_direct"})->perturbation_bytes, 18 * 3 * 4);
  EXPECT_EQ(ForecastOf({.method = "hawq_v2"})->perturbation_bytes, 0);
}

// 216 bytes of perturbations stand beside the passes.
TEST(Estimate, AMemoryLimitCountsThePerturbations) {
  const NetworkFixture network = SmallNet();
  const auto listed = quantization::ListOptions(
      network.graph.layers,
      {.weight_bits = {2, 4, 8}, .schemes = {"symmetric"}, .granularities = {Granularity::kPerChannel}});
  const auto with = [&](const std::string& method, int64_t limit) {
    return Estimate(network.graph, network.data, *listed, {.method = method, .max_memory_bytes = limit}, {}).status();
  };
  const absl::Status refused = with("gauss_newton_direct", 216);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(MessageOf(refused), ::testing::HasSubstr("got 216, but method 'gauss_newton_direct' keeps 216 bytes"));
  EXPECT_TRUE(with("gauss_newton_direct", 1 << 20).ok());
}

TEST(Forecast, FollowsTheSettings) {
  EXPECT_EQ(ForecastOf({.max_samples = 7})->num_samples, 7);
  EXPECT_FALSE(ForecastOf({.method = "hawq_v2", .trace_estimator = "hutchinson"})->expected_seconds.has_value());
  const auto exact = ForecastOf({.method = "hawq_v2", .trace_estimator = "gauss_newton_exact"});
  EXPECT_EQ(exact->least_seconds, exact->most_seconds);
  EXPECT_EQ(ForecastOf({.method = "magic"}).status().code(), absl::StatusCode::kNotFound);
}

TEST(Forecast, StopsWhenAsked) {
  const NetworkFixture network = SmallNet();
  std::stop_source source;
  source.request_stop();
  const auto listed = quantization::ListOptions(network.graph.layers, {});
  const auto stopped = Forecast(network.graph, network.data, *listed, {}, {.stop = source.get_token()});
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace bitplan::sensitivity
