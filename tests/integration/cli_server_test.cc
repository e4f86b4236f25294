// The real bitplan against a real server: every command, exit codes, which stream gets what, Ctrl-C.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "search/plan/plan_json.h"
#include "server/server.h"
#include "tests/testing/golden_file.h"
#include "tests/testing/npz_builder.h"
#include "tests/testing/onnx_writer.h"
#include "tests/testing/subprocess.h"

namespace bitplan {
namespace {

using ::bitplan::testing::ProcessResult;
using ::bitplan::testing::Subprocess;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using Json = nlohmann::json;

const std::string kBitplan = BITPLAN_BIN_DIR "/bitplan";
const std::string kModel = BITPLAN_TEST_DATA_DIR "/models/fmnist_resnet8.onnx";
const std::string kCalibration = BITPLAN_TEST_DATA_DIR "/models/fmnist_calibration_128.npz";
const std::string kHawq = BITPLAN_TEST_DATA_DIR "/hawq/resnet18_t4.sensitivities.json";
// A search of the bundled network that takes a second: few samples, loose traces.
const std::vector<std::string> kQuickSearch = {
    "search",        kModel, "--calibration", kCalibration, "--samples",    "8", "--seed", "1",
    "--trace-error", "0.9",  "--budget",      "size=0.5x",  "--max-probes", "4"};
// And one that takes until it is stopped.
const std::vector<std::string> kEndlessSearch = {
    "search",        kModel, "--calibration", kCalibration, "--budget",          "size=0.5x",  "--seed",   "7",
    "--trace-error", "1e-9", "--max-probes",  "100000000",  "--trace-estimator", "hutchinson", "--method", "hawq_v2"};

std::vector<std::string> operator+(std::vector<std::string> line, const std::vector<std::string>& more) {
  line.insert(line.end(), more.begin(), more.end());
  return line;
}

class Cli : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "/bitplan_cli_" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    StartServer("127.0.0.1:0");
  }
  void TearDown() override {
    if (server_) server_->Drain(std::chrono::milliseconds(0));
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void StartServer(const std::string& address) {
    server::Config config;
    config.listen_address = address;
    config.data_dir = folder_ + "/data";
    auto started = server::Server::Start(config);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
    address_ = server_->address();
  }

  ProcessResult Run(const std::vector<std::string>& line) const {
    return testing::RunProcess(std::vector<std::string>{kBitplan} + line, {"BITPLAN_SERVER=" + address_});
  }
  Json RunJson(const std::vector<std::string>& line) const {
    const ProcessResult ran = Run(line + std::vector<std::string>{"--output", "json"});
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    const Json json = Json::parse(ran.out, nullptr, /*allow_exceptions=*/false);
    EXPECT_FALSE(json.is_discarded()) << ran.out;
    return json;
  }
  std::unique_ptr<Subprocess> Start(const std::vector<std::string>& line) const {
    return std::make_unique<Subprocess>(std::vector<std::string>{kBitplan} + line,
                                        std::vector<std::string>{"BITPLAN_SERVER=" + address_});
  }

  std::string folder_;
  std::string address_;
  std::unique_ptr<server::Server> server_;
};

TEST_F(Cli, SearchesAndEveryOtherCommandFindsWhatItMade) {
  const ProcessResult search = Run(kQuickSearch);
  ASSERT_EQ(search.exit_code, 0) << search.err;
  EXPECT_THAT(search.out, AllOf(HasSubstr("layer"), HasSubstr("total of 10 layers"), HasSubstr("size=0.5x"),
                                HasSubstr("predicted for the whole plan (logit_superposition): "),
                                HasSubstr("feasible: objective")));
  EXPECT_THAT(search.err, AllOf(HasSubstr("Uploaded fmnist_resnet8.onnx"), HasSubstr("Queued projects/default/jobs/"),
                                Not(HasSubstr("\r"))));

  const ProcessResult again = Run(kQuickSearch);
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.out, search.out);
  EXPECT_THAT(again.err, AllOf(HasSubstr("The server has fmnist_resnet8.onnx"), Not(HasSubstr("Uploaded"))));

