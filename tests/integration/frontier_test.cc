// Frontiers over real gRPC and by the commands: what is streamed, how a stream ends early, what is refused.
#include "proto/convert/frontier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/testing/server/test_server.h"
#include "tests/testing/subprocess.h"

namespace bitplan::testing {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::json;

const std::string kBitplan = BITPLAN_BIN_DIR "/bitplan";
const std::string kHawq = BITPLAN_TEST_DATA_DIR "/hawq/resnet18_t4.sensitivities.json";

v1::Measurement Import(RpcClient& client, const v1::ImportMeasurementRequest& request) {
  v1::Measurement measurement;
  const RpcStatus status = client.Call("MeasurementService/ImportMeasurement", request, &measurement);
  EXPECT_TRUE(status.ok()) << status;
  return measurement;
}

v1::ComputeFrontierRequest ResNet18Frontier(RpcClient& client) {
  v1::ImportMeasurementRequest import;
  import.set_parent("projects/p");
  import.set_json(ReadTestData("hawq/resnet18_t4.sensitivities.json"));
  v1::ComputeFrontierRequest request;
  request.set_measurement(Import(client, import).name());
  return request;
}

v1::Frontier MustCompute(RpcClient& client, const v1::ComputeFrontierRequest& request) {
  convert::FrontierGatherer gatherer;
  const RpcStatus status = client.Frontier(request, [&](const v1::FrontierUpdate& update) {
    gatherer.Add(update);
    return true;
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(gatherer.is_complete());
  return gatherer.Take();
}

TEST(Frontiers, StreamTermsThenPointsThenASummary) {
  TestServer server;
  v1::ComputeFrontierRequest request = ResNet18Frontier(server.client());
  request.set_num_points(5);
  std::vector<v1::FrontierUpdate> updates;
  const RpcStatus status = server.client().Frontier(request, [&](const v1::FrontierUpdate& update) {
    updates.push_back(update);
    return true;
  });
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(updates.size(), 7U);
  ASSERT_TRUE(updates.front().has_terms());
  EXPECT_EQ(updates.front().terms().layers_size(), 19);
  EXPECT_EQ(updates.front().terms().options_size(), 2);
  EXPECT_EQ(updates.front().terms().resource(), "size");
  EXPECT_EQ(updates.front().terms().config().profile(), "generic");
  EXPECT_EQ(updates[1].point().index(), 4);  // the largest limit first
  EXPECT_EQ(updates[2].point().index(), 0);
  EXPECT_TRUE(updates.back().has_summary());
}

// Each point against a search of its own.
TEST(Frontiers, PointsEqualSearches) {
  TestServer server;
  v1::ComputeFrontierRequest request = ResNet18Frontier(server.client());
  auto* bops = request.mutable_config()->add_budgets();
  bops->set_resource("bops");
  bops->set_relative_to_uniform_8(0.6);
  request.set_num_points(7);
  const v1::Frontier frontier = MustCompute(server.client(), request);
  ASSERT_EQ(frontier.points_size(), 7);
  for (const v1::FrontierPoint& point : frontier.points()) {
    v1::SearchRequest search;
    search.set_measurement(request.measurement());
    *search.mutable_config() = request.config();
    auto* size = search.mutable_config()->add_budgets();
    size->set_resource("size");
    size->set_limit(point.limit());
    v1::Plan plan;
    ASSERT_TRUE(server.client().Call("PlanService/Search", search, &plan).ok());
    EXPECT_EQ(point.termination(), plan.termination());
    EXPECT_NEAR(point.objective(), plan.objective(), 1e-12);
    EXPECT_EQ(point.totals_size(), 2);
  }
}

// Three ties leave 16 groups: 2^16 choices, of which enumeration leaves 29.
TEST(Frontiers, TheWholeFrontOfResNet18Has29Points) {
  TestServer server;
  v1::ComputeFrontierRequest request = ResNet18Frontier(server.client());
  request.set_complete(true);
  const v1::Frontier frontier = MustCompute(server.client(), request);
  EXPECT_TRUE(frontier.summary().complete());
  EXPECT_EQ(frontier.points_size(), 29);
  for (int i = 1; i < frontier.points_size(); ++i) {
    EXPECT_GT(frontier.points(i).limit(), frontier.points(i - 1).limit());
    EXPECT_LT(frontier.points(i).objective(), frontier.points(i - 1).objective());
  }
}

// Points that take far longer than their time limit: 200 layers, random scores and costs, two tight budgets.
v1::ComputeFrontierRequest HardFrontier(RpcClient& client) {
  std::mt19937 random(3);
  v1::ImportMeasurementRequest import;
  import.set_parent("projects/p");
  for (int i = 0; i < 200; ++i) {
    auto* layer = import.mutable_table()->add_layers();
    layer->mutable_layer()->set_name("layer" + std::to_string(i));
    layer->mutable_layer()->set_num_weights(1);
    for (int bits = 2; bits < 14; ++bits) {
      auto* option = layer->add_options();
      option->mutable_option()->set_weight_bits(bits);
      option->set_sensitivity(static_cast<double>(random() % 1'000'000));
      for (const char* resource : {"latency", "memory", "energy"}) {
        auto* cost = option->add_costs();
        cost->set_resource(resource);
        cost->set_amount(random() % 1'000'000);
      }
    }
  }
  v1::ComputeFrontierRequest request;
  request.set_measurement(Import(client, import).name());
  request.set_resource("energy");
  for (const char* resource : {"latency", "memory"}) {
    auto* budget = request.mutable_config()->add_budgets();
    budget->set_resource(resource);
    budget->set_limit(200 * 300'000);
  }
  for (int i = 0; i < 10; ++i) {
    auto* limit = request.add_limits();
    limit->set_resource("energy");
    limit->set_limit(200 * (280'000 + 5'000 * i));
  }
  request.mutable_config()->mutable_solver()->mutable_time_limit()->set_seconds(60);
  request.mutable_config()->mutable_solver()->set_node_limit(int64_t{1} << 60);
  return request;
}

// Nine frontiers, more than run at a time, whose callers go away: none goes on computing in a place of its own.
TEST(Frontiers, EndWithTheirCallers) {
  TestServer server;
  const v1::ComputeFrontierRequest hard = HardFrontier(server.client());
  v1::ComputeFrontierRequest easy = ResNet18Frontier(server.client());
  for (int i = 0; i < 9; ++i) {
    const RpcStatus status = server.client().Frontier(hard, [](const v1::FrontierUpdate&) { return false; });
    ASSERT_EQ(status.code, StatusCode::kCancelled) << status;
  }
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!server.client().Frontier(easy, [](const v1::FrontierUpdate&) { return true; }).ok()) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "the places are still taken";
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

TEST(Frontiers, EndAtTheirDeadline) {
  TestServer server;
  const RpcStatus status = server.client().Frontier(
      HardFrontier(server.client()), [](const v1::FrontierUpdate&) { return true; }, std::chrono::milliseconds(500));
  EXPECT_EQ(status.code, StatusCode::kDeadlineExceeded) << status;
}

// A time limit is an answer: every point in its share of time, with a bound.
TEST(Frontiers, ShareTheTimeLimitOut) {
  TestServer server;
  v1::ComputeFrontierRequest request = HardFrontier(server.client());
  request.mutable_config()->mutable_solver()->mutable_time_limit()->set_seconds(3);
  const v1::Frontier frontier = MustCompute(server.client(), request);
  EXPECT_GE(frontier.points_size(), 9);
  for (int i = 1; i < frontier.points_size(); ++i) {
    EXPECT_LE(frontier.points(i).objective(), frontier.points(i - 1).objective());
    EXPECT_LE(frontier.points(i).bound(), frontier.points(i - 1).bound());
    EXPECT_LE(frontier.points(i).bound(), frontier.points(i).objective());
  }
}

struct BadFrontier {
  std::string title;
  std::function<void(v1::ComputeFrontierRequest&)> spoil;
  StatusCode code;
  std::string field;
};

class BadFrontiers : public ::testing::TestWithParam<BadFrontier> {};

TEST_P(BadFrontiers, NameTheField) {
  TestServer server;
  v1::ComputeFrontierRequest request = ResNet18Frontier(server.client());
  GetParam().spoil(request);
  const RpcStatus status = server.client().Frontier(request, [](const v1::FrontierUpdate&) { return true; });
  EXPECT_EQ(status.code, GetParam().code) << status;
  EXPECT_EQ(status.field(), GetParam().field) << status;
}

void AddSizeBudget(v1::ComputeFrontierRequest& request) {
  request.mutable_config()->add_budgets()->set_resource("size");
  request.mutable_config()->mutable_budgets(0)->set_limit(1);
}

INSTANTIATE_TEST_SUITE_P(
    Plans, BadFrontiers,
    ::testing::Values(BadFrontier{"NoMeasurement", [](auto& r) { r.clear_measurement(); }, StatusCode::kInvalidArgument,
                                  "measurement"},
                      BadFrontier{"UnknownMeasurement", [](auto& r) { r.set_measurement("projects/p/measurements/0"); },
                                  StatusCode::kNotFound, ""},
                      BadFrontier{"UnknownResource", [](auto& r) { r.set_resource("joy"); },
                                  StatusCode::kInvalidArgument, "resource"},
                      BadFrontier{"UnpricedResource", [](auto& r) { r.set_resource("energy"); },
                                  StatusCode::kInvalidArgument, "resource"},
                      BadFrontier{"SweptBudget", &AddSizeBudget, StatusCode::kInvalidArgument, "config.budgets[0]"},
                      BadFrontier{"OnePoint", [](auto& r) { r.set_num_points(1); }, StatusCode::kInvalidArgument,
                                  "num_points"},
                      BadFrontier{"TooManyPoints", [](auto& r) { r.set_num_points(10'001); },
                                  StatusCode::kInvalidArgument, "num_points"},
                      BadFrontier{"LimitWithoutAmount", [](auto& r) { r.add_limits()->set_resource("size"); },
                                  StatusCode::kInvalidArgument, "limits[0].amount"},
                      BadFrontier{"UnknownProfile", [](auto& r) { r.mutable_config()->set_profile("abacus"); },
                                  StatusCode::kNotFound, "config.profile"},
                      BadFrontier{"Solver", [](auto& r) { r.mutable_config()->mutable_solver()->set_solver("best"); },
                                  StatusCode::kNotFound, "config.solver.solver"}),
    [](const auto& info) { return info.param.title; });

ProcessResult Bitplan(const TestServer& server, const std::vector<std::string>& line) {
  std::vector<std::string> command = {kBitplan};
  command.insert(command.end(), line.begin(), line.end());
  return RunProcess(command, {"BITPLAN_SERVER=" + const_cast<TestServer&>(server).server().address()});
}

TEST(FrontierCommand, PrintsTableJsonAndCsvAndTheServerSaysTheSame) {
  TestServer server;
  const std::string csv = (server.data_dir() / "front.csv").string();
  const ProcessResult local =
      Bitplan(server, {"local", "frontier", "--sensitivities", kHawq, "--points", "6", "--save", csv});
  ASSERT_EQ(local.exit_code, 0) << local.err;
  EXPECT_THAT(local.out, AllOf(HasSubstr("size limit"), HasSubstr("w4a4*19"), HasSubstr("6 points")));
  const ProcessResult remote = Bitplan(server, {"frontier", "--sensitivities", kHawq, "--points", "6"});
  ASSERT_EQ(remote.exit_code, 0) << remote.err;
  EXPECT_EQ(remote.out, local.out);

  std::stringstream lines;
  lines << std::ifstream(csv).rdbuf();
  std::string line;
  std::getline(lines, line);
  EXPECT_THAT(line, StartsWith("resource,limit,used,objective,bound,gap,state,supported,price,stage1.unit1.conv1,"));
  const auto columns = std::count(line.begin(), line.end(), ',');
  int rows = 0;
  while (std::getline(lines, line)) {
    EXPECT_EQ(std::count(line.begin(), line.end(), ','), columns) << line;
    ++rows;
  }
  EXPECT_EQ(rows, 6);

  const ProcessResult all =
      Bitplan(server, {"local", "frontier", "--sensitivities", kHawq, "--all", "--output", "json"});
  const Json json = Json::parse(all.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << all.out;
  EXPECT_EQ(json["points"].size(), 29U);
  EXPECT_TRUE(json["summary"]["complete"]);
}

TEST(FrontierCommand, MarksLimitsThatCannotBeKept) {
  TestServer server;
  const ProcessResult some = Bitplan(server, {"local", "frontier", "--sensitivities", kHawq, "--limits", "0.1x,0.7x"});
  EXPECT_EQ(some.exit_code, 0) << some.err;
  EXPECT_THAT(some.out, HasSubstr("infeasible"));
  const ProcessResult none = Bitplan(server, {"local", "frontier", "--sensitivities", kHawq, "--limits", "0.1x"});
  EXPECT_EQ(none.exit_code, 3) << none.err;
}

TEST(FrontierCommand, RefusesWrongUsage) {
  TestServer server;
  const auto error = [&](const std::vector<std::string>& line) {
    const ProcessResult ran = Bitplan(server, line);
    EXPECT_EQ(ran.exit_code, 2) << ran.err;
    return ran.err;
  };
  EXPECT_THAT(error({"frontier"}), HasSubstr("--measurement or --sensitivities is required"));
  EXPECT_THAT(error({"local", "frontier", "--sensitivities", kHawq, "--budget", "size=0.5x"}),
              HasSubstr("got one for size, the resource of the frontier"));
  EXPECT_THAT(error({"local", "frontier", "--sensitivities", kHawq, "--limits", "0.5parsec"}), HasSubstr("parsec"));
  EXPECT_THAT(error({"local", "frontier", "--sensitivities", kHawq, "--limits", "0.5x", "--all"}), HasSubstr("--all"));
}

// Whole-plan losses: bounds and plans of neighbours help each other, so both fall.
TEST(FrontierCommand, TakesANetwork) {
  TestServer server;
  const std::string folder = BITPLAN_TEST_DATA_DIR "/models/";
  const ProcessResult ran =
      Bitplan(server, {"local", "frontier", folder + "fmnist_resnet8.onnx", "--calibration",
                       folder + "fmnist_calibration_128.npz", "--samples", "16", "--points", "5", "--output", "json"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const Json json = Json::parse(ran.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  EXPECT_EQ(json["terms"]["predictor"], "logit_superposition");
  double before = std::numeric_limits<double>::infinity();
  for (const Json& point : json["points"]) {
    EXPECT_LE(point["objective"].get<double>(), before);
    before = point["objective"];
  }
}

}  // namespace
}  // namespace bitplan::testing
