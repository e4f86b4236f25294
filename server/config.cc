#include "server/config.h"

#include <arpa/inet.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <thread>

#include "search/base/status.h"
#include "search/pipeline/version.h"

namespace bitplan::server {
namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 50;

constexpr auto kKeys = std::to_array<ConfigKey>({
    {"listen_address", "HOST:PORT of the gRPC service; port 0 picks a free one", &Config::listen_address},
    {"data_dir", "folder of the store and the artifacts; made if missing", &Config::data_dir},
    {"allow_remote", "accept a listen_address beyond loopback; there is no TLS and no login yet",
     &Config::allow_remote},
    {"port_file", "file that gets the port as text once the server is ready", &Config::port_file},
    {"workers", "jobs at a time", &Config::workers, 1, 64},
    {"threads_per_job", "threads of each job; 0: processors / workers", &Config::threads_per_job, 0, 1024},
    {"max_queued_jobs", "jobs waiting for a worker; more are refused", &Config::max_queued_jobs, 1, 1'000'000},
    {"grace_period_seconds", "on SIGTERM, time for running jobs to finish before they are put back",
     &Config::grace_period_seconds, 0, 86400},
    {"max_model_bytes", "largest ONNX file", &Config::max_model_bytes, 1, kMaxBytes},
    {"max_dataset_bytes", "largest dataset file", &Config::max_dataset_bytes, 1, kMaxBytes},
    {"max_artifact_bytes", "all models, datasets, measurements and plans together", &Config::max_artifact_bytes, 1,
     kMaxBytes},
    {"max_memory_bytes", "memory for messages on their way through gRPC", &Config::max_memory_bytes, int64_t{16} << 20,
     kMaxBytes},
    {"max_uploads", "uploads at a time; more are refused", &Config::max_uploads, 1, 1024},
    {"max_watches", "WatchJob streams at a time; each holds a thread; more are refused", &Config::max_watches, 1, 4096},
    {"bookmark_interval_ms", "a watch on which nothing happens gets a bookmark this often",
     &Config::bookmark_interval_ms, 10, 3'600'000},
});

using Json = nlohmann::json;

absl::Status CheckRange(const ConfigKey& key, int64_t value) {
  if (value >= key.min && value <= key.max) return absl::OkStatus();
  return InvalidArgument("{}: got {}, want {}..{}", key.name, value, key.min, key.max);
}

absl::Status SetFromJson(const ConfigKey& key, const Json& value, Config& config) {
  const auto wrong_type = [&](std::string_view want) {
    return InvalidArgument("{}: got {}, want {}", key.name, value.dump(), want);
  };
  if (const auto* text = std::get_if<std::string Config::*>(&key.field)) {
    if (!value.is_string()) return wrong_type("a string");
    config.** text = value.get<std::string>();
  } else if (const auto* flag = std::get_if<bool Config::*>(&key.field)) {
    if (!value.is_boolean()) return wrong_type("true or false");
    config.** flag = value.get<bool>();
  } else {
    if (!value.is_number_integer()) return wrong_type("an integer");
    if (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(kMaxBytes)) {
      return wrong_type(fmt::format("{}..{}", key.min, key.max));
    }
    config.*std::get<int64_t Config::*>(key.field) = value.get<int64_t>();
    return CheckRange(key, value.get<int64_t>());
  }
  return absl::OkStatus();
}

std::string KnownKeys() {
  std::string names;
  for (const ConfigKey& key : kKeys) names += fmt::format("{}{}", names.empty() ? "" : ", ", key.name);
  return names;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return NotFound("config: cannot read '{}'", path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string FlagName(std::string_view key) {
  std::string name = fmt::format("--{}", key);
  std::replace(name.begin() + 2, name.end(), '_', '-');
  return name;
}

// Flags as given, before the file is read: nothing is set that was not on the command line.
struct GivenFlags {
  std::array<std::optional<std::string>, kKeys.size()> values;
  std::array<bool, kKeys.size()> switches{};
  std::array<const CLI::Option*, kKeys.size()> switch_options{};  // tell whether a switch was given
};

void AddFlags(CLI::App& app, GivenFlags& given) {
  for (size_t i = 0; i < kKeys.size(); ++i) {
    const std::string help(kKeys[i].help);
    if (std::holds_alternative<bool Config::*>(kKeys[i].field)) {
      given.switch_options[i] = app.add_flag(FlagName(kKeys[i].name), given.switches[i], help);
    } else {
      app.add_option(FlagName(kKeys[i].name), given.values[i], help);
    }
  }
}

absl::Status ApplyFlags(const GivenFlags& given, Config& config) {
  for (size_t i = 0; i < kKeys.size(); ++i) {
    if (given.switch_options[i] != nullptr && given.switch_options[i]->count() > 0) {
      BITPLAN_RETURN_IF_ERROR(SetFromJson(kKeys[i], given.switches[i], config));
    }
    if (!given.values[i].has_value()) continue;
    const bool is_text = std::holds_alternative<std::string Config::*>(kKeys[i].field);
    const Json value = is_text ? Json(*given.values[i]) : Json::parse(*given.values[i], nullptr, false);
    if (value.is_discarded()) return InvalidArgument("{}: got '{}', want an integer", kKeys[i].name, *given.values[i]);
    BITPLAN_RETURN_IF_ERROR(SetFromJson(kKeys[i], value, config));
  }
  return absl::OkStatus();
}

// 127.0.0.0/8 by number: "127.example.org" is a name like any other.
bool IsLoopback(const std::string& host) {
  in_addr address;
  const bool is_number = inet_pton(AF_INET, host.c_str(), &address) == 1;
  return host == "localhost" || host == "[::1]" || (is_number && host.starts_with("127."));
}

absl::Status ValidateAddress(const Config& config) {
  const std::string_view address = config.listen_address;
  const size_t colon = address.rfind(':');
  const std::string_view port = colon == std::string_view::npos ? "" : address.substr(colon + 1);
  const bool digits = !port.empty() && port.size() <= 5 &&
                      std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || colon == 0 || std::stoi(std::string(port)) > 65535) {
    return InvalidArgument("listen_address: got '{}', want HOST:PORT with a port of 0..65535", address);
  }
  if (!config.allow_remote && !IsLoopback(std::string(address.substr(0, colon)))) {
    return InvalidArgument(
        "listen_address: '{}' is reachable from other machines, and this version has neither TLS nor login; want a "
        "loopback "
        "address (127.0.0.1, localhost, [::1]), or allow_remote if something in front of it protects it",
        address);
  }
  return absl::OkStatus();
}

}  // namespace

std::span<const ConfigKey> ConfigKeys() { return kKeys; }

absl::Status ApplyJson(std::string_view json, Config& config) {
  const Json document = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return InvalidArgument("config: not a JSON object");
  for (const auto& [name, value] : document.items()) {
    const auto key = std::find_if(kKeys.begin(), kKeys.end(), [&](const ConfigKey& k) { return k.name == name; });
    if (key == kKeys.end()) return InvalidArgument("config: unknown key '{}'; known are {}", name, KnownKeys());
    BITPLAN_RETURN_IF_ERROR(SetFromJson(*key, value, config));
  }
  return absl::OkStatus();
}

std::string ToJson(const Config& config) {
  nlohmann::ordered_json document;
  for (const ConfigKey& key : kKeys) {
    std::visit([&](auto field) { document[std::string(key.name)] = config.*field; }, key.field);
  }
  return document.dump(2, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);  // a path may be no UTF-8
}

absl::Status Validate(const Config& config) {
  for (const ConfigKey& key : kKeys) {
    if (const auto* number = std::get_if<int64_t Config::*>(&key.field)) {
      BITPLAN_RETURN_IF_ERROR(CheckRange(key, config.**number));
    }
  }
  if (config.data_dir.empty()) return InvalidArgument("data_dir: got '', want a folder");
  return ValidateAddress(config);
}

absl::StatusOr<CommandLine> ParseCommandLine(std::vector<std::string> arguments) {
  CLI::App app("bitpland: mixed-precision search as a gRPC service", "bitpland");
  CommandLine line;
  GivenFlags given;
  std::string config_file;
  app.add_option("--config", config_file, "JSON file with the keys below, spelt with underscores");
  app.add_flag("--print-config", line.print_config, "print the configuration that these arguments make, then exit");
  app.set_version_flag("--version", fmt::format("bitpland {}", pipeline::BitplanVersion()));
  AddFlags(app, given);
  app.footer("Exit codes: 0 stopped as asked, 1 cannot start, 2 wrong arguments, 3 stopped by a second signal.");
  std::reverse(arguments.begin(), arguments.end());  // what CLI11 wants
  try {
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    line.exit_text = app.help();
    return line;
  } catch (const CLI::CallForVersion& version) {
    line.exit_text = fmt::format("{}\n", version.what());
    return line;
  } catch (const CLI::ParseError& error) {
    return InvalidArgument("{}", error.what());
  }
  if (!config_file.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(const std::string text, ReadFile(config_file));
    BITPLAN_RETURN_IF_ERROR(WithContext(ApplyJson(text, line.config), config_file));
  }
  BITPLAN_RETURN_IF_ERROR(ApplyFlags(given, line.config));
  BITPLAN_RETURN_IF_ERROR(Validate(line.config));
  return line;
}

int ThreadsPerJob(const Config& config) {
  if (config.threads_per_job > 0) return static_cast<int>(config.threads_per_job);
  const int64_t processors = std::max<int64_t>(1, std::thread::hardware_concurrency());
  return static_cast<int>(std::max<int64_t>(1, processors / config.workers));
}

}  // namespace bitplan::server