  const Json models = RunJson({"model", "list"});
  ASSERT_EQ(models["models"].size(), 1u);
  const std::string model = models["models"][0]["name"];
  const Json shown = RunJson({"model", "show", model});
  EXPECT_EQ(shown["layers"].size(), 10u);
  EXPECT_THAT(Run({"model", "show", model.substr(model.rfind('/') + 1)}).out, HasSubstr("total of 10 layers"));
  EXPECT_THAT(Run({"model", "list"}).out, HasSubstr("fmnist_resnet8.onnx"));

  const Json jobs = RunJson({"job", "list"});
  ASSERT_EQ(jobs["jobs"].size(), 2u);
  const std::string job = jobs["jobs"][1]["name"];
  EXPECT_EQ(RunJson({"job", "show", job})["state"], "JOB_STATE_SUCCEEDED");
  EXPECT_THAT(Run({"job", "show", job}).out, AllOf(HasSubstr("succeeded"), HasSubstr("measure, search")));
  EXPECT_THAT(Run({"job", "list"}).out, HasSubstr("succeeded"));
  EXPECT_TRUE(RunJson({"job", "list", "--state", "running,queued"}).value("jobs", Json::array()).empty());
  const ProcessResult limited = Run({"job", "list", "--limit", "1"});
  EXPECT_THAT(limited.err, HasSubstr("There are more"));
  const ProcessResult watched = Run({"job", "watch", job});
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  EXPECT_THAT(watched.out, HasSubstr("succeeded"));
  const ProcessResult too_late = Run({"job", "cancel", job});
  EXPECT_EQ(too_late.exit_code, 1);
  EXPECT_EQ(too_late.out, "");

  const Json plans = RunJson({"plan", "list"});
  ASSERT_GE(plans["plans"].size(), 1u);
  const std::string plan = plans["plans"][0]["name"];
  EXPECT_EQ(Run({"plan", "show", plan}).out, search.out);
  EXPECT_THAT(Run({"plan", "list"}).out, AllOf(HasSubstr("size=0.5x"), HasSubstr("feasible")));
  const ProcessResult document = Run({"plan", "export", plan});
  EXPECT_TRUE(plan::ParsePlan(document.out).ok()) << document.out;
  EXPECT_EQ(document.err, "");
  const ProcessResult csv = Run({"plan", "export", plan, "--format", "csv", "--file", folder_ + "/plan.csv"});
  EXPECT_EQ(csv.exit_code, 0) << csv.err;
  EXPECT_EQ(csv.out, "");
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/plan.csv"));
  // The server has the model that a format needs; what a format cannot say comes along.
  const ProcessResult encodings = Run({"plan", "export", plan, "--format", "aimet"});
  EXPECT_EQ(encodings.exit_code, 0) << encodings.err;
  EXPECT_EQ(Json::parse(encodings.out)["param_encodings"].size(), 10u);
  const ProcessResult groups = Run({"plan", "export", plan, "--format", "compressed_tensors"});
  EXPECT_EQ(Json::parse(groups.out)["quant_method"], "compressed-tensors");
  EXPECT_THAT(groups.err, HasSubstr("The format cannot say all of the plan:"));

  const std::string measurement = RunJson({"job", "show", job})["measurement"];
  const ProcessResult tighter = Run({"search", "--measurement", measurement, "--budget", "size=0.4x"});
  EXPECT_EQ(tighter.exit_code, 0) << tighter.err;
  EXPECT_THAT(tighter.out, HasSubstr("size=0.4x"));
}

