// bitplan plan export, formats, diff and rebind as programs on plan files, without a server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/testing/golden_file.h"
#include "tests/testing/subprocess.h"

namespace bitplan {
namespace {

using ::bitplan::testing::ProcessResult;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

const std::string kModels = BITPLAN_TEST_DATA_DIR "/models/";
const std::string kModel = kModels + "fmnist_resnet8.onnx";
const std::string kImages = kModels + "fmnist_calibration_128.npz";

ProcessResult Bitplan(const std::vector<std::string>& line) {
  std::vector<std::string> command = {BITPLAN_BIN_DIR "/bitplan"};
  command.insert(command.end(), line.begin(), line.end());
  return testing::RunProcess(command, {});
}

class PlanTools : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        ::testing::TempDir() + "/bitplan_tools_" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    plan_ = Search("plan.json", "size=0.5x");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Search(const std::string& name, const std::string& budget) const {
    const ProcessResult search =
        Bitplan({"local", "search", kModel, "--calibration", kImages, "--samples", "8", "--trace-error", "0.9",
                 "--max-probes", "4", "--bits", "3,4,8", "--budget", budget, "--save", folder_ + "/" + name});
    EXPECT_EQ(search.exit_code, 0) << search.err;
    return folder_ + "/" + name;
  }

  std::string folder_;
  std::string plan_;
};

TEST_F(PlanTools, ExportWritesTheFileAndTellsWhatIsLost) {
  const std::string file = folder_ + "/config.json";
  const ProcessResult ran = Bitplan({"plan", "export", plan_, "--format", "compressed_tensors", "--file", file});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, AllOf(HasSubstr("Saved as "), HasSubstr("The format cannot say all of the plan:"),
                             HasSubstr("symmetric codes of compressed-tensors use all 2^b values")));
  EXPECT_EQ(Json::parse(testing::ReadFile(file))["quant_method"], "compressed-tensors");

  const ProcessResult json = Bitplan({"plan", "export", plan_, "--format", "compressed_tensors", "--output", "json"});
  EXPECT_EQ(json.out, testing::ReadFile(file));
  const Json losses = Json::parse(json.err)["losses"];
  ASSERT_GE(losses.size(), 1u);
  EXPECT_EQ(losses[0].size(), 5u);

  const ProcessResult whole = Bitplan({"plan", "export", plan_});
  EXPECT_EQ(whole.out, testing::ReadFile(plan_));
  EXPECT_EQ(whole.err, "");
}

TEST_F(PlanTools, ExportReadsTheModelWhereAFormatNeedsIt) {
  const ProcessResult without = Bitplan({"plan", "export", plan_, "--format", "aimet"});
  EXPECT_EQ(without.exit_code, 1);
  EXPECT_THAT(without.err, HasSubstr("model: the format 'aimet' needs the network that the plan is of"));
  const ProcessResult with = Bitplan({"plan", "export", plan_, "--format", "aimet", "--model", kModel});
  ASSERT_EQ(with.exit_code, 0) << with.err;
  EXPECT_EQ(Json::parse(with.out)["param_encodings"].size(), 10u);
}

TEST_F(PlanTools, FormatsSayWhatTheyWereWrittenAgainst) {
  EXPECT_THAT(Bitplan({"plan", "formats"}).out,
              AllOf(HasSubstr("written against"), HasSubstr("compressed-tensors 0.13"), HasSubstr("llama-quantize")));
  const Json formats = Json::parse(Bitplan({"plan", "formats", "--output", "json"}).out)["formats"];
  EXPECT_EQ(formats[0]["name"], "json");
  for (const Json& format : formats) EXPECT_NE(format["written_against"], "");
}

TEST_F(PlanTools, DiffListsLayersTotalsAndBudgets) {
  const std::string other = Search("other.json", "size=0.7x");
  EXPECT_EQ(Bitplan({"plan", "diff", plan_, plan_}).out, "equal: 10 layers\n");
  const ProcessResult ran = Bitplan({"plan", "diff", plan_, other});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("predicted loss"), HasSubstr(" -> "), HasSubstr("budget size"),
                             HasSubstr("layers are equal")));
  const Json json = Json::parse(Bitplan({"plan", "diff", plan_, other, "--output", "json"}).out);
  EXPECT_EQ(json["equal"], false);
  EXPECT_EQ(json["layers"].size() + json["equal_layers"].get<size_t>(), 10u);
  EXPECT_LT(json["totals"]["size_bits"]["before"], json["totals"]["size_bits"]["after"]);
  EXPECT_GT(json["objective"]["before"], json["objective"]["after"]);
  EXPECT_EQ(json["budgets"].size(), 1u);
}

TEST_F(PlanTools, RebindFindsRenamedLayersAndTheNewPlanRuns) {
  // The same network under another name of one layer; names of one length leave the file's structure alone.
  std::string onnx = testing::ReadFile(kModel);
  const std::string old_name = "blocks.0.conv1";
  const std::string new_name = "blocks.0.convA";
  for (size_t at = onnx.find(old_name); at != std::string::npos; at = onnx.find(old_name, at)) {
    onnx.replace(at, old_name.size(), new_name);
  }
  const std::string model = folder_ + "/tuned.onnx";
  std::ofstream(model, std::ios::binary) << onnx;
  const std::string rebound = folder_ + "/rebound.json";
  const ProcessResult ran = Bitplan({"plan", "rebind", plan_, model, "--save", rebound});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr(old_name), HasSubstr(new_name), HasSubstr("structure"),
                             HasSubstr("9 of 10 layers are as they were")));
  EXPECT_THAT(ran.err, HasSubstr("sensitivities and costs are those of the old model"));
  EXPECT_THAT(Bitplan({"plan", "show", rebound}).out, AllOf(HasSubstr(new_name), HasSubstr("note: rebound from plan")));
  const ProcessResult refused = Bitplan({"plan", "evaluate", plan_, "--model", model, "--data", kImages});
  EXPECT_EQ(refused.exit_code, 1);
  const ProcessResult evaluated = Bitplan({"plan", "evaluate", rebound, "--model", model, "--data", kImages});
  EXPECT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_THAT(evaluated.out, Not(HasSubstr("not the one that the plan was made of")));

  const ProcessResult other = Bitplan({"plan", "rebind", plan_, kModels + "fmnist_vit.onnx", "--save", rebound});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, AllOf(HasSubstr("the plan cannot be bound to this model"), HasSubstr("has no counterpart")));
  const ProcessResult bad_map = Bitplan({"plan", "rebind", plan_, model, "--map", "x", "--save", rebound});
  EXPECT_THAT(bad_map.err, HasSubstr("--map: got 'x', want OLD=NEW"));
}

}  // namespace
}  // namespace bitplan
