#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "client/commands.h"
#include "client/files.h"
#include "client/profile_file.h"
#include "search/base/status.h"
#include "search/data/npy.h"
#include "search/hardware/import_profile.h"
#include "search/hardware/profile_json.h"

namespace bitplan::client {
namespace {

constexpr const char* kHaqLatency = "haq_latency_v1";
constexpr const char* kHaqTable = "haq";
constexpr const char* kOurs = "bitplan";

struct Unit {
  std::string_view name;
  int64_t ns;
};
constexpr auto kUnits = std::to_array<Unit>({{"ns", 1}, {"us", 1000}, {"ms", 1'000'000}, {"s", 1'000'000'000}});

struct Arguments {
  std::string file;
  std::string from;
  hardware::ImportedProfile about;
  hardware::HaqLatencyRows rows;
  std::string model;
  std::string calibration;
  std::string unit = "ms";
  int64_t batch_size = 16;
  std::string save;
};

absl::StatusOr<HardwareProfile> ImportHaq(const Arguments& arguments, const std::string& bytes) {
  if (arguments.model.empty()) return InvalidArgument("--model: got none, want the network whose layers the rows are");
  BITPLAN_ASSIGN_OR_RETURN(const data::Array array, data::ParseNpy(bytes));
  if (!array.is_float()) return InvalidArgument("{}: got whole numbers, want latencies", arguments.file);
  BITPLAN_ASSIGN_OR_RETURN(const LayerTable layers, ReadLayers(arguments.model, arguments.calibration));
  hardware::HaqTableUnits units{.batch_size = arguments.batch_size};
  for (const Unit& unit : kUnits) {
    if (unit.name == arguments.unit) units.unit_ns = unit.ns;
  }
  return hardware::ImportHaqTable(array.shape, std::get<FloatVector>(array.data), layers, units, arguments.about);
}

absl::StatusOr<HardwareProfile> ImportOurs(const Arguments& arguments, const std::string& json) {
  BITPLAN_ASSIGN_OR_RETURN(HardwareProfile profile, hardware::ParseProfile(json));
  profile.name = arguments.about.name;
  profile.description = arguments.about.description;
  profile.provenance = arguments.about.provenance;
  return profile;
}

// What is written is read back first: an import never makes a document that a search refuses.
absl::StatusOr<std::string> Import(const Arguments& arguments) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(arguments.file));
  absl::StatusOr<HardwareProfile> profile = arguments.from == kHaqLatency
                                                ? hardware::ImportHaqLatency(bytes, arguments.rows, arguments.about)
                                            : arguments.from == kHaqTable ? ImportHaq(arguments, bytes)
                                                                          : ImportOurs(arguments, bytes);
  if (!profile.ok()) return WithContext(profile.status(), arguments.file);
  std::string json = hardware::ToJson(*profile);
  BITPLAN_RETURN_IF_ERROR(hardware::ParseProfile(json).status());
  return json;
}

void AddAbout(CLI::App& app, hardware::ImportedProfile& about) {
  app.add_option("--name", about.name, "Name of the new profile")->required();
  app.add_option("--description", about.description, "One line on the device")->required();
  app.add_option("--source", about.provenance.source, "Who measured it")->required();
  app.add_option("--date", about.provenance.date, "When: YYYY, YYYY-MM or YYYY-MM-DD")->required();
  app.add_option("--citation", about.provenance.citation, "How to find the figures again")->required();
  app.add_option("--notes", about.provenance.notes, "Conditions");
}

}  // namespace

Action DeclareProfileImport(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("file", arguments->file, "The table")->required()->check(CLI::ExistingFile);
  app.add_option("--from", arguments->from,
                 "haq_latency_v1 (ModelOpt, CSV), haq (per-layer table, .npy) or bitplan (a profile document)")
      ->required()
      ->check(CLI::IsMember({kHaqLatency, kHaqTable, kOurs}));
  AddAbout(app, arguments->about);
  app.add_option("--deployment-profile", arguments->rows.deployment_profile, "haq_latency_v1: which rows");
  app.add_option("--tokens", arguments->rows.m, "haq_latency_v1: rows of so many tokens (column m)")
      ->check(CLI::PositiveNumber);
  app.add_option("--model", arguments->model, "haq: ONNX network whose layers the rows are, in order")
      ->check(CLI::ExistingFile);
  app.add_option("--calibration", arguments->calibration, "haq: sizes of inputs that the network leaves open");
  app.add_option("--unit", arguments->unit, "haq: of the figures")
      ->check(CLI::IsMember({"ns", "us", "ms", "s"}))
      ->capture_default_str();
  app.add_option("--batch-size", arguments->batch_size, "haq: samples in a run")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--save", arguments->save, "Write the profile to FILE.json instead of printing it")->type_name("FILE");
  return [arguments](Session& session) -> absl::StatusOr<ExitCode> {
    BITPLAN_ASSIGN_OR_RETURN(const std::string json, Import(*arguments));
    if (arguments->save.empty()) {
      session.console.Answer(json);
      return ExitCode::kOk;
    }
    BITPLAN_RETURN_IF_ERROR(WriteFile(arguments->save, json));
    return ExitCode::kOk;
  };
}

}  // namespace bitplan::client