TEST_F(Cli, SearchesAndEvaluatesOnHeldOutData) {
  const std::vector<std::string> line =
      kQuickSearch + std::vector<std::string>{"--evaluation", kCalibration, "--bits", "2,3,4,8"};
  const ProcessResult search = Run(line);
  ASSERT_EQ(search.exit_code, 0) << search.err;
  EXPECT_THAT(search.out, AllOf(HasSubstr("feasible: objective"), HasSubstr("weight signal to noise"),
                                HasSubstr("uniform 3 bit *"), HasSubstr("beats uniform 3 bit: its loss is lower by"),
                                HasSubstr("predicted increase"), HasSubstr("not held-out data")));
  EXPECT_THAT(search.err, HasSubstr("Next, without measuring again"));

  // The same as one document; the plan in it, run by hand in this process by its name on the server, gives the same.
  const Json document = RunJson(line);
  const Json job = RunJson({"job", "list"})["jobs"][0];
  EXPECT_EQ(job["evaluation"]["verdict"], document["evaluation"]["verdict"]);
  EXPECT_FALSE(job["evaluation"].contains("layers"));
  EXPECT_THAT(Run({"job", "show", job["name"]}).out,
              AllOf(HasSubstr("measure, search, evaluate"), HasSubstr("beats uniform 3 bit")));
  const std::string plan = job["plan"];
  EXPECT_EQ(document["plan"]["fingerprint"], RunJson({"plan", "show", plan})["fingerprint"]);
  EXPECT_EQ(RunJson({"plan", "evaluate", plan, "--model", kModel, "--data", kCalibration}), document["evaluation"]);
  const ProcessResult local =
      Run(std::vector<std::string>{"local"} + line + std::vector<std::string>{"--output", "json"});
  ASSERT_EQ(local.exit_code, 0) << local.err;
  EXPECT_EQ(Json::parse(local.out)["evaluation"], document["evaluation"]);

  // Solving again on the measurement, with an evaluation, is a job; activations are quantized if asked for.
  const Json again = RunJson({"search", "--measurement", job["measurement"], "--budget", "size=0.5x", "--evaluation",
                              kCalibration, "--evaluation-activations", "quantized", "--evaluation-samples", "16"});
  EXPECT_EQ(again["plan"]["fingerprint"], document["plan"]["fingerprint"]);
  EXPECT_EQ(again["evaluation"]["num_samples"], 16);
  EXPECT_EQ(again["evaluation"]["quantized_activations"], true);
  EXPECT_THAT(again["evaluation"]["notes"].dump(), HasSubstr("the predicted increase does not count that"));
}

TEST_F(Cli, VerifiesAndExplainsPlans) {
  const std::string saved = folder_ + "/plan.json";
  ASSERT_EQ(Run({"search", "--sensitivities", kHawq, "--hardware", "nvidia-t4", "--budget", "latency=0.8x", "--budget",
                 "size=0.6x", "--save", saved})
                .exit_code,
            0);
  const std::string name = RunJson({"plan", "list"})["plans"][0]["name"];
  for (const std::string& plan : {saved, name}) {
    const ProcessResult verified = Run({"plan", "verify", plan});
    EXPECT_EQ(verified.exit_code, 0) << verified.err;
    EXPECT_THAT(verified.out, AllOf(HasSubstr("consistent: "), HasSubstr("optimal: proven again"),
                                    HasSubstr("price of latency=0.8x: 3.16e-04 a us")));
    const ProcessResult explained = Run({"plan", "explain", plan});
    EXPECT_EQ(explained.exit_code, 0) << explained.err;
    EXPECT_THAT(explained.out, AllOf(HasSubstr("loss at 0.9x"), HasSubstr("regret"), HasSubstr("needed")));
  }
  const Json certificate = RunJson({"plan", "verify", saved});
  EXPECT_EQ(certificate["check"], "optimal");
  EXPECT_EQ(RunJson({"plan", "explain", saved})["layers"].size(), 16u);
  EXPECT_EQ(RunJson({"plan", "verify", saved, "--max-states", "0"})["check"], "bound");

  // Another objective than its layers have: the file is not believed.
  std::ifstream file(saved);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  Json plan = Json::parse(text);
  plan["result"]["objective"] = plan["result"]["objective"].get<double>() / 2;
  std::ofstream(saved) << plan.dump();
  const ProcessResult refuted = Run({"plan", "verify", saved});
  EXPECT_EQ(refuted.exit_code, 1);
  EXPECT_THAT(refuted.err, HasSubstr("result.objective"));
}

