// Whole command lines that need no server.

#include "client/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "client/files.h"
#include "search/plan/plan_json.h"
#include "search/plan/verifier.h"

namespace bitplan::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Ran {
  ExitCode code;
  std::string out;
  std::string err;
};

Ran RunLine(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  Console console({.out = out, .err = err});
  const ExitCode code = RunCommandLine(arguments, console, {});
  return {code, out.str(), err.str()};
}

// The published ResNet18 figures: given sensitivities for 19 layers, options w4a4 and w8a8.
const std::string& Hawq() {
  static const auto& path = *new std::string(BITPLAN_TEST_DATA_DIR "/hawq/resnet18_t4.sensitivities.json");
  return path;
}

TEST(CommandLine, HelpListsEveryCommandAndExitCode) {
  const Ran help = RunLine({"--help"});
  EXPECT_EQ(help.code, ExitCode::kOk);
  EXPECT_EQ(help.err, "");
  for (const Command& command : Commands()) {
    EXPECT_THAT(help.out, HasSubstr(std::string(command.path.substr(0, command.path.find(' ')))));
  }
  for (const ExitCodeEntry& entry : ExitCodes()) EXPECT_THAT(help.out, HasSubstr(std::string(entry.meaning)));
}

TEST(CommandLine, EveryCommandHasHelpAndIsDocumented) {
  std::ifstream file(BITPLAN_SOURCE_DIR "/docs/cli.md");
  const std::string manual(std::istreambuf_iterator<char>(file), {});
  std::set<std::string_view> paths;
  for (const Command& command : Commands()) {
    EXPECT_TRUE(paths.insert(command.path).second) << command.path;
    std::vector<std::string> line;
    std::istringstream words{std::string(command.path)};
    for (std::string word; words >> word;) line.push_back(word);
    line.emplace_back("--help");
    const Ran help = RunLine(line);
    EXPECT_EQ(help.code, ExitCode::kOk) << command.path;
    EXPECT_THAT(help.out, AllOf(HasSubstr(std::string(command.summary)), HasSubstr("--output")));
    EXPECT_EQ(help.out.find("--server") != std::string::npos, command.needs_server) << command.path;
    EXPECT_THAT(manual, HasSubstr("bitplan " + std::string(command.path)));
  }
}

