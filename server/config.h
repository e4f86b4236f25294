#ifndef BITPLAN_SERVER_CONFIG_H_
#define BITPLAN_SERVER_CONFIG_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace bitplan::server {

// How a server runs. Every key is a field of the JSON file and, with dashes, a flag (max_model_bytes,
// --max-model-bytes); flags win over the file. Meaning, range and unit of each: ConfigKeys.
struct Config {
  std::string listen_address = "127.0.0.1:8470";
  std::string data_dir = "bitpland-data";
  bool allow_remote = false;
  std::string port_file;
  int64_t workers = 1;
  int64_t threads_per_job = 0;
  int64_t max_queued_jobs = 64;
  int64_t grace_period_seconds = 10;
  int64_t max_model_bytes = int64_t{512} << 20;
  int64_t max_dataset_bytes = int64_t{512} << 20;
  int64_t max_artifact_bytes = int64_t{16} << 30;
  int64_t max_memory_bytes = int64_t{256} << 20;
  int64_t max_uploads = 4;
  int64_t max_watches = 256;
  int64_t bookmark_interval_ms = 10'000;
};

struct ConfigKey {
  std::string_view name;
  std::string_view help;
  std::variant<std::string Config::*, int64_t Config::*, bool Config::*> field;
  int64_t min = 0;  // numbers only
  int64_t max = 0;
};

// The only list of keys; the file, the flags, --help and --print-config read it.
std::span<const ConfigKey> ConfigKeys();

// Overwrites fields of `config` from a JSON object. kInvalidArgument names the key: unknown, of the wrong type, out of
// range.
absl::Status ApplyJson(std::string_view json, Config& config);

// The whole configuration as JSON, keys in table order.
std::string ToJson(const Config& config);

// What holds between fields. kInvalidArgument names the key: a value out of range, an address that is not HOST:PORT, a
// host other than loopback without allow_remote.
absl::Status Validate(const Config& config);

// What a command line asks for.
struct CommandLine {
  Config config;
  bool print_config = false;
  std::string exit_text;  // not empty: print it and exit with 0 (--help, --version)
};

// Reads --config FILE, then the flags over it, and validates. `arguments` without the program's name.
// Errors: kInvalidArgument names the flag or key; kNotFound: no such file.
absl::StatusOr<CommandLine> ParseCommandLine(std::vector<std::string> arguments);

// Threads of one job: threads_per_job, or for 0 the processors divided by the workers, at least 1.
int ThreadsPerJob(const Config& config);

}  // namespace bitplan::server

#endif  // BITPLAN_SERVER_CONFIG_H_
