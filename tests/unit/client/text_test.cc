// Tables, amounts, progress and errors: what people read.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "client/console.h"
#include "client/exit_code.h"
#include "client/files.h"
#include "client/progress.h"
#include "client/rpc_error.h"
#include "client/table.h"
#include "client/units.h"
#include "google/rpc/error_details.pb.h"
#include "search/base/status.h"
#include "search/data/npz.h"

namespace bitplan::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Table, AlignsAndTrims) {
  Table table({{.title = "name"}, {.title = "size", .right = true}, {.title = "note"}});
  table.AddRow({"a", "1"});
  table.AddRow({"longer", "1000", "x"});
  table.AddFooter({"all", "1001"});
  EXPECT_EQ(table.Render(),
            "name    size  note\n"
            "------  ----  ----\n"
            "a          1\n"
            "longer  1000  x\n"
            "------  ----  ----\n"
            "all     1001\n");
}

TEST(Table, CountsCharactersNotBytes) {
  EXPECT_EQ(DisplayWidth("\xC3\xA4"), 1u);
  Table table({{.title = "n"}, {.title = "m"}});
  table.AddRow({"\xC3\xA4", "x"});
  EXPECT_EQ(table.Render(), "n  m\n-  -\n\xC3\xA4  x\n");
}

TEST(CutMiddle, KeepsBothEnds) {
  EXPECT_EQ(CutMiddle("block1.conv2.weight", 10), "bloc..ight");
  EXPECT_EQ(CutMiddle("short", 10), "short");
  EXPECT_EQ(CutMiddle("\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4", 4), "\xC3\xA4..\xC3\xA4");
}

TEST(FormatAmount, ScalesEachResource) {
  EXPECT_EQ(FormatAmount(Resource::kSize, 0), "0 B");
  EXPECT_EQ(FormatAmount(Resource::kSize, 9), "9 bits");
  EXPECT_EQ(FormatAmount(Resource::kSize, 8 * 1023), "1023 B");
  EXPECT_EQ(FormatAmount(Resource::kSize, 8 * 1024), "1.00 KiB");
  EXPECT_EQ(FormatAmount(Resource::kSize, int64_t{8} * 44 * 1024 * 1024), "44.0 MiB");
  EXPECT_EQ(FormatAmount(Resource::kBops, 1'620'000'000), "1.62 GBOPs");
  EXPECT_EQ(FormatAmount(Resource::kLatency, 999), "999 ns");
  EXPECT_EQ(FormatAmount(Resource::kLatency, 3'400'000), "3.40 ms");
  EXPECT_EQ(FormatAmount(Resource::kMemory, 2048), "2.00 KiB");
  EXPECT_EQ(FormatAmount(Resource::kEnergy, 12'000'000), "12.0 uJ");
  EXPECT_EQ(FormatAmount(Resource::kLatency, -3'400'000), "-3.40 ms");
}

TEST(FormatAmount, NeverShowsFourDigitsAfterRounding) {
  EXPECT_EQ(FormatAmount(Resource::kBops, 9'995'000), "10.0 MBOPs");
  EXPECT_EQ(FormatAmount(Resource::kBops, 99'960'000), "100 MBOPs");
}

TEST(FormatCount, GroupsThousands) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(77754), "77,754");
  EXPECT_EQ(FormatCount(-1234567), "-1,234,567");
}

TEST(FormatSeconds, PicksAUnit) {
  EXPECT_EQ(FormatSeconds(0.25), "250 ms");
  EXPECT_EQ(FormatSeconds(4.21), "4.2 s");
  EXPECT_EQ(FormatSeconds(61), "61 s");
  EXPECT_EQ(FormatSeconds(245), "4 min 05 s");
  EXPECT_EQ(FormatSeconds(7500), "2 h 05 min");
}

TEST(ExitCodeOf, FollowsTheTable) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("x")), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("x")), ExitCode::kUnavailable);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("x")), ExitCode::kUnavailable);
  EXPECT_EQ(ExitCodeOf(absl::CancelledError("x")), ExitCode::kCancelled);
}

Progress Traces() {
  return {.stage = "traces",
          .fraction = 0.5,
          .layer = 3,
          .num_layers = 8,
          .layer_name = "block1.conv2",
          .probes = 24,
          .relative_error = 0.125};
}

TEST(Progress, IsABarOrASentence) {
  const ProgressView view{.progress = Traces(), .eta_seconds = 4.2};
  EXPECT_EQ(ProgressBar(view),
            "traces         [##########..........]  50%  4.2 s left  layer 3/8  24 probes  error 12%  block1.conv2");
  EXPECT_EQ(ProgressSentence(view), "traces: 50%, layer 3 of 8, 24 probes, relative error 12%, about 4.2 s left");
}

TEST(Progress, ShowsTheBestPlanSoFarWithItsGap) {
  const ProgressView view{
      .progress = {.stage = "solve", .fraction = 0.25, .probes = 7, .objective = 0.5, .bound = 0.4875}};
  EXPECT_EQ(ProgressBar(view), "solve          [#####...............]  25%  7 probes  best 5.000e-01, gap 2.5%");
  EXPECT_EQ(ProgressSentence(view), "solve: 25%, 7 probes, best 5.000e-01, gap 2.5%");
  v1::JobProgress message;
  message.set_stage("solve");
  message.set_objective(2);
  EXPECT_EQ(ProgressView::Of(message).progress.objective, 2);
  EXPECT_FALSE(ProgressView::Of(message).progress.bound.has_value());
}

TEST(Progress, LeavesOutWhatDoesNotApply) {
  const ProgressView view{.progress = {.stage = "load", .fraction = 2}};
  EXPECT_EQ(ProgressBar(view), "load           [####################] 100%");
  EXPECT_EQ(ProgressSentence(view), "load: 100%");
}