TEST(CommandLine, WrongUsageSaysWhatAndWhere) {
  const struct {
    std::vector<std::string> line;
    std::string says;
  } cases[] = {
      {{}, "A subcommand is required"},
      {{"frobnicate"}, "frobnicate"},
      {{"job"}, "A subcommand is required"},
      {{"job", "show"}, "job is required"},
      {{"job", "list", "--state", "sleeping"}, "sleeping"},
      {{"search"}, "required"},
      {{"local", "search", "--budget", "size=0.5x"}, "a network (MODEL.onnx with --calibration) or --sensitivities"},
      {{"local", "search", Hawq(), "--budget", "size=0.5x"}, "--calibration"},
      {{"local", "search", "nowhere.onnx", "--calibration", "x.npz", "--budget", "size=1x"}, "nowhere.onnx"},
      {{"local", "search", "--sensitivities", Hawq(), "--budget", "size=0.5 of it"}, "size=0.5 of it"},
      {{"local", "search", "--sensitivities", Hawq(), "--budget", "weight=1kB"}, "weight"},
      {{"local", "search", "--sensitivities", Hawq(), "--budget", "size=1x", "--pin", "conv1=8b"}, "want LAYER=WIDTHS"},
      {{"local", "search", "--sensitivities", Hawq(), "--budget", "size=1x", "--forbid", "conv1"}, "want LAYER=WIDTHS"},
      {{"local", "search", "--sensitivities", Hawq(), "--budget", "size=1x", "--tie", "conv1"},
       "at least two layer names"},
      {{"local", "search", "--sensitivities", Hawq(), "--budget", "size=1x", "--save", "plan.txt"}, "plan.txt"},
      {{"local", "search", "--sensitivities", Hawq(), "--budget", "size=1x", "--output", "xml"}, "xml"},
      {{"local", "search", "--sensitivities", Hawq(), "--budget", "size=1x", "--method", "guess"}, "guess"},
      {{"job", "list", "--project", "No Such"}, "No Such"},
      {{"version", "--server"}, "--server"},
      {{"version", "--server", ""}, "got '', want HOST:PORT"},
      {{"version", "--server", "localhost"}, "got 'localhost', want HOST:PORT"},
      {{"version", "--server", "http://localhost:8470"}, "want HOST:PORT such as 127.0.0.1:8470"},
      {{"local", "search", "--sensitivities", Hawq(), "--budget", "size=1x", "--budget", "size=2x"}, "two for size"},
      {{"local", "search", "--sensitivities", Hawq(), "--budget", "size=1x", "--bits", "4,8"},
       "--bits: only for a network that is still to be measured"},
      {{"search", "--measurement", "m", "--budget", "size=1x", "--seed", "1"}, "--seed: only for a network"},
      {{"search", Hawq(), "--calibration", Hawq(), "--budget", "size=1x", "--seed", "-1"}, "got '-1', want 0 or more"},
      {{"search", Hawq(), "--calibration", Hawq(), "--budget", "size=1x", "--bits", "4,9"}, "got 9, want 2..8"},
      {{"search", Hawq(), "--calibration", Hawq(), "--budget", "size=1x", "--range-rules", "max"}, "max"},
      {{"search", Hawq(), "--calibration", Hawq(), "--budget", "size=1x", "--roundings", "up"}, "up"},
      {{"search", Hawq(), "--calibration", Hawq(), "--budget", "size=1x", "--granularities", "per_group",
        "--group-sizes", "0"},
       "group_sizes[0]: got 0"},
      {{"search", Hawq(), "--calibration", Hawq(), "--budget", "size=1x", "--trace-error", "0"}, "got 0, want above 0"},
      {{"search", "--measurement", "m", "--budget", "size=1x", "--save", "/no/such/plan.json"}, "no folder '/no/such'"},
  };
  for (const auto& [line, says] : cases) {
    const Ran ran = RunLine(line);
    EXPECT_EQ(ran.code, ExitCode::kUsage) << says;
    EXPECT_EQ(ran.out, "") << says;
    EXPECT_THAT(ran.err, AllOf(HasSubstr("bitplan: "), HasSubstr(says), HasSubstr("--help' says more")));
  }
}

TEST(CommandLine, ListsEndAtTheNextArgument) {
  // The file holds no data, but it is found to hold none only if --bits has not taken it for a number.
  const Ran ran =
      RunLine({"local", "search", "--bits", "4,8", "--schemes", "affine", "--granularities", "per_tensor",
               BITPLAN_TEST_DATA_DIR "/models/fmnist_resnet8.onnx", "--calibration", Hawq(), "--budget", "size=1x"});
  EXPECT_EQ(ran.code, ExitCode::kFailed);
  EXPECT_THAT(ran.err, HasSubstr("not a zip archive"));
}

TEST(CommandLine, AnAnswerThatCannotBeWrittenIsAnError) {
  std::ofstream full("/dev/full");
  std::ostringstream err;
  Console console({.out = full, .err = err});
  EXPECT_EQ(RunCommandLine({"local", "search", "--sensitivities", Hawq(), "--budget", "size=1x"}, console, {}),
            ExitCode::kFailed);
  EXPECT_THAT(err.str(), HasSubstr("bitplan: cannot write to standard output"));
}

TEST(CommandLine, NobodyAnswers) {
  // Port 1 of loopback: nothing listens there, and binding it takes root.
  const Ran ran = RunLine({"job", "list", "--server", "127.0.0.1:1"});
  EXPECT_EQ(ran.code, ExitCode::kUnavailable);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("bitplan: no server answers at 127.0.0.1:1"));
}

TEST(LocalSearch, GivenSensitivitiesAsTable) {
  const Ran ran = RunLine({"local", "search", "--sensitivities", Hawq(), "--budget", "size=0.5@w4:w8", "--hardware",
                           "nvidia-t4", "--budget", "latency=0.5@w4:w8"});
  EXPECT_EQ(ran.code, ExitCode::kOk) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("stage1.unit1.conv1"), HasSubstr("total of 19 layers"), HasSubstr("optimal: "),
                             HasSubstr("gap 0"), HasSubstr("size=0.5@w4:w8"), HasSubstr("latency=0.5@w4:w8")));
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(line.size(), 120u) << line;
    EXPECT_FALSE(line.ends_with(' ')) << '"' << line << '"';
  }
}

