#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "search/base/status.h"

namespace bitplan::server {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(const std::vector<std::string>& arguments) {
  const auto line = ParseCommandLine(arguments);
  return line.ok() ? "" : MessageOf(line.status());
}

TEST(Config, DefaultsAreValidAndOnLoopback) {
  const auto line = ParseCommandLine({});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_THAT(line->config.listen_address, HasSubstr("127.0.0.1"));
  EXPECT_GE(ThreadsPerJob(line->config), 1);
}

TEST(Config, JsonRoundTrip) {
  Config config;
  config.workers = 3;
  config.port_file = "p";
  config.allow_remote = true;
  Config read;
  ASSERT_TRUE(ApplyJson(ToJson(config), read).ok());
  EXPECT_EQ(ToJson(read), ToJson(config));
}

TEST(Config, FlagsWinOverTheFile) {
  const auto path = std::filesystem::path(testing::TempDir()) / "bitpland_config_test.json";
  std::ofstream(path) << R"({"workers": 2, "max_queued_jobs": 5})";
  const auto line = ParseCommandLine({"--config", path.string(), "--workers", "4"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->config.workers, 4);
  EXPECT_EQ(line->config.max_queued_jobs, 5);
}

TEST(Config, ASwitchCanBeTurnedOffOverTheFile) {
  const auto path = std::filesystem::path(testing::TempDir()) / "bitpland_config_switch_test.json";
  std::ofstream(path) << R"({"allow_remote": true})";
  EXPECT_TRUE(ParseCommandLine({"--config", path.string()})->config.allow_remote);
  EXPECT_FALSE(ParseCommandLine({"--config", path.string(), "--allow-remote=false"})->config.allow_remote);
}

TEST(Config, PrintsWhatIsNoUtf8) {
  Config config;
  config.data_dir = "\xff";
  EXPECT_THAT(ToJson(config), HasSubstr("data_dir"));
}

TEST(Config, ErrorsNameTheKey) {
  Config config;
  EXPECT_THAT(MessageOf(ApplyJson(R"({"wrokers": 2})", config)),
              HasSubstr("unknown key 'wrokers'; known are listen_address"));
  EXPECT_EQ(MessageOf(ApplyJson(R"({"workers": "two"})", config)), "workers: got \"two\", want an integer");
  EXPECT_EQ(MessageOf(ApplyJson(R"({"workers": 0})", config)), "workers: got 0, want 1..64");
  EXPECT_EQ(MessageOf(ApplyJson(R"({"allow_remote": 1})", config)), "allow_remote: got 1, want true or false");
  EXPECT_EQ(MessageOf(ApplyJson(R"({"data_dir": 1})", config)), "data_dir: got 1, want a string");
  EXPECT_THAT(MessageOf(ApplyJson(R"({"max_model_bytes": 18446744073709551615})", config)),
              HasSubstr("max_model_bytes: got"));
  EXPECT_EQ(MessageOf(ApplyJson("[1", config)), "config: not a JSON object");
  EXPECT_EQ(ErrorOf({"--workers", "many"}), "workers: got 'many', want an integer");
  EXPECT_EQ(ErrorOf({"--workers", "1.5"}), "workers: got 1.5, want an integer");
  EXPECT_EQ(ErrorOf({"--data-dir", ""}), "data_dir: got '', want a folder");
  EXPECT_THAT(ErrorOf({"--nonsense"}), HasSubstr("--nonsense"));
  EXPECT_THAT(ErrorOf({"--config", "/no/such/file"}), HasSubstr("/no/such/file"));
}

TEST(Config, RefusesOtherMachinesUnlessAllowed) {
  for (const char* address : {"0.0.0.0:1", "[::]:1", "example.org:1", "127.example.org:1", "10.0.0.1:0"}) {
    EXPECT_THAT(ErrorOf({"--listen-address", address}), HasSubstr("neither TLS nor login")) << address;
    EXPECT_EQ(ErrorOf({"--listen-address", address, "--allow-remote"}), "") << address;
  }
  for (const char* address : {"127.0.0.1:0", "localhost:80", "[::1]:65535"}) {
    EXPECT_EQ(ErrorOf({"--listen-address", address}), "") << address;
  }
  for (const char* address : {"", "127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x"}) {
    EXPECT_THAT(ErrorOf({"--listen-address", address}), HasSubstr("want HOST:PORT")) << address;
  }
}

TEST(Config, HelpAndVersionAreNoErrors) {
  const auto help = ParseCommandLine({"--help"});
  ASSERT_TRUE(help.ok());
  for (const ConfigKey& key : ConfigKeys())
    EXPECT_THAT(help->exit_text, HasSubstr(std::string(key.help).substr(0, 20)));
  EXPECT_THAT(ParseCommandLine({"--version"})->exit_text, HasSubstr("bitpland 0."));
}

}  // namespace
}  // namespace bitplan::server