TEST_F(Cli, AnEvaluationThatFailsLeavesThePlan) {
  const std::string other = folder_ + "/other.npz";  // images of another size
  std::ofstream(other, std::ios::binary) << testing::MakeNpzOf(
      {{"images", testing::FilledArray({4, 1, 5, 5}, 0)}, {"labels", testing::CountingLabels(4, 3)}});
  for (const auto& where : {std::vector<std::string>{}, std::vector<std::string>{"local"}}) {
    const std::string saved = folder_ + "/plan.json";
    const ProcessResult search =
        Run(where + kQuickSearch + std::vector<std::string>{"--evaluation", other, "--save", saved});
    EXPECT_EQ(search.exit_code, 1);
    EXPECT_THAT(search.out, HasSubstr("feasible: objective"));
    EXPECT_THAT(search.err, HasSubstr("bitplan: the plan is found, but not evaluated: "));
    EXPECT_EQ(Run({"plan", "show", saved}).exit_code, 0);
    std::filesystem::remove(saved);
  }
  std::ofstream(other) << "no archive";
  const ProcessResult unreadable =
      Run(std::vector<std::string>{"local"} + kQuickSearch + std::vector<std::string>{"--evaluation", other});
  EXPECT_EQ(unreadable.exit_code, 1);
  EXPECT_THAT(unreadable.err, AllOf(HasSubstr("other.npz"), Not(HasSubstr("traces"))));
  const ProcessResult usage = Run({"search", "--sensitivities", kHawq, "--budget", "size=1x", "--evaluation", other});
  EXPECT_EQ(usage.exit_code, 2);
  EXPECT_THAT(usage.err, HasSubstr("--evaluation: given sensitivities come without a network"));
}

TEST_F(Cli, ServerAndLocalSearchChooseTheSame) {
  const ProcessResult remote = Run(kQuickSearch + std::vector<std::string>{"--output", "json"});
  ASSERT_EQ(remote.exit_code, 0) << remote.err;
  const ProcessResult local =
      Run(std::vector<std::string>{"local"} + kQuickSearch + std::vector<std::string>{"--output", "json"});
  ASSERT_EQ(local.exit_code, 0) << local.err;
  const auto a = plan::ParsePlan(remote.out);
  const auto b = plan::ParsePlan(local.out);
  ASSERT_TRUE(a.ok()) << a.status();
  ASSERT_TRUE(b.ok()) << b.status();
  EXPECT_EQ(a->layers, b->layers);
  EXPECT_EQ(a->fingerprint, b->fingerprint);
}

// The graph's structure is found on the server, kept in its measurement, and asked again without measuring.
TEST_F(Cli, SearchesForARuntimeOnTheServerAsInProcess) {
  const std::vector<std::string> wanted = {"--runtime", "cmsis-nn", "--output", "json"};
  const ProcessResult remote = Run(kQuickSearch + wanted);
  ASSERT_EQ(remote.exit_code, 0) << remote.err;
  const ProcessResult local = Run(std::vector<std::string>{"local"} + kQuickSearch + wanted);
  ASSERT_EQ(local.exit_code, 0) << local.err;
  const auto plan = plan::ParsePlan(remote.out);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->fingerprint, plan::ParsePlan(local.out)->fingerprint);
  ASSERT_TRUE(plan->runtime.has_value());
  EXPECT_EQ(plan->runtime->name, "cmsis-nn");
  EXPECT_FALSE(plan->runtime->groups.empty());
  EXPECT_TRUE(plan->runtime->unseen.empty());
  EXPECT_THAT(Run({"search", "--sensitivities", kHawq, "--budget", "size=1x", "--runtime", "none"}).err,
              HasSubstr("runtime: got 'none', want one of"));
}