TEST(LocalSearch, JsonIsThePlanDocument) {
  const std::string path = ::testing::TempDir() + "/bitplan_commands_test.json";
  const Ran ran = RunLine({"local", "search", "--sensitivities", Hawq(), "--budget", "bops=0.25@w4:w8", "--output",
                           "json", "--save", path});
  ASSERT_EQ(ran.code, ExitCode::kOk) << ran.err;
  const auto plan = plan::ParsePlan(ran.out);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan::Verify(*plan).ok()) << plan::Verify(*plan);
  EXPECT_EQ(*ReadFile(path), ran.out);
  EXPECT_THAT(ran.err, HasSubstr("Saved as " + path));

  const Ran shown = RunLine({"plan", "show", path});
  EXPECT_EQ(shown.code, ExitCode::kOk) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("optimal: "));
}

TEST(LocalSearch, SavesCsv) {
  const std::string path = ::testing::TempDir() + "/bitplan_commands_test.csv";
  const Ran ran =
      RunLine({"local", "search", "--sensitivities", Hawq(), "--budget", "bops=0.25@w4:w8", "--save", path});
  ASSERT_EQ(ran.code, ExitCode::kOk) << ran.err;
  EXPECT_THAT(*ReadFile(path), HasSubstr("stage1.unit1.conv1,conv,36864"));
}

TEST(LocalSearch, InfeasibleIsAnAnswerWithItsOwnCode) {
  const Ran ran = RunLine({"local", "search", "--sensitivities", Hawq(), "--budget", "size=0.1x"});
  EXPECT_EQ(ran.code, ExitCode::kInfeasible);
  EXPECT_THAT(ran.out, AllOf(HasSubstr("infeasible: proven"), HasSubstr("least achievable"), HasSubstr("short by"),
                             HasSubstr("size=0.1x")));
  EXPECT_THAT(ran.err, Not(HasSubstr("bitplan: ")));
  EXPECT_EQ(RunLine({"local", "search", "--sensitivities", Hawq(), "--budget", "size=0.1x", "--output", "json"}).code,
            ExitCode::kInfeasible);
}

TEST(LocalSearch, ErrorsNameTheField) {
  const std::string path = ::testing::TempDir() + "/bitplan_broken.json";
  ASSERT_TRUE(
      WriteFile(path, R"({"format": "bitplan.sensitivities/1", "method": "given", "layers": [{"name": 7}]})").ok());
  const Ran ran = RunLine({"local", "search", "--sensitivities", path, "--budget", "size=1x"});
  EXPECT_EQ(ran.code, ExitCode::kFailed);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, AllOf(HasSubstr("bitplan: "), HasSubstr("layers[0].name")));
}

// A runtime of the caller's own: convolutions of one unit share their weight bits, the first units their whole option.
constexpr const char* kRuntime = R"json({
  "format": "bitplan.runtime/1", "name": "mine", "version": "1", "written_against": "nothing", "description": "a test",
  "rules": [
    {"name": "unit", "reason": "one buffer", "agree": ["weight_bits"], "names": ["(stage[0-9]+[.]unit[0-9]+[.])conv[0-9]+"],
     "source": "this test", "date": "2026"},
    {"name": "first", "reason": "one kernel", "agree": ["option"], "names": ["stage[0-9]+[.]unit1[.]conv(1)"],
     "source": "this test", "date": "2026"}]})json";

