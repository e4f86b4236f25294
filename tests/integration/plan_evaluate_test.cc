// bitplan plan evaluate as a program: a plan of a search, measured.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
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
using Json = nlohmann::json;

const std::string kModels = BITPLAN_TEST_DATA_DIR "/models/";
const std::string kModel = kModels + "fmnist_resnet8.onnx";
const std::string kImages = kModels + "fmnist_calibration_128.npz";

class PlanEvaluate : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        ::testing::TempDir() + "/bitplan_evaluate_" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    plan_ = folder_ + "/plan.json";
    const ProcessResult search =
        Run({"local", "search", kModel, "--calibration", kImages, "--samples", "8", "--trace-error", "0.9",
             "--max-probes", "4", "--bits", "2,3,4,8", "--budget", "size=0.5x", "--save", plan_});
    ASSERT_EQ(search.exit_code, 0) << search.err;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static ProcessResult Run(const std::vector<std::string>& line) {
    std::vector<std::string> command = {BITPLAN_BIN_DIR "/bitplan"};
    command.insert(command.end(), line.begin(), line.end());
    return testing::RunProcess(command, {});
  }

  std::string folder_;
  std::string plan_;
};

TEST_F(PlanEvaluate, PrintsTheDocumentAndTheSameAsATable) {
  const std::string saved = folder_ + "/evaluation.json";
  const ProcessResult ran = Run({"plan", "evaluate", plan_, "--model", kModel, "--data", kImages, "--calibration",
                                 kImages, "--output", "json", "--save", saved});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(testing::ReadFile(saved), ran.out);
  const Json json = Json::parse(ran.out);
  EXPECT_EQ(json["format"], "bitplan.evaluation/1");
  EXPECT_EQ(json["plan_fingerprint"], Json::parse(testing::ReadFile(plan_))["fingerprint"]);
  EXPECT_EQ(json["num_samples"], 128);
  // tests/data/golden: 0.24312, 119 of 128 right.
  EXPECT_NEAR(json["float_network"]["loss"]["mean"].get<double>(), 0.24312, 1e-4);
  EXPECT_EQ(json["float_network"]["accuracy"]["mean"].get<double>(), 119.0 / 128);
  EXPECT_EQ(json["uniform"].size(), 4U);
  EXPECT_EQ(json["reference_bits"], 3);  // uniform 4 bit takes 0.5x and its scales
  EXPECT_EQ(json["layers"].size(), 10U);
  EXPECT_GT(json["layers"][9]["activation_sqnr_db"].get<double>(), 20);  // 8 bits
  EXPECT_EQ(json["compared"], Json::array({"size"}));
  EXPECT_THAT(json["notes"].dump(), HasSubstr("not held-out data"));

  const ProcessResult table = Run({"plan", "evaluate", plan_, "--model", kModel, "--data", kImages, "--threads", "1"});
  ASSERT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, AllOf(HasSubstr("blocks.0.conv1"), HasSubstr("92.97%"), HasSubstr("uniform 3 bit *"),
                               HasSubstr("beats uniform 3 bit: its loss is lower by"), HasSubstr("predicted increase"),
                               HasSubstr("note: activations stay float")));
}

TEST_F(PlanEvaluate, SaysWhatIsWrong) {
  const ProcessResult other =
      Run({"plan", "evaluate", plan_, "--model", kModels + "fmnist_vit.onnx", "--data", kImages});
  EXPECT_NE(other.exit_code, 0);
  EXPECT_THAT(other.err, HasSubstr("plan.layers: got 10, the network has 18"));
  const ProcessResult no_model = Run({"plan", "evaluate", plan_, "--data", kImages});
  EXPECT_EQ(no_model.exit_code, 2);
  EXPECT_THAT(no_model.err, HasSubstr("--model"));
  const ProcessResult no_data = Run({"plan", "evaluate", plan_, "--model", kModel, "--data", folder_ + "/none.npz"});
  EXPECT_NE(no_data.exit_code, 0);
  EXPECT_THAT(no_data.err, HasSubstr("none.npz"));
}

}  // namespace
}  // namespace bitplan