// The weights of the bundled network in a file beside it: read, put inside, uploaded and searched as one file.
TEST_F(Cli, TakesNetworksWithWeightsInAnotherFile) {
  const std::string model = folder_ + "/net.onnx";
  const std::string weights = folder_ + "/net.onnx.data";
  const testing::TwoFileModel split = testing::MoveWeightsOut(testing::ReadFile(kModel), "net.onnx.data");
  std::ofstream(model, std::ios::binary) << split.onnx;
  std::ofstream(weights, std::ios::binary) << split.weights;
  std::vector<std::string> line = kQuickSearch;
  line[1] = model;
  const ProcessResult local =
      Run(std::vector<std::string>{"local"} + line + std::vector<std::string>{"--output", "json"});
  const ProcessResult remote = Run(line + std::vector<std::string>{"--output", "json"});
  const ProcessResult whole =
      Run(std::vector<std::string>{"local"} + kQuickSearch + std::vector<std::string>{"--output", "json"});
  const auto a = plan::ParsePlan(local.out);
  const auto b = plan::ParsePlan(remote.out);
  const auto c = plan::ParsePlan(whole.out);
  ASSERT_TRUE(a.ok()) << local.err;
  ASSERT_TRUE(b.ok()) << remote.err;
  ASSERT_TRUE(c.ok()) << whole.err;
  EXPECT_EQ(a->layers, b->layers);
  EXPECT_EQ(a->layers, c->layers);
  const Json shown = RunJson({"model", "upload", model});
  EXPECT_GT(std::stoll(shown["size_bytes"].get<std::string>()), static_cast<int64_t>(split.onnx.size()));
  EXPECT_EQ(a->provenance.model_digest, shown["digest"]);

  std::filesystem::resize_file(weights, split.weights.size() - 1);
  EXPECT_THAT(Run({"model", "upload", model}).err, HasSubstr("external data: 'net.onnx.data' has"));
  std::filesystem::remove(weights);
  const ProcessResult missing = Run(std::vector<std::string>{"local"} + line);
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("external data 'net.onnx.data': cannot open"));
}

TEST_F(Cli, ServerOptionGoesBeforeTheEnvironmentAtEachLevel) {
  const std::vector<std::string> nobody = {"--server", "127.0.0.1:1"};  // nothing listens there
  for (const auto& line :
       {std::vector<std::string>{"version"} + nobody, std::vector<std::string>{"job", "list"} + nobody,
        nobody + std::vector<std::string>{"job", "list"}}) {
    const ProcessResult ran = Run(line);
    EXPECT_EQ(ran.exit_code, 4) << ran.out;
    EXPECT_THAT(ran.err, HasSubstr("no server answers at 127.0.0.1:1"));
  }
}

// The lines of standard error that begin with two blanks: commands to copy.
std::vector<std::vector<std::string>> SuggestedCommands(const std::string& err) {
  std::vector<std::vector<std::string>> commands;
  std::istringstream lines(err);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  ")) continue;
    std::istringstream words(line);
    commands.emplace_back(std::istream_iterator<std::string>(words), std::istream_iterator<std::string>());
  }
  return commands;
}

TEST_F(Cli, SuggestedCommandsWorkAsPrinted) {
  const std::vector<std::string> line = std::vector<std::string>{kBitplan} + kQuickSearch +
                                        std::vector<std::string>{"--server", address_, "--project", "other"};
  const ProcessResult search = testing::RunProcess(line);
  ASSERT_EQ(search.exit_code, 0) << search.err;
  const auto commands = SuggestedCommands(search.err);
  ASSERT_EQ(commands.size(), 2u) << search.err;
  for (const auto& command : commands) {
    const ProcessResult ran = testing::RunProcess(command);
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("blocks.0.conv1"));
  }
  // The id at the end of the table is one that commands take.
  const std::string id = search.out.substr(search.out.rfind("plan ") + 5, 24);
  EXPECT_EQ(Run({"plan", "show", id, "--project", "other"}).out, search.out);
}