TEST(LocalSearch, ObeysARuntimeAndPlansAreCheckedForIt) {
  const std::string runtime = ::testing::TempDir() + "/bitplan_runtime.json";
  const std::string tied = ::testing::TempDir() + "/bitplan_tied.json";
  const std::string free = ::testing::TempDir() + "/bitplan_free.json";
  ASSERT_TRUE(WriteFile(runtime, kRuntime).ok());
  const std::vector<std::string> search = {"local", "search", "--sensitivities", Hawq(), "--budget", "size=0.8x"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), search.begin(), search.end());
    return RunLine(more);
  };
  ASSERT_EQ(with({"--runtime", runtime, "--save", tied}).code, ExitCode::kOk);
  ASSERT_EQ(with({"--save", free}).code, ExitCode::kOk);
  const Plan plan = plan::ParsePlan(*ReadFile(tied)).value();
  ASSERT_TRUE(plan.runtime.has_value());
  EXPECT_EQ(plan.runtime->name, "mine");
  EXPECT_FALSE(plan.runtime->groups.empty());
  EXPECT_EQ(plan::Verify(plan), absl::OkStatus());
  const Ran sound = RunLine({"plan", "verify", tied, "--runtime", runtime});
  EXPECT_EQ(sound.code, ExitCode::kOk) << sound.err;
  EXPECT_THAT(sound.err, HasSubstr("groups of layers agree"));
  EXPECT_THAT(sound.out, HasSubstr("optimal: proven again"));
  const Ran broken = RunLine({"plan", "verify", free, "--runtime", runtime});
  EXPECT_EQ(broken.code, ExitCode::kFailed);
  EXPECT_THAT(broken.err, AllOf(HasSubstr("mine cannot load the plan"), HasSubstr("; one buffer")));
  EXPECT_THAT(RunLine({"plan", "explain", tied}).out, HasSubstr("by mine's rule unit"));
  const Ran unknown = with({"--runtime", "tflite"});
  EXPECT_THAT(unknown.err, HasSubstr("runtime: got 'tflite', want one of cmsis-nn"));
}

TEST(Runtime, ListsAndShowsRulesWithSources) {
  const Ran listed = RunLine({"runtime", "list"});
  EXPECT_EQ(listed.code, ExitCode::kOk);
  EXPECT_THAT(listed.out, AllOf(HasSubstr("vllm"), HasSubstr("qkv, gate_up, experts")));
  EXPECT_THAT(RunLine({"runtime", "list", "--output", "json"}).out, HasSubstr("\"name\": \"tensorrt\""));
  EXPECT_THAT(RunLine({"runtime", "show", "cmsis-nn"}).out,
              AllOf(HasSubstr("add: equal activation_bits"), HasSubstr("arm_elementwise_add_s8")));
  EXPECT_THAT(RunLine({"runtime", "show", "vllm", "--output", "json"}).out, HasSubstr("bitplan.runtime/1"));
  EXPECT_EQ(RunLine({"runtime", "show", "none"}).code, ExitCode::kFailed);
}

// One repeat: what it says must be readable, not true.
TEST(ProfileMeasure, WritesAProfileThatHardwareTakes) {
  const std::string path = ::testing::TempDir() + "/My CPU.json";
  const Ran ran = RunLine({"profile", "measure", BITPLAN_TEST_DATA_DIR "/models/fmnist_resnet8.onnx", "--out", path,
                           "--repeats", "1", "--threads", "1"});
  ASSERT_EQ(ran.code, ExitCode::kOk) << ran.err;
  EXPECT_THAT(ran.out, AllOf(HasSubstr("stem"), HasSubstr("Own measurement: oneDNN")));
  EXPECT_THAT(*ReadFile(path), HasSubstr("\"name\": \"my-cpu\""));
  EXPECT_EQ(RunLine({"local", "search", "--sensitivities", Hawq(), "--hardware", path, "--budget", "size=1x",
                     "--leave-out-unpriced"})
                .code,
            ExitCode::kOk);
  EXPECT_EQ(RunLine({"profile", "measure", BITPLAN_TEST_DATA_DIR "/models/fmnist_resnet8.onnx", "--out", "x.csv"}).code,
            ExitCode::kUsage);
}

TEST(PlanShow, RefusesATamperedFile) {
  const std::string path = ::testing::TempDir() + "/bitplan_tampered.json";
  const Ran ran = RunLine({"local", "search", "--sensitivities", Hawq(), "--budget", "size=0.5x", "--output", "json"});
  auto document = nlohmann::ordered_json::parse(ran.out);
  document["layers"][0]["chosen"]["sensitivity"] = 0.0;
  ASSERT_TRUE(WriteFile(path, document.dump()).ok());
  const Ran shown = RunLine({"plan", "show", path});
  EXPECT_EQ(shown.code, ExitCode::kFailed);
  EXPECT_EQ(shown.out, "");
  EXPECT_THAT(shown.err, HasSubstr(path));
}

