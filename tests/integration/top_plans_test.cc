// The best few plans over real gRPC and by the commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "search/plan/plan_json.h"
#include "tests/testing/server/test_server.h"
#include "tests/testing/subprocess.h"

namespace bitplan::testing {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Json = nlohmann::json;

const std::string kBitplan = BITPLAN_BIN_DIR "/bitplan";
const std::string kHawq = BITPLAN_TEST_DATA_DIR "/hawq/resnet18_t4.sensitivities.json";

v1::FindTopPlansRequest ResNet18(RpcClient& client) {
  v1::ImportMeasurementRequest import;
  import.set_parent("projects/p");
  import.set_json(ReadTestData("hawq/resnet18_t4.sensitivities.json"));
  v1::Measurement measurement;
  const RpcStatus status = client.Call("MeasurementService/ImportMeasurement", import, &measurement);
  EXPECT_TRUE(status.ok()) << status;
  v1::FindTopPlansRequest request;
  request.set_measurement(measurement.name());
  auto* size = request.mutable_config()->add_budgets();
  size->set_resource("size");
  size->set_relative_to_uniform_8(0.6);
  return request;
}

// The first is what Search gives; each is stored under its own name; those that follow are worse.
TEST(TopPlans, BeginWithTheAnswerOfASearch) {
  TestServer server;
  v1::FindTopPlansRequest request = ResNet18(server.client());
  request.set_count(3);
  request.set_store(true);
  v1::TopPlans top;
  const RpcStatus status = server.client().TopPlans(request, &top);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(top.plans_size(), 3);
  EXPECT_FALSE(top.summary().exhausted());

  v1::SearchRequest search;
  search.set_measurement(request.measurement());
  *search.mutable_config() = request.config();
  v1::Plan best;
  ASSERT_TRUE(server.client().Call("PlanService/Search", search, &best).ok());
  EXPECT_EQ(top.plans(0).objective(), best.objective());
  EXPECT_EQ(top.plans(0).termination(), v1::TERMINATION_OPTIMAL);
  for (int i = 1; i < 3; ++i) {
    EXPECT_GE(top.plans(i).objective(), top.plans(i - 1).objective());
    EXPECT_EQ(top.plans(i).termination(), v1::TERMINATION_FEASIBLE);
    EXPECT_NE(top.plans(i).name(), top.plans(i - 1).name());
    EXPECT_EQ(top.plans(i).choices(0).alternatives_size(), 0);
    v1::GetPlanRequest get;
    get.set_name(top.plans(i).name());
    v1::Plan stored;
    ASSERT_TRUE(server.client().Call("PlanService/GetPlan", get, &stored).ok());
    EXPECT_EQ(stored.digest(), top.plans(i).digest());
    EXPECT_EQ(stored.choices(0).alternatives_size(), 1);
  }
}

TEST(TopPlans, NameTheFieldThatIsWrong) {
  TestServer server;
  const v1::FindTopPlansRequest good = ResNet18(server.client());
  const auto field = [&](auto spoil) {
    v1::FindTopPlansRequest request = good;
    spoil(request);
    v1::TopPlans top;
    const RpcStatus status = server.client().TopPlans(request, &top);
    EXPECT_EQ(status.code, StatusCode::kInvalidArgument) << status;
    return status.field();
  };
  EXPECT_EQ(field([](auto& r) { r.clear_measurement(); }), "measurement");
  EXPECT_EQ(field([](auto& r) { r.set_count(101); }), "count");
  EXPECT_EQ(field([](auto& r) { r.set_distance(-1); }), "distance");
  EXPECT_EQ(field([](auto& r) { r.mutable_config()->clear_budgets(); }), "config.budgets");
  EXPECT_EQ(field([](auto& r) { r.mutable_config()->set_robustness_resamples(5); }), "config.robustness_resamples");
}

ProcessResult Bitplan(TestServer& server, const std::vector<std::string>& line) {
  std::vector<std::string> command = {kBitplan};
  command.insert(command.end(), line.begin(), line.end());
  return RunProcess(command, {"BITPLAN_SERVER=" + server.server().address()});
}

TEST(TopCommand, PrintsWhereThePlansDiffer) {
  TestServer server;
  const std::vector<std::string> what = {"top", "--sensitivities", kHawq, "--budget", "size=0.6x", "--count", "3"};
  std::vector<std::string> local = what;
  local.insert(local.begin(), "local");
  const ProcessResult here = Bitplan(server, local);
  ASSERT_EQ(here.exit_code, 0) << here.err;
  EXPECT_THAT(here.out, AllOf(HasSubstr("above best"), HasSubstr("w4a4 (w8a8)")));
  const ProcessResult there = Bitplan(server, what);
  ASSERT_EQ(there.exit_code, 0) << there.err;
  EXPECT_EQ(here.out, there.out);
}

TEST(TopCommand, WritesAFileForEachPlan) {
  TestServer server;
  const std::string path = (server.data_dir() / "plans.json").string();
  const ProcessResult ran = Bitplan(server, {"local", "top", "--sensitivities", kHawq, "--budget", "size=0.6x",
                                             "--count", "2", "--save", path, "--output", "json"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const Json json = Json::parse(ran.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << ran.out;
  ASSERT_EQ(json["plans"].size(), 2U);
  for (const std::string place : {"1", "2"}) {
    std::stringstream text;
    text << std::ifstream((server.data_dir() / ("plans-" + place + ".json")).string()).rdbuf();
    const auto plan = plan::ParsePlan(text.str());
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->diagnosis.empty(), place == "1");
  }
}

TEST(TopCommand, SaysWhatCannotBeKept) {
  TestServer server;
  const ProcessResult ran = Bitplan(server, {"local", "top", "--sensitivities", kHawq, "--budget", "size=0.1x"});
  EXPECT_EQ(ran.exit_code, 3) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("least achievable"));
}

// Rules count for frontiers in this process as they do on a server.
TEST(FrontierCommand, ObeysPins) {
  TestServer server;
  const std::vector<std::string> pinned = {"frontier", "--sensitivities",     kHawq, "--points", "3",
                                           "--pin",    "stage1.unit1.conv1=8"};
  std::vector<std::string> local = pinned;
  local.insert(local.begin(), "local");
  const ProcessResult here = Bitplan(server, local);
  const ProcessResult there = Bitplan(server, pinned);
  ASSERT_EQ(here.exit_code, 0) << here.err;
  EXPECT_EQ(here.out, there.out);
  EXPECT_THAT(here.out, HasSubstr("w8a8 w4a4*18"));
}

}  // namespace
}  // namespace bitplan::testing