TEST(ProgressPrinter, WritesPlainLinesSparingly) {
  std::ostringstream out;
  std::ostringstream err;
  Console console({.out = out, .err = err});
  ProgressPrinter printer(console);
  for (int i = 0; i < 100; ++i) printer.Show(ProgressView{.progress = Traces()});
  printer.Show(ProgressView{.progress = {.stage = "solve"}});
  EXPECT_EQ(err.str(), "traces: 50%, layer 3 of 8, 24 probes, relative error 12%\nsolve\n");
  EXPECT_EQ(out.str(), "");
}

TEST(ProgressPrinter, RewritesOneLineOnATerminal) {
  std::ostringstream out;
  std::ostringstream err;
  {
    Console console({.out = out, .err = err, .err_is_terminal = true, .err_width = 40});
    ProgressPrinter printer(console);
    printer.Show(ProgressView{.progress = Traces()});
    printer.Show(ProgressView{.progress = Traces()});
    console.Answer("answer\n");
    EXPECT_EQ(out.str(), "answer\n");
  }
  EXPECT_THAT(err.str(), Not(HasSubstr("\n")));
  EXPECT_TRUE(err.str().ends_with("\r\033[K")) << err.str();
}

TEST(Console, CutsTheStatusLineToTheWidth) {
  std::ostringstream out;
  std::ostringstream err;
  Console console({.out = out, .err = err, .err_is_terminal = true, .err_width = 11});
  console.StatusLine("0123456789abcdef");
  EXPECT_EQ(err.str(), "\r\033[K0123..cdef");
}

google::rpc::Status BadRequest(const std::string& message, const std::string& field) {
  google::rpc::Status status;
  status.set_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
  status.set_message(message);
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field(field);
  bad.mutable_field_violations(0)->set_description("got -1, want >= 0");
  status.add_details()->PackFrom(bad);
  return status;
}

TEST(ToStatus, AddsFieldPathsThatTheMessageLacks) {
  EXPECT_EQ(MessageOf(ToStatus(BadRequest("the budget is wrong", "budgets[0].limit"))),
            "the budget is wrong\n  budgets[0].limit: got -1, want >= 0");
  EXPECT_EQ(MessageOf(ToStatus(BadRequest("layers[3] 'a'.bits: got -1, want >= 0", "layers[3].bits"))),
            "layers[3] 'a'.bits: got -1, want >= 0");
  EXPECT_EQ(MessageOf(ToStatus(BadRequest("budgets[0].limit: got -1", "budgets[0].limit"))),
            "budgets[0].limit: got -1");
}

TEST(ToStatus, TellsASilentServerFromOneThatAnswers) {
  const absl::Status silent = ToStatus(14, "failed to connect to all addresses; last error: ...", "", "127.0.0.1:1");
  EXPECT_TRUE(absl::IsUnavailable(silent));
  EXPECT_THAT(MessageOf(silent), AllOf(HasSubstr("no server answers at 127.0.0.1:1"), HasSubstr("BITPLAN_SERVER"),
                                       Not(HasSubstr("failed to connect"))));
  google::rpc::Status said;
  google::rpc::ErrorInfo info;
  info.set_domain("bitplan");
  said.add_details()->PackFrom(info);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(1);
  retry.mutable_retry_delay()->set_nanos(500'000'000);
  said.add_details()->PackFrom(retry);
  const absl::Status draining = ToStatus(14, "the server is going away", said.SerializeAsString(), "127.0.0.1:1");
  EXPECT_EQ(MessageOf(draining), "the server is going away");
  EXPECT_EQ(RetryDelay(said.SerializeAsString()), std::chrono::milliseconds(1500));
  EXPECT_EQ(RetryDelay("no status"), std::nullopt);
}

TEST(ToStatus, SurvivesDetailsThatAreNone) {
  EXPECT_EQ(ToStatus(3, "odd", "\xFF\xFF garbage", "h:1").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(ToStatus(0, "", "", "h:1").ok());
}

TEST(Files, WriteThenRead) {
  const std::string path = ::testing::TempDir() + "/bitplan_files_test";
  ASSERT_TRUE(WriteFile(path, std::string("a\0b", 3)).ok());
  EXPECT_EQ(*ReadFile(path), std::string("a\0b", 3));
}

TEST(Files, SayWhatIsWrong) {
  EXPECT_THAT(MessageOf(ReadFile("/nonexistent/file").status()),
              AllOf(HasSubstr("/nonexistent/file"), HasSubstr("No such file")));
  EXPECT_THAT(MessageOf(ReadFile("/").status()), HasSubstr("is a folder"));
  EXPECT_THAT(MessageOf(WriteFile("/nonexistent/file", "x")), HasSubstr("cannot write /nonexistent/file"));
}

TEST(ReadCalibration, PacksAPairOfNpyFiles) {
  const std::string images = ::testing::TempDir() + "/images.npy";
  const std::string labels = ::testing::TempDir() + "/labels.npy";
  ASSERT_TRUE(WriteFile(images, data::MakeNpy({.shape = {2, 3}, .data = FloatVector(6, 0.5F)})).ok());
  ASSERT_TRUE(WriteFile(labels, data::MakeNpy({.shape = {2}, .data = std::vector<int64_t>{1, 0}})).ok());
  const auto npz = ReadCalibration(images + "," + labels);
  ASSERT_TRUE(npz.ok()) << npz.status();
  const auto dataset = data::ParseNpz(*npz);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->num_samples, 2);
  EXPECT_EQ(std::get<ClassLabels>(dataset->targets), (ClassLabels{1, 0}));
}

}  // namespace
}  // namespace bitplan::client