// A device that converts what layers hand to each other, and has 70,000 bytes of memory.
constexpr std::string_view kSmallDevice = R"json({
  "format": "bitplan.profile/1", "name": "small", "description": "d",
  "provenance": {"source": "s", "date": "2026", "citation": "c"},
  "supported": "any",
  "size": {"unit": "bits", "scale_bits": 32},
  "roofline": {"unit": "ns", "batch_size": 1, "rates": [], "bit_macs_per_second": 16000000000},
  "memory": {"unit": "bytes", "min_activation_bits": 4, "weights_resident": true},
  "boundary": {"overhead_ns": 1, "bytes_per_second": 100000000000},
  "limits": {"sram_bytes": 70000},
  "measured": []
})json";

TEST(LocalSearch, ShowsPeakMemoryAndConversions) {
  const std::string models = BITPLAN_TEST_DATA_DIR "/models/";
  const std::string profile = ::testing::TempDir() + "bitplan_small_device.json";
  const std::string saved = ::testing::TempDir() + "bitplan_small_device_plan.json";
  ASSERT_TRUE(WriteFile(profile, kSmallDevice).ok());
  const Ran ran = RunLine({"local",
                           "search",
                           models + "fmnist_resnet8.onnx",
                           "--calibration",
                           models + "fmnist_calibration_128.npz",
                           "--samples",
                           "16",
                           "--method",
                           "hawq_v2",
                           "--hardware",
                           profile,
                           "--bits",
                           "4,8",
                           "--activation-bits",
                           "4,8",
                           "--untie-activations",
                           "--pin",
                           "blocks.1.conv2=w8a8",
                           "--budget",
                           "memory=device",
                           "--budget",
                           "latency=0.6x",
                           "--save",
                           saved});
  ASSERT_EQ(ran.code, ExitCode::kOk) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("activations of 4, 8 bits are priced, but what they do to the loss is not counted"));
  EXPECT_THAT(ran.out, AllOf(HasSubstr("at the fullest moment, while /"), HasSubstr("latency between layers: "),
                             HasSubstr("memory=device")));
  EXPECT_EQ(RunLine({"plan", "verify", saved}).code, ExitCode::kOk);
  const Ran layer = RunLine({"plan", "explain", saved, "--layer", "fc"});
  EXPECT_EQ(layer.code, ExitCode::kOk) << layer.err;
  EXPECT_THAT(layer.out, AllOf(HasSubstr("fc\n"), HasSubstr("chosen"), HasSubstr("margin")));
  EXPECT_EQ(RunLine({"plan", "explain", saved, "--layer", "nobody"}).code, ExitCode::kFailed);
}

TEST(ProfileCheck, SaysWhereLatenciesComeFromAndWhatIsNotSupported) {
  const std::string model = BITPLAN_TEST_DATA_DIR "/models/fmnist_resnet8.onnx";
  const Ran table = RunLine({"profile", "check", "nvidia-t4", model, "--bits", "4,8", "--activation-bits", "same"});
  EXPECT_EQ(table.code, ExitCode::kOk) << table.err;
  EXPECT_THAT(table.out, AllOf(HasSubstr("roofline w4a4 w8a8"), HasSubstr("Every supported option has all prices")));
  const Ran ane = RunLine({"profile", "check", "apple-ane-like", model, "--output", "json"});
  EXPECT_EQ(ane.code, ExitCode::kOk) << ane.err;
  const auto json = nlohmann::json::parse(ane.out);
  EXPECT_EQ(json["complete"], false);
  EXPECT_EQ(json["layers"][0]["supported_options"], 0);
}

TEST(ProfileImport, PrintsAProfileThatNamesItsSource) {
  const std::string file = BITPLAN_TEST_DATA_DIR "/profiles/haq_latency_v1.csv";
  const std::vector<std::string> line = {"profile", "import",        file,      "--from",   "haq_latency_v1", "--name",
                                         "mine",    "--description", "A table", "--source", "a test",         "--date",
                                         "2026-01", "--citation",    "invented"};
  const Ran ambiguous = RunLine(line);
  EXPECT_EQ(ambiguous.code, ExitCode::kFailed);
  EXPECT_THAT(ambiguous.err, HasSubstr("m: got none, want one of 16, 8"));
  std::vector<std::string> with_tokens = line;
  with_tokens.insert(with_tokens.end(), {"--tokens", "16"});
  const Ran ran = RunLine(with_tokens);
  EXPECT_EQ(ran.code, ExitCode::kOk) << ran.err;
  EXPECT_EQ(nlohmann::json::parse(ran.out)["provenance"]["source"], "a test");
}

}  // namespace
}  // namespace bitplan::client