TEST_F(Cli, GivenSensitivitiesNeedNoModel) {
  const ProcessResult search = Run({"search", "--sensitivities", kHawq, "--hardware", "nvidia-t4", "--budget",
                                    "latency=0.5@w4:w8", "--save", folder_ + "/plan.json"});
  EXPECT_EQ(search.exit_code, 0) << search.err;
  EXPECT_THAT(search.out, AllOf(HasSubstr("total of 19 layers"), HasSubstr("optimal: ")));
  EXPECT_THAT(search.err, HasSubstr("Imported projects/default/measurements/"));
  EXPECT_EQ(Run({"plan", "show", folder_ + "/plan.json"}).out, search.out);
}

TEST_F(Cli, InfeasibleBudgetIsAnAnswer) {
  const ProcessResult search = Run({"search", "--sensitivities", kHawq, "--budget", "size=0.1x"});
  EXPECT_EQ(search.exit_code, 3) << search.err;
  EXPECT_THAT(search.out, AllOf(HasSubstr("infeasible: proven"), HasSubstr("least achievable")));
}

TEST_F(Cli, ProfilesAndVersion) {
  const Json profiles = RunJson({"profile", "list"});
  ASSERT_GE(profiles["profiles"].size(), 2u);
  EXPECT_THAT(Run({"profile", "list"}).out, AllOf(HasSubstr("generic"), HasSubstr("nvidia-t4"), HasSubstr("built in")));
  EXPECT_THAT(Run({"profile", "show", "nvidia-t4"}).out, AllOf(HasSubstr("latency"), HasSubstr("provenance")));
  EXPECT_EQ(RunJson({"profile", "show", "nvidia-t4"})["name"], "nvidia-t4");
  const Json version = RunJson({"version"});
  EXPECT_EQ(version["client"]["version"], version["server"]["version"]);
  EXPECT_THAT(Run({"version"}).out, AllOf(HasSubstr("client  "), HasSubstr("server  ")));
}

TEST_F(Cli, ModelUploadTwiceSendsOnce) {
  const ProcessResult first = Run({"model", "upload", kModel, "--name", "my net"});
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("Uploaded my net"));
  const ProcessResult second = Run({"model", "upload", kModel});
  EXPECT_THAT(second.err, HasSubstr("The server has"));
  EXPECT_EQ(first.out, second.out);
}

TEST_F(Cli, ErrorsOfTheServerInWords) {
  const ProcessResult missing = Run({"job", "show", "no-such-job"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_EQ(missing.out, "");
  EXPECT_THAT(missing.err, AllOf(HasSubstr("bitplan: "), HasSubstr("no-such-job"), Not(HasSubstr("NOT_FOUND"))));

  const std::string broken = folder_ + "/broken.onnx";
  std::ofstream(broken) << "this is no network";
  const ProcessResult refused = Run({"model", "upload", broken});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("bitplan: "));

  const ProcessResult profile =
      Run({"search", "--sensitivities", kHawq, "--hardware", "abacus", "--budget", "size=1x"});
  EXPECT_EQ(profile.exit_code, 1);
  EXPECT_THAT(profile.err, AllOf(HasSubstr("abacus"), HasSubstr("generic")));
}

TEST_F(Cli, BudgetThatTheProfileCannotPriceIsRefusedBeforeMeasuring) {
  for (const std::vector<std::string>& extra :
       {std::vector<std::string>{"--budget", "latency=1ms"},
        std::vector<std::string>{"--hardware", "nvidia-t4", "--activation-bits", "2"}}) {
    const std::string why = extra[0] == "--budget" ? "does not price" : "supports none of the widths";
    const ProcessResult remote = Run(kQuickSearch + extra);
    EXPECT_EQ(remote.exit_code, 1);
    EXPECT_THAT(remote.err, AllOf(HasSubstr(why), Not(HasSubstr("Queued"))));
    const ProcessResult local = Run(std::vector<std::string>{"local"} + kQuickSearch + extra);
    EXPECT_EQ(local.exit_code, 1);
    EXPECT_THAT(local.err, AllOf(HasSubstr(why), Not(HasSubstr("traces"))));
  }
}

TEST_F(Cli, CtrlCCancelsTheJobOnTheServer) {
  const auto search = Start(kEndlessSearch);
  ASSERT_TRUE(search->WaitForError("traces: ")) << search->Wait().err;
  search->Signal(SIGINT);
  const ProcessResult ended = search->Wait();
  EXPECT_EQ(ended.exit_code, 5) << ended.err;
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err,
              AllOf(HasSubstr("Asking the server to cancel projects/default/jobs/"), HasSubstr("was cancelled")));
  const Json job = RunJson({"job", "list"})["jobs"][0];
  EXPECT_EQ(job["state"], "JOB_STATE_CANCELLED");
  EXPECT_THAT(Run({"job", "show", job["name"]}).out, AllOf(HasSubstr("cancelled"), Not(HasSubstr("asked to stop"))));
}

TEST_F(Cli, CtrlCLeavesAWatchAndTheJobGoesOn) {
  const auto search = Start(kEndlessSearch);
  ASSERT_TRUE(search->WaitForError("traces: ")) << search->Wait().err;
  const std::string job = RunJson({"job", "list"})["jobs"][0]["name"];
  const auto watch = Start({"job", "watch", job});
  ASSERT_TRUE(watch->WaitForError("traces: ")) << watch->Wait().err;
  watch->Signal(SIGINT);
  const ProcessResult left = watch->Wait();
  EXPECT_EQ(left.exit_code, 130) << left.err;
  EXPECT_THAT(left.err, HasSubstr("goes on"));
  EXPECT_EQ(RunJson({"job", "show", job})["state"], "JOB_STATE_RUNNING");

  // Somebody else cancels it: the search hears of it.
  const ProcessResult cancel = Run({"job", "cancel", job});
  EXPECT_EQ(cancel.exit_code, 0) << cancel.err;
  EXPECT_EQ(search->Wait().exit_code, 5);
}

TEST_F(Cli, CtrlCStopsALocalSearch) {
  const auto search = Start(std::vector<std::string>{"local"} + kEndlessSearch);
  ASSERT_TRUE(search->WaitForError("traces: ")) << search->Wait().err;
  search->Signal(SIGINT);
  const ProcessResult ended = search->Wait();
  EXPECT_EQ(ended.exit_code, 5) << ended.err;
  EXPECT_EQ(ended.out, "");
}

TEST_F(Cli, CtrlCInALocalEvaluationLeavesThePlan) {
  const std::string many = folder_ + "/many.npz";  // enough to be in the middle of
  std::ofstream(many, std::ios::binary) << testing::MakeNpzOf(
      {{"images", testing::FilledArray({6000, 1, 28, 28}, 0.5)}, {"labels", testing::CountingLabels(6000, 10)}});
  const auto search =
      Start(std::vector<std::string>{"local"} + kQuickSearch + std::vector<std::string>{"--evaluation", many});
  ASSERT_TRUE(search->WaitForError("evaluation")) << search->Wait().err;
  search->Signal(SIGINT);
  const ProcessResult ended = search->Wait();
  EXPECT_EQ(ended.exit_code, 5) << ended.err;
  EXPECT_THAT(ended.out, AllOf(HasSubstr("feasible: objective"), Not(HasSubstr("signal to noise"))));
  EXPECT_THAT(ended.err, HasSubstr("the plan is found, but not evaluated"));
}

TEST_F(Cli, WatchSurvivesARestartOfTheServer) {
  const auto search = Start(kEndlessSearch);
  ASSERT_TRUE(search->WaitForError("traces: ")) << search->Wait().err;
  const std::string address = address_;
  server_->Drain(std::chrono::milliseconds(0));
  server_.reset();
  ASSERT_TRUE(search->WaitForError("trying again")) << search->Wait().err;
  StartServer(address);
  const std::string job = RunJson({"job", "list"})["jobs"][0]["name"];
  EXPECT_EQ(Run({"job", "cancel", job}).exit_code, 0);
  const ProcessResult ended = search->Wait();
  EXPECT_EQ(ended.exit_code, 5) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("was cancelled"));
}

}  // namespace
}  // namespace bitplan
